//! How long a file system has not answered the thread that asks it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// One thread asks, and others see for how long. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Pulse(Arc<AtomicU64>);

// === impl Pulse ===

impl Pulse {
    /// Asks for one thing that is soon done, unless the file system hangs.
    pub fn during<T>(&self, ask: impl FnOnce() -> T) -> T {
        let outer = self.0.swap(now(), Ordering::Relaxed);
        let answer = ask();
        // What was asked around this has moved on.
        self.0.store(if outer == 0 { 0 } else { now() }, Ordering::Relaxed);
        answer
    }

    /// How long it has been waited for what is asked now; no time where nothing is.
    pub fn waits(&self) -> Duration {
        match self.0.load(Ordering::Relaxed) {
            0 => Duration::ZERO,
            since => Duration::from_millis(now().saturating_sub(since)),
        }
    }
}

/// In milliseconds, and never 0.
fn now() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let since = START.get_or_init(Instant::now).elapsed().as_millis();
    u64::try_from(since).unwrap_or(u64::MAX).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn only_what_is_asked_and_not_answered_waits() {
        let pulse = Pulse::default();
        let (answer, answered) = channel::<()>();
        let asking = pulse.clone();
        let thread = std::thread::spawn(move || asking.during(|| answered.recv().is_ok()));
        while pulse.waits() < Duration::from_millis(20) {
            std::thread::yield_now();
        }
        answer.send(()).expect("somebody asks");
        assert!(thread.join().expect("no panic"));
        assert_eq!(pulse.waits(), Duration::ZERO);
        pulse.during(|| {
            while pulse.waits() < Duration::from_millis(20) {}
            pulse.during(|| {});
            assert!(pulse.waits() < Duration::from_millis(20), "the piece in it was answered");
        });
        assert_eq!(pulse.waits(), Duration::ZERO);
    }
}
