//! Lets so many in at once, and the others in the order in which they came.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// A gate with so many places behind it.
#[derive(Debug)]
pub(super) struct Gate {
    places: u64,
    counts: Mutex<Counts>,
    left: Condvar,
}

#[derive(Debug, Default)]
struct Counts {
    came: u64,
    left: u64,
}

/// A place, for as long as this lives.
#[derive(Debug)]
pub(super) struct Permit<'g>(&'g Gate);

// === impl Gate ===

impl Gate {
    pub(super) fn new(places: usize) -> Self {
        Self { places: places as u64, counts: Mutex::default(), left: Condvar::new() }
    }

    pub(super) fn enter(&self) -> Permit<'_> {
        let mut counts = self.lock();
        let number = counts.came;
        counts.came += 1;
        while number >= counts.left + self.places {
            counts = self.left.wait(counts).unwrap_or_else(PoisonError::into_inner);
        }
        Permit(self)
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Permit ===

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.0.lock().left += 1;
        self.0.left.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    #[test]
    fn one_more_than_there_are_places_waits_until_somebody_leaves() {
        let gate = Gate::new(2);
        let (first, second) = (gate.enter(), gate.enter());
        let (entered, message) = mpsc::channel();
        thread::scope(|scope| {
            scope.spawn(|| {
                let _third = gate.enter();
                entered.send(()).expect("somebody listens");
            });
            while gate.lock().came < 3 {
                thread::yield_now();
            }
            assert!(message.try_recv().is_err(), "two places are two places");
            drop(second);
            message.recv().expect("it enters");
        });
        drop(first);
        assert_eq!(gate.lock().left, 3);
    }
}
