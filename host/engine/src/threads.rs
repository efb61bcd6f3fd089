//! Threads for work that nobody who answers calls may wait for: a bounded number, on which all who have such work take turns.
//!
//! ```text
//! work of one  ──> its queue ──┐
//! work of one  ──> its queue ──┼─ one of each in turn ──> at most so many threads
//! work of one  ──> its queue ──┘
//! ```
//!
//! A thread of low priority that is interrupted while it has a lock keeps those waiting who have none. The queue's lock is held for a
//! few instructions, and work takes no lock that is taken where calls are answered; what it makes is dropped here, too, if it is
//! large, so that its memory is given back to the allocator where it came from.

use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio::time::timeout_at;
use tracing::error;

/// A thread without work ends after this.
const IDLE: Duration = Duration::from_secs(10);
/// Of threads that leave the processor to those who answer calls. Linux has one for each thread.
const NICE: i32 = 10;

/// For reading large calls, making their views, and dropping them: all cores but one.
pub static LARGE_CALLS: LazyLock<Arc<Threads>> = LazyLock::new(|| {
    let cores = available_parallelism().map_or(1, usize::from);
    Threads::new("large", cores.saturating_sub(1).max(1), true)
});

/// For answers to the operator that can be large, and for letting go of what is not active any more.
pub static LARGE_ANSWERS: LazyLock<Arc<Threads>> = LazyLock::new(|| Threads::new("answers", 2, true));

type Work = Box<dyn FnOnce() + Send>;

/// A bounded number of threads, which are started when they are needed.
#[derive(Debug)]
pub struct Threads {
    name: &'static str,
    most: usize,
    /// Whether they leave the processor to others.
    is_nice: bool,
    queue: Mutex<Queue>,
    work: Condvar,
}

#[derive(Default)]
struct Queue {
    /// Of whom something waits.
    waiting: HashMap<Arc<str>, VecDeque<Work>>,
    /// Whose turn is next.
    turns: VecDeque<Arc<str>>,
    /// How much waits.
    ready: usize,
    threads: usize,
    /// Threads that wait for work, those that were just woken among them.
    idle: usize,
}

/// Why work was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undone {
    /// It panicked.
    Lost,
    /// It took too long, or had to wait too long.
    Late,
}

// === impl Threads ===

impl Threads {
    pub fn new(name: &'static str, most: usize, is_nice: bool) -> Arc<Self> {
        Arc::new(Self { name, most, is_nice, queue: Mutex::default(), work: Condvar::new() })
    }

    /// Has work done, and waits for it until then.
    pub async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        whose: &str,
        until: Instant,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Undone> {
        timeout_at(until.into(), self.finish(whose, work)).await.unwrap_or(Err(Undone::Late))
    }

    /// Has work done, and waits for it. What nobody waits for any more is not begun.
    pub async fn finish<T: Send + 'static>(
        self: &Arc<Self>,
        whose: &str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Undone> {
        let (answer, answered) = oneshot::channel();
        self.submit(
            whose,
            Box::new(move || {
                if !answer.is_closed() {
                    // An error means that nobody waits any more.
                    let _ = answer.send(work());
                }
            }),
        );
        answered.await.map_err(|_| Undone::Lost)
    }

    /// Has something dropped that takes long to.
    pub fn discard<T: Send + 'static>(self: &Arc<Self>, whose: &str, what: T) {
        self.submit(whose, Box::new(move || drop(what)));
    }

    fn submit(self: &Arc<Self>, whose: &str, work: Work) {
        let whose: Arc<str> = whose.into();
        let mut queue = self.queue();
        queue.push(whose, work);
        let needs_thread = queue.ready > queue.idle && queue.threads < self.most;
        queue.threads += usize::from(needs_thread);
        drop(queue);
        if needs_thread {
            self.add_thread();
        } else {
            self.work.notify_one();
        }
    }

    /// A thread that has been counted already. Without one, others do the work, or nobody does in time.
    fn add_thread(self: &Arc<Self>) {
        let threads = Arc::clone(self);
        let spawned = std::thread::Builder::new().name(self.name.into()).spawn(move || {
            if threads.is_nice {
                // It works all the same.
                let _ = rustix::process::nice(NICE);
            }
            while let Some(work) = threads.next() {
                if catch_unwind(AssertUnwindSafe(work)).is_err() {
                    error!(thread = threads.name, "the host panicked; whoever waits for this is told so");
                }
            }
        });
        if let Err(error) = spawned {
            self.queue().threads -= 1;
            error!(%error, thread = self.name, "there is no thread for this work; it waits for another one");
        }
    }

    /// Waits for the next work; `None` ends the thread.
    fn next(&self) -> Option<Work> {
        let mut queue = self.queue();
        loop {
            if let Some(work) = queue.pop() {
                return Some(work);
            }
            queue.idle += 1;
            let waited = self.work.wait_timeout(queue, IDLE);
            let (woken, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            queue = woken;
            queue.idle -= 1;
            if timeout.timed_out() && queue.turns.is_empty() {
                queue.threads -= 1;
                return None;
            }
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // Nothing panics while it is held.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Queue ===

impl Queue {
    fn push(&mut self, whose: Arc<str>, work: Work) {
        let waiting = self.waiting.entry(Arc::clone(&whose)).or_default();
        if waiting.is_empty() {
            self.turns.push_back(whose);
        }
        waiting.push_back(work);
        self.ready += 1;
    }

    /// The next of who is next.
    fn pop(&mut self) -> Option<Work> {
        let whose = self.turns.pop_front()?;
        let waiting = self.waiting.get_mut(&whose)?;
        let work = waiting.pop_front();
        if waiting.is_empty() {
            self.waiting.remove(&whose);
        } else {
            self.turns.push_back(whose);
        }
        self.ready -= 1;
        work
    }
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { turns, threads, idle, .. } = self;
        f.debug_struct("Queue").field("turns", turns).field("threads", threads).field("idle", idle).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    /// The only thread is busy until what is given is dropped.
    fn busy(threads: &Arc<Threads>) -> mpsc::Sender<()> {
        let (release, wait) = mpsc::channel();
        let (begun, begins) = mpsc::channel();
        threads.submit(
            "busy",
            Box::new(move || {
                begun.send(()).expect("the test waits");
                // An error is what is waited for.
                let _: Result<(), _> = wait.recv();
            }),
        );
        begins.recv().expect("it begins");
        release
    }

    #[tokio::test]
    async fn all_take_turns_however_much_each_wants() {
        let threads = Threads::new("test", 1, true);
        let release = busy(&threads);
        let (log, order) = mpsc::channel();
        for (whose, count) in [("many", 100), ("one", 1), ("two", 2)] {
            for _ in 0..count {
                let log = log.clone();
                threads.submit(whose, Box::new(move || log.send(whose).expect("the test waits")));
            }
        }
        drop((release, log));
        let order: Vec<_> = order.iter().collect();
        assert_eq!(order[..5], ["many", "one", "two", "many", "two"]);
        assert_eq!(order.len(), 103);
    }

    #[tokio::test]
    async fn who_waits_too_long_is_told_and_the_work_is_not_begun() {
        let threads = Threads::new("test", 1, false);
        let release = busy(&threads);
        let (begun, begins) = mpsc::channel();
        let late = threads.run("a", Instant::now(), move || begun.send(()).expect("the test waits")).await;
        assert_eq!(late, Err(Undone::Late));
        drop(release);
        assert_eq!(threads.run("a", soon(), || 1).await, Ok(1));
        assert!(begins.recv().is_err(), "it was dropped");
    }

    #[tokio::test]
    async fn a_panic_is_told_and_ends_no_thread() {
        let threads = Threads::new("test", 1, false);
        let lost = threads.run("a", soon(), || panic!("expected: a test of panics")).await;
        assert_eq!(lost, Err::<(), _>(Undone::Lost));
        assert_eq!(threads.run("a", soon(), || 1).await, Ok(1));
        assert_eq!(threads.queue().threads, 1);
    }

    #[tokio::test]
    async fn what_is_large_leaves_the_processor_to_others() {
        let nice = LARGE_CALLS.run("a", soon(), || rustix::process::getpriority_process(None)).await;
        assert_eq!(nice, Ok(Ok(NICE)));
    }
}
