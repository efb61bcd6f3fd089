//! Fair slices: who decides at once runs freely, and who runs long takes turns.
//!
//! ```text
//! long runs of a tenant ──> its lane: one place ──┐
//! long runs of a tenant ──> its lane: one place ──┼──> turns of the host: half of the cores
//! long runs of a tenant ──> its lane: one place ──┘
//! ```
//!
//! Both queues are first in, first out, and a turn is over at the next tick. So a tenant has at most one guest in the
//! host's queue, however many it runs: tenants take turns with each other, and a tenant's guests among themselves. Half
//! of the cores are left for those who decide at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::available_parallelism;

use portcullis_model::Fault;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::share::Share;

/// The turns of the host.
#[derive(Debug)]
pub(crate) struct Turns {
    places: Arc<Semaphore>,
    /// Long runs of all tenants. Each holds an instance of the pool, whether or not it is its turn.
    long: AtomicUsize,
    /// From this many on, nobody has two.
    many: usize,
}

/// The queue of one tenant's long runs.
#[derive(Debug)]
pub(crate) struct Lane {
    place: Arc<Semaphore>,
    long: AtomicUsize,
}

/// Counts a guest among the long runs for as long as this lives.
#[derive(Debug)]
pub(crate) struct Long {
    turns: Arc<Turns>,
    share: Arc<Share>,
}

/// The right to run until the next tick. The host's place is given back first: who leaves its lane finds the tenant
/// out of the host's queue.
#[derive(Debug)]
pub(crate) struct Turn {
    _host: Option<OwnedSemaphorePermit>,
    _lane: Option<OwnedSemaphorePermit>,
}

// === impl Turns ===

impl Turns {
    /// For a pool of so many instances.
    pub(crate) fn new(instances: usize) -> Arc<Self> {
        let cores = available_parallelism().map_or(1, usize::from);
        Arc::new(Self::at_once((cores / 2).max(1), instances))
    }

    fn at_once(places: usize, instances: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(places)), long: AtomicUsize::new(0), many: instances / 2 }
    }

    /// A guest begins to run long. Every tenant may have one such run at any time; a second one only while less than
    /// half of the pool is held by them, so that the other half is there for those who decide at once.
    pub(crate) fn enter(self: &Arc<Self>, share: &Arc<Share>) -> Result<Long, Fault> {
        // Counted first and judged then: of two that come at the same time, one sees the other. Dropped, it is given back.
        let others = share.lane.long.fetch_add(1, Ordering::SeqCst);
        let everyones = self.long.fetch_add(1, Ordering::SeqCst);
        let long = Long { turns: Arc::clone(self), share: Arc::clone(share) };
        if others > 0 && everyones >= self.many {
            return Err(Fault::Overloaded("half of the instances are held by policies that run long".into()));
        }
        Ok(long)
    }

    pub(crate) fn long(&self) -> usize {
        self.long.load(Ordering::SeqCst)
    }
}

// === impl Lane ===

impl Lane {
    pub(crate) fn new() -> Self {
        Self { place: Arc::new(Semaphore::new(1)), long: AtomicUsize::new(0) }
    }
}

// === impl Long ===

impl Long {
    /// Waits for a turn, at the end of the queues.
    pub(crate) fn turn(&self) -> impl Future<Output = Turn> + Send + use<> {
        let (lane, host) = (Arc::clone(&self.share.lane.place), Arc::clone(&self.turns.places));
        async move {
            // Neither is ever closed.
            let lane = lane.acquire_owned().await.ok();
            let host = host.acquire_owned().await.ok();
            Turn { _host: host, _lane: lane }
        }
    }
}

impl Drop for Long {
    fn drop(&mut self) {
        self.turns.long.fetch_sub(1, Ordering::SeqCst);
        self.share.lane.long.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Takes turns until all have taken so many, and writes down whose turn it is.
    async fn take_turns(who: &'static str, long: Long, log: Arc<Mutex<Vec<&'static str>>>, end: usize) {
        while log.lock().expect("no panic").len() < end {
            let turn = long.turn().await;
            log.lock().expect("no panic").push(who);
            tokio::task::yield_now().await;
            drop(turn);
        }
    }

    #[tokio::test]
    async fn tenants_take_turns_however_many_guests_each_runs() {
        let turns = Arc::new(Turns::at_once(1, 128));
        let (many, one) = (Share::new(0), Share::new(0));
        let log = Arc::default();
        let enter = |share| turns.enter(share).expect("there is room");
        let mut tasks: Vec<_> =
            (0..16).map(|_| tokio::spawn(take_turns("many", enter(&many), Arc::clone(&log), 100))).collect();
        tasks.push(tokio::spawn(take_turns("one", enter(&one), Arc::clone(&log), 100)));
        for task in tasks {
            task.await.expect("no panic");
        }
        let log = log.lock().expect("no panic");
        let first = log.iter().position(|who| *who == "one").expect("it had a turn");
        assert!(first <= 2, "{log:?}");
        for (turn, who) in log[first..100].iter().enumerate() {
            assert_eq!(*who, if turn % 2 == 0 { "one" } else { "many" }, "turn {turn} of {log:?}");
        }
    }

    #[test]
    fn from_half_of_the_pool_on_nobody_has_two_long_runs() {
        let turns = Arc::new(Turns::at_once(1, 4));
        let (one, other) = (Share::new(0), Share::new(0));
        let first = turns.enter(&one).expect("the first");
        let second = turns.enter(&one).expect("there is room");
        let refused = turns.enter(&one).expect_err("half of the pool is taken");
        assert_eq!(refused.kind().as_str(), "overloaded");
        let others = turns.enter(&other).expect("everyone may have one");
        assert!(turns.enter(&other).is_err());
        assert_eq!(turns.long(), 3);
        drop((first, second));
        assert!(turns.enter(&other).is_ok());
        drop(others);
        assert_eq!((turns.long(), one.lane.long.load(Ordering::SeqCst)), (0, 0));
    }
}
