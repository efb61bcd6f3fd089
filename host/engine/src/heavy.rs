//! Answers that take long to make: made where nobody else waits for the thread, and a few at once.

use std::sync::{Condvar, LazyLock, Mutex, PoisonError};
use std::thread::available_parallelism;

use tokio::runtime::{Handle, RuntimeFlavor};

/// One core is left for what does not take long.
static FEW: LazyLock<Few> = LazyLock::new(|| {
    let cores = available_parallelism().map_or(1, usize::from);
    Few { free: Mutex::new(cores.saturating_sub(1).max(1)), freed: Condvar::new() }
});

struct Few {
    free: Mutex<usize>,
    freed: Condvar,
}

/// The right to work for long; given back when this is dropped.
#[derive(Debug)]
struct HeavyPermit(());

// === impl HeavyPermit ===

impl HeavyPermit {
    /// Waits for one. For threads that may wait.
    fn take() -> Self {
        let mut free = FEW.free.lock().unwrap_or_else(PoisonError::into_inner);
        while *free == 0 {
            free = FEW.freed.wait(free).unwrap_or_else(PoisonError::into_inner);
        }
        *free -= 1;
        Self(())
    }
}

impl Drop for HeavyPermit {
    fn drop(&mut self) {
        *FEW.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        FEW.freed.notify_one();
    }
}

/// Does what takes long, on this thread, while another one does the rest of its work.
pub(crate) fn off_worker<T>(work: impl FnOnce() -> T) -> T {
    let is_worker = Handle::try_current().is_ok_and(|runtime| runtime.runtime_flavor() == RuntimeFlavor::MultiThread);
    if !is_worker {
        return work();
    }
    tokio::task::block_in_place(|| {
        let _turn = HeavyPermit::take();
        work()
    })
}
