//! The threads that ask file systems, and who may use how many of them.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use portcullis_docker::Resolved;
use portcullis_model::TenantName;
use tokio::sync::oneshot;

use super::Paths;

/// Threads in sum. Each that is stuck is one that the others do not have.
const THREADS: usize = 64;
/// Threads of one tenant: the more a file system that does not answer can hold.
const OF_ONE_TENANT: usize = 4;
/// Calls that wait for a thread. Tenants' own bounds are far smaller.
const WAITING: usize = 4096;
/// How many places the paths of one call may lead through: a hundred binds have about a thousand.
const STEPS: usize = 16 << 10;
/// A thread without work ends after this.
const IDLE: Duration = Duration::from_secs(10);
/// A walk needs few kilobytes.
const STACK: usize = 256 << 10;

/// Follows one path; asks before each step whether it may take it.
type Follow = Box<dyn Fn(&Path, &mut dyn FnMut(&Path) -> bool) -> Option<Resolved> + Send + Sync>;

/// Looks paths up on a bounded number of threads, which it starts when they are needed.
pub(super) struct Pool {
    queue: Mutex<Queue>,
    work: Condvar,
    /// After which nobody waits for an answer any more.
    deadline: Duration,
    follow: Follow,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Task>,
    running: HashMap<u64, Run>,
    threads: usize,
    last: u64,
}

/// The paths of one call.
struct Task {
    tenant: TenantName,
    paths: Vec<String>,
    until: Instant,
    answer: oneshot::Sender<Paths>,
}

/// A task that a thread works on.
struct Run {
    tenant: TenantName,
    until: Instant,
    /// What the file system is asked about now.
    at: Arc<Mutex<PathBuf>>,
}

/// A run, as its thread knows it.
struct Started {
    number: u64,
    at: Arc<Mutex<PathBuf>>,
    /// Where others are stuck: nobody follows them there.
    stuck: Vec<PathBuf>,
}

/// A lookup that does not come back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck {
    pub tenant: TenantName,
    pub path: PathBuf,
    /// For how long it should have been answered.
    pub late: Duration,
}

// === impl Pool ===

impl Pool {
    pub(super) fn start(deadline: Duration, follow: Follow) -> Arc<Self> {
        Arc::new(Self { queue: Mutex::default(), work: Condvar::new(), deadline, follow })
    }

    /// Has paths looked up; `None` where no thread could do it in time.
    pub(super) fn submit(
        self: &Arc<Self>,
        tenant: &TenantName,
        paths: Vec<String>,
    ) -> Option<oneshot::Receiver<Paths>> {
        let (answer, receiver) = oneshot::channel();
        let now = Instant::now();
        let mut queue = self.queue();
        queue.waiting.retain(|task| !task.answer.is_closed());
        let is_late = |run: &&Run| run.until <= now;
        let of_tenant = queue.running.values().filter(is_late).filter(|run| run.tenant == *tenant).count();
        let of_all = queue.running.values().filter(is_late).count();
        if of_tenant >= OF_ONE_TENANT || of_all >= THREADS || queue.waiting.len() >= WAITING {
            return None;
        }
        queue.waiting.push_back(Task { tenant: tenant.clone(), paths, until: now + self.deadline, answer });
        // Threads that just start take a task, too.
        let free = queue.threads.saturating_sub(queue.running.len());
        let needs_thread = queue.threads < THREADS && free < queue.ready();
        queue.threads += usize::from(needs_thread);
        drop(queue);
        if needs_thread {
            self.add_thread();
        } else {
            self.work.notify_one();
        }
        Some(receiver)
    }

    pub(super) fn stuck(&self) -> Vec<Stuck> {
        let now = Instant::now();
        let queue = self.queue();
        let late = queue.running.values().filter(|run| run.until <= now);
        let mut stuck: Vec<_> = late
            .map(|run| Stuck { tenant: run.tenant.clone(), path: lock(&run.at).clone(), late: now - run.until })
            .collect();
        stuck.sort_by(|a, b| (&a.tenant, &a.path).cmp(&(&b.tenant, &b.path)));
        stuck
    }

    /// A thread that has been counted already. Without one, others do the work, or nobody does in time.
    fn add_thread(self: &Arc<Self>) {
        let pool = Arc::clone(self);
        let thread = std::thread::Builder::new().name("paths".into()).stack_size(STACK);
        if let Err(error) = thread.spawn(move || pool.work()) {
            self.queue().threads -= 1;
            tracing::error!(%error, "no thread to look up where mounts lead");
        }
    }

    fn work(&self) {
        while let Some((task, run)) = self.next() {
            let paths = self.look_up(&task, &run);
            self.queue().running.remove(&run.number);
            // An error means that nobody waits any more.
            let _ = task.answer.send(paths);
        }
    }

    /// Waits for the next task; `None` ends the thread.
    fn next(&self) -> Option<(Task, Started)> {
        let mut queue = self.queue();
        loop {
            if let Some(next) = queue.take() {
                return Some(next);
            }
            let waited = self.work.wait_timeout(queue, IDLE);
            let (woken, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            queue = woken;
            if timeout.timed_out() && queue.waiting.is_empty() {
                queue.threads -= 1;
                return None;
            }
        }
    }

    fn look_up(&self, task: &Task, run: &Started) -> Paths {
        let mut steps = 0;
        let mut may_ask = |place: &Path| {
            steps += 1;
            if steps > STEPS || task.answer.is_closed() || run.stuck.iter().any(|stuck| place.starts_with(stuck)) {
                return false;
            }
            place.clone_into(&mut lock(&run.at));
            true
        };
        let mut paths = HashMap::with_capacity(task.paths.len());
        for path in &task.paths {
            if !paths.contains_key(path) {
                // A panic is not to take the thread with it.
                let found = catch_unwind(AssertUnwindSafe(|| (self.follow)(Path::new(path), &mut may_ask)));
                paths.insert(path.clone(), found.unwrap_or_default());
            }
        }
        Paths(paths)
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        lock(&self.queue)
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}

/// Nothing panics while one of these locks is held.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

// === impl Stuck ===

impl Stuck {
    /// For the operator.
    pub fn problem(&self) -> String {
        let late = self.late.as_secs();
        format!(
            "its file system does not answer: a lookup is {late} s late; calls that mount from there get `resolved: none`"
        )
    }
}

// === impl Queue ===

impl Queue {
    /// Whether a tenant may have one thread more.
    fn may_run(&self, tenant: &TenantName) -> bool {
        self.running.values().filter(|run| run.tenant == *tenant).count() < OF_ONE_TENANT
    }

    /// How many tasks may run now.
    fn ready(&self) -> usize {
        let mut of_tenant: HashMap<&TenantName, usize> = HashMap::new();
        for run in self.running.values() {
            *of_tenant.entry(&run.tenant).or_default() += 1;
        }
        let mut ready = 0;
        for task in &self.waiting {
            let threads = of_tenant.entry(&task.tenant).or_default();
            *threads += 1;
            ready += usize::from(*threads <= OF_ONE_TENANT);
        }
        ready
    }

    /// The first task that may run, if somebody still waits for it.
    fn take(&mut self) -> Option<(Task, Started)> {
        self.waiting.retain(|task| !task.answer.is_closed());
        let next = self.waiting.iter().position(|task| self.may_run(&task.tenant))?;
        let task = self.waiting.remove(next)?;
        let now = Instant::now();
        let late = self.running.values().filter(|run| run.until <= now);
        let stuck = late.map(|run| lock(&run.at).clone()).filter(|at| at.parent().is_some()).collect();
        let at = Arc::default();
        self.last += 1;
        self.running.insert(self.last, Run { tenant: task.tenant.clone(), until: task.until, at: Arc::clone(&at) });
        Some((task, Started { number: self.last, at, stuck }))
    }
}

#[cfg(test)]
mod tests;
