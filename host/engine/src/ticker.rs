//! The clock of the sandbox: a thread that moves the epoch on each millisecond, and rests while nobody runs.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Thread;
use std::time::Duration;

use wasmtime::{Engine, EngineWeak};

/// A guest yields, and its deadline is looked at, this often.
pub(crate) const TICK: Duration = Duration::from_millis(1);
/// Ticks without a guest before the thread rests: waking it costs a system call, which a busy host should not pay.
const REST_AFTER: u32 = 100;

pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: Thread,
}

#[derive(Default)]
struct Shared {
    engines: Mutex<Vec<EngineWeak>>,
    running: AtomicUsize,
    resting: AtomicBool,
    stopped: AtomicBool,
}

/// A guest is running for as long as this lives.
pub(crate) struct Running(Arc<Shared>);

// === impl Ticker ===

impl Ticker {
    pub(crate) fn start(engine: &Engine) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        shared.add(engine);
        let seen = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("epoch".into()).spawn(move || seen.tick())?;
        Ok(Self { shared, thread: thread.thread().clone() })
    }

    /// Moves one more engine's epoch on.
    pub(crate) fn add(&self, engine: &Engine) {
        self.shared.add(engine);
    }

    pub(crate) fn running(&self) -> Running {
        self.shared.running.fetch_add(1, Ordering::SeqCst);
        if self.shared.resting.load(Ordering::SeqCst) {
            self.thread.unpark();
        }
        Running(Arc::clone(&self.shared))
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        self.thread.unpark();
    }
}

// === impl Shared ===

impl Shared {
    fn add(&self, engine: &Engine) {
        self.engines.lock().unwrap_or_else(PoisonError::into_inner).push(engine.weak());
    }

    fn tick(&self) {
        let mut idle = 0;
        while !self.stopped.load(Ordering::SeqCst) {
            if self.running.load(Ordering::SeqCst) > 0 {
                idle = 0;
            } else if idle < REST_AFTER {
                idle += 1;
            } else {
                self.rest();
            }
            std::thread::sleep(TICK);
            let engines = self.engines.lock().unwrap_or_else(PoisonError::into_inner);
            engines.iter().filter_map(EngineWeak::upgrade).for_each(|engine| engine.increment_epoch());
        }
    }

    /// `resting` is set before `running` is read, and a guest counts itself before it reads `resting`: one of the two
    /// sees the other, so the thread never sleeps while a guest runs.
    fn rest(&self) {
        self.resting.store(true, Ordering::SeqCst);
        while self.running.load(Ordering::SeqCst) == 0 && !self.stopped.load(Ordering::SeqCst) {
            std::thread::park();
        }
        self.resting.store(false, Ordering::SeqCst);
    }
}

impl std::fmt::Debug for Ticker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ticker").finish_non_exhaustive()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}
