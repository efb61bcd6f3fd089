//! What must be undone, whichever way the run ends: by drop, by a panic that unwinds, by SIGINT, SIGTERM or SIGHUP.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use tokio::signal::unix::{SignalKind, signal};

use crate::error::Result;

type Action = Box<dyn FnOnce() + Send>;

static PENDING: Mutex<Vec<(u64, Action)>> = Mutex::new(Vec::new());

/// Runs its action once: when it is dropped, or when the run is interrupted.
#[derive(Debug)]
pub struct Cleanup(u64);

impl Cleanup {
    /// Makes something, with the action that undoes it. An interruption comes before or after that, never between.
    pub fn of<T, F: FnOnce() + Send + 'static>(make: impl FnOnce() -> Result<(T, F)>) -> Result<(T, Self)> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        static WATCH: Once = Once::new();
        WATCH.call_once(|| {
            std::thread::spawn(watch_signals);
        });
        let mut pending = pending();
        let (made, action) = make()?;
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        pending.push((id, Box::new(action)));
        Ok((made, Self(id)))
    }
}

impl Drop for Cleanup {
    fn drop(&mut self) {
        let mut pending = pending();
        if let Some(at) = pending.iter().position(|(id, _)| *id == self.0) {
            let (_, action) = pending.remove(at);
            action();
        }
    }
}

/// Held while something is made or undone; once the run is interrupted, for good.
fn pending() -> MutexGuard<'static, Vec<(u64, Action)>> {
    PENDING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Undoes everything, the newest first, and ends the program as the signal would have.
fn watch_signals() {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
    let Some(number) = runtime.block_on(next_signal()) else { return };
    let mut pending = pending();
    eprintln!("\ninterrupted: cleaning up");
    while let Some((_, action)) = pending.pop() {
        action();
    }
    std::process::exit(128 + number);
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
