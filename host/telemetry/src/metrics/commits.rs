//! What became of changes to the store.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::metrics::histogram::{Histogram, OF_WORK};

/// Transactions of the store, since it was opened.
#[derive(Debug)]
pub struct Commits {
    done: AtomicU64,
    failed: AtomicU64,
    /// Changes in those that were done.
    changes: AtomicU64,
    /// From the first change to the disk's answer, which is nearly all of it.
    took: Histogram,
    /// Why the last one failed, and whether for want of room; none where it did not.
    problem: Mutex<Option<(String, bool)>>,
}

impl Default for Commits {
    fn default() -> Self {
        let took = Histogram::new(OF_WORK);
        let (done, failed, changes) = (AtomicU64::default(), AtomicU64::default(), AtomicU64::default());
        Self { done, failed, changes, took, problem: Mutex::default() }
    }
}

impl Commits {
    /// Adds one transaction, with the number of its changes.
    pub fn count(&self, done: bool, changes: usize, took: Duration) {
        self.took.observe(took);
        if done {
            self.done.fetch_add(1, Ordering::Relaxed);
            self.changes.fetch_add(changes as u64, Ordering::Relaxed);
        } else {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What is wrong with the disk, as the last transaction found it.
    pub fn set_problem(&self, problem: Option<(String, bool)>) {
        *self.problem.lock().unwrap_or_else(PoisonError::into_inner) = problem;
    }

    /// Why the last transaction failed; `None` if it did not.
    pub fn problem(&self) -> Option<String> {
        let problem = self.problem.lock().unwrap_or_else(PoisonError::into_inner);
        problem.as_ref().map(|(problem, _)| problem.clone())
    }

    /// The disk has room again: whether the next transaction is done, only that can tell.
    pub fn has_room(&self) {
        self.problem.lock().unwrap_or_else(PoisonError::into_inner).take_if(|(_, is_full)| *is_full);
    }

    /// Transactions that are on the disk.
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Transactions that failed.
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Changes of all transactions that are on the disk.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Relaxed)
    }

    /// How long transactions took.
    pub fn took(&self) -> &Histogram {
        &self.took
    }
}
