//! What became of changes to the store.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::metrics::histogram::{Histogram, OF_WORK};

/// Transactions of the store, since it was opened.
#[derive(Debug)]
pub(crate) struct Commits {
    done: AtomicU64,
    failed: AtomicU64,
    /// Changes in those that were done.
    changes: AtomicU64,
    /// From the first change to the disk's answer, which is nearly all of it.
    took: Histogram,
}

impl Default for Commits {
    fn default() -> Self {
        let took = Histogram::new(OF_WORK);
        Self { done: AtomicU64::default(), failed: AtomicU64::default(), changes: AtomicU64::default(), took }
    }
}

impl Commits {
    pub(crate) fn count(&self, done: bool, changes: usize, took: Duration) {
        self.took.observe(took);
        if done {
            self.done.fetch_add(1, Ordering::Relaxed);
            self.changes.fetch_add(changes as u64, Ordering::Relaxed);
        } else {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    pub(crate) fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    pub(crate) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Relaxed)
    }

    pub(crate) fn took(&self) -> &Histogram {
        &self.took
    }
}
