//! What must be undone, whichever way the run ends: by drop, by a panic that unwinds, by SIGINT, SIGTERM or SIGHUP.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use tokio::signal::unix::{SignalKind, signal};

use crate::error::Result;

type Action = Box<dyn FnOnce() + Send>;

static PENDING: Mutex<Vec<(u64, Action)>> = Mutex::new(Vec::new());
/// Held while something is made or undone; once the run is interrupted, for good.
static AT_WORK: Mutex<()> = Mutex::new(());

/// Runs its action once: when it is dropped, or when the run is interrupted.
#[derive(Debug)]
pub struct Cleanup(u64);

impl Cleanup {
    pub fn new(action: impl FnOnce() + Send + 'static) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        static WATCH: Once = Once::new();
        WATCH.call_once(|| {
            std::thread::spawn(watch_signals);
        });
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        pending().push((id, Box::new(action)));
        Self(id)
    }

    /// Makes something, with the action that undoes it. An interruption comes before or after that, never between.
    pub fn of<T, F: FnOnce() + Send + 'static>(make: impl FnOnce() -> Result<(T, F)>) -> Result<(T, Self)> {
        uninterrupted(|| {
            let (made, action) = make()?;
            Ok((made, Self::new(action)))
        })
    }
}

impl Drop for Cleanup {
    fn drop(&mut self) {
        uninterrupted(|| {
            let action = {
                let mut pending = pending();
                pending.iter().position(|(id, _)| *id == self.0).map(|at| pending.remove(at).1)
            };
            if let Some(action) = action {
                action();
            }
        });
    }
}

fn pending() -> MutexGuard<'static, Vec<(u64, Action)>> {
    PENDING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Does something that an interruption waits for, and that does not begin after one. What is done may do so itself.
fn uninterrupted<T>(work: impl FnOnce() -> T) -> T {
    thread_local!(static INSIDE: Cell<bool> = const { Cell::new(false) });
    struct Leave;
    impl Drop for Leave {
        fn drop(&mut self) {
            INSIDE.set(false);
        }
    }
    if INSIDE.replace(true) {
        return work();
    }
    let _leave = Leave;
    let _held = AT_WORK.lock().unwrap_or_else(PoisonError::into_inner);
    work()
}

/// Undoes everything, the newest first, and ends the program as the signal would have.
fn watch_signals() {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
    let Some(number) = runtime.block_on(next_signal()) else { return };
    eprintln!("\ninterrupted: cleaning up");
    uninterrupted(|| {
        while let Some((_, action)) = { pending().pop() } {
            action();
        }
        std::process::exit(128 + number);
    })
}

async fn next_signal() -> Option<i32> {
    let mut interrupt = signal(SignalKind::interrupt()).ok()?;
    let mut terminate = signal(SignalKind::terminate()).ok()?;
    let mut hangup = signal(SignalKind::hangup()).ok()?;
    tokio::select! {
        _ = interrupt.recv() => Some(2),
        _ = terminate.recv() => Some(15),
        _ = hangup.recv() => Some(1),
    }
}
