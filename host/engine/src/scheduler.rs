//! Fair slices: who decides at once runs freely, and who runs long takes turns.
//!
//! ```text
//! long runs of a tenant ──> its queue ──┐
//! long runs of a tenant ──> its queue ──┼─ one of each in turn ──> turns of the host: all cores but one
//! long runs of a tenant ──> its queue ──┘
//! ```
//!
//! A turn is over at the next tick. Tenants take turns with each other, however many guests each runs, and a tenant's
//! guests among themselves; a tenant that is alone has all turns. One core is left for those who decide at once.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::available_parallelism;

use portcullis_model::Fault;
use tokio::sync::oneshot;

use crate::budget::TenantBudget;

/// The turns of the host.
#[derive(Debug)]
pub(crate) struct FairScheduler {
    queue: Mutex<Queue>,
    /// Long runs of all tenants. Each holds an instance of the pool, whether or not it is its turn.
    long: AtomicUsize,
    /// From this many on, nobody has two.
    many: usize,
}

/// Start-time fair queueing: a tenant's place is by the turns that it had, and who comes back after a while begins where
/// the others are by then.
#[derive(Debug)]
struct Queue {
    /// Turns that nobody has.
    free: usize,
    /// Of whom somebody waits: by the turns that the tenant had, and then by who came first.
    tenants: BTreeMap<(u64, u64), Tenant>,
    /// The place of each in `tenants`.
    places: HashMap<usize, (u64, u64)>,
    /// The turns that the tenant had whose turn came last.
    now: u64,
    /// Who came so far.
    came: u64,
}

#[derive(Debug)]
struct Tenant {
    budget: Arc<TenantBudget>,
    waiting: VecDeque<oneshot::Sender<TimeSlice>>,
}

/// Counts a guest among the long runs for as long as this lives.
#[derive(Debug)]
pub(crate) struct Long {
    scheduler: Arc<FairScheduler>,
    budget: Arc<TenantBudget>,
}

/// The right to run until the next tick; whoever waits gets it next.
#[derive(Debug)]
pub(crate) struct TimeSlice(Arc<FairScheduler>);

// === impl FairScheduler ===

impl FairScheduler {
    /// For a pool of so many instances.
    pub(crate) fn new(instances: usize) -> Arc<Self> {
        let cores = available_parallelism().map_or(1, usize::from);
        Arc::new(Self::at_once(cores.saturating_sub(1).max(1), instances))
    }

    fn at_once(free: usize, instances: usize) -> Self {
        let queue = Queue { free, tenants: BTreeMap::new(), places: HashMap::new(), now: 0, came: 0 };
        Self { queue: Mutex::new(queue), long: AtomicUsize::new(0), many: instances / 2 }
    }

    /// A guest begins to run long. Every tenant may have one such run at any time; a second one only while less than
    /// half of the pool is held by them, so that the other half is there for those who decide at once.
    pub(crate) fn enter(self: &Arc<Self>, budget: &Arc<TenantBudget>) -> Result<Long, Fault> {
        // Counted first and judged then: of two that come at the same time, one sees the other. Dropped, it is given back.
        let others = budget.long.fetch_add(1, Ordering::SeqCst);
        let everyones = self.long.fetch_add(1, Ordering::SeqCst);
        let long = Long { scheduler: Arc::clone(self), budget: Arc::clone(budget) };
        if others > 0 && everyones >= self.many {
            return Err(Fault::Overloaded("half of the instances are held by policies that run long".into()));
        }
        Ok(long)
    }

    /// Whether a tenant's next run must wait for a turn before it begins. Tenants that run long, and ask again at once
    /// for whatever they are refused, would otherwise fill the processor with first slices.
    pub(crate) fn suspects(&self, budget: &TenantBudget) -> bool {
        budget.long.load(Ordering::Relaxed) > 0 && self.long() > self.many / 2
    }

    pub(crate) fn long(&self) -> usize {
        self.long.load(Ordering::SeqCst)
    }

    /// Waits for a turn, at the end of the tenant's queue.
    pub(crate) fn turn(self: &Arc<Self>, budget: &Arc<TenantBudget>) -> impl Future<Output = TimeSlice> + Send + use<> {
        let (turns, budget) = (Arc::clone(self), Arc::clone(budget));
        async move {
            let waits = match turns.take(&budget) {
                Ok(turn) => return turn,
                Err(waits) => waits,
            };
            match waits.await {
                Ok(turn) => turn,
                // Nobody lets go of a place in the queue but who waits; were it so, it would be better to run than to hang.
                Err(_) => TimeSlice(turns),
            }
        }
    }

    fn take(self: &Arc<Self>, budget: &Arc<TenantBudget>) -> Result<TimeSlice, oneshot::Receiver<TimeSlice>> {
        let mut queue = self.queue();
        if queue.free > 0 {
            queue.free -= 1;
            queue.count(budget);
            return Ok(TimeSlice(Arc::clone(self)));
        }
        let (sender, receiver) = oneshot::channel();
        queue.push(budget, sender);
        Err(receiver)
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // Nothing panics while it is held.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Queue ===

impl Queue {
    fn push(&mut self, budget: &Arc<TenantBudget>, waiter: oneshot::Sender<TimeSlice>) {
        let id = Arc::as_ptr(budget).addr();
        let waiting = self.places.get(&id).and_then(|place| self.tenants.get_mut(place));
        match waiting {
            Some(tenant) => tenant.waiting.push_back(waiter),
            None => self.enter(Tenant { budget: Arc::clone(budget), waiting: VecDeque::from([waiter]) }),
        }
    }

    /// The next one of the next tenant.
    fn pop(&mut self) -> Option<oneshot::Sender<TimeSlice>> {
        let (_, mut tenant) = self.tenants.pop_first()?;
        self.places.remove(&Arc::as_ptr(&tenant.budget).addr());
        self.count(&tenant.budget);
        let waiter = tenant.waiting.pop_front();
        if !tenant.waiting.is_empty() {
            self.enter(tenant);
        }
        waiter
    }

    fn enter(&mut self, tenant: Tenant) {
        self.came += 1;
        let had = tenant.budget.turns.load(Ordering::Relaxed).max(self.now);
        tenant.budget.turns.store(had, Ordering::Relaxed);
        self.places.insert(Arc::as_ptr(&tenant.budget).addr(), (had, self.came));
        self.tenants.insert((had, self.came), tenant);
    }

    /// A tenant's turn has come.
    fn count(&mut self, budget: &TenantBudget) {
        self.now = budget.turns.load(Ordering::Relaxed).max(self.now);
        budget.turns.store(self.now + 1, Ordering::Relaxed);
    }
}

// === impl TimeSlice ===

impl Drop for TimeSlice {
    fn drop(&mut self) {
        let next = {
            let mut queue = self.0.queue();
            let next = queue.pop();
            if next.is_none() {
                queue.free += 1;
            }
            next
        };
        if let Some(next) = next {
            // Who does not wait any more drops it, and so hands it on.
            let _ = next.send(Self(Arc::clone(&self.0)));
        }
    }
}

// === impl Long ===

impl Drop for Long {
    fn drop(&mut self) {
        self.scheduler.long.fetch_sub(1, Ordering::SeqCst);
        self.budget.long.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Takes turns until all have taken so many, and writes down whose turn it is.
    async fn take_turns(who: &'static str, long: Long, log: Arc<Mutex<Vec<&'static str>>>, end: usize) {
        while log.lock().expect("no panic").len() < end {
            let turn = long.scheduler.turn(&long.budget).await;
            log.lock().expect("no panic").push(who);
            tokio::task::yield_now().await;
            drop(turn);
        }
    }

    #[tokio::test]
    async fn tenants_take_turns_however_many_guests_each_runs() {
        let turns = Arc::new(FairScheduler::at_once(1, 128));
        let (many, one) = (TenantBudget::new(0), TenantBudget::new(0));
        let log = Arc::default();
        let enter = |budget| turns.enter(budget).expect("there is room");
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
        let turns = Arc::new(FairScheduler::at_once(1, 4));
        let (one, other) = (TenantBudget::new(0), TenantBudget::new(0));
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
        assert_eq!((turns.long(), one.long.load(Ordering::SeqCst)), (0, 0));
    }
}
