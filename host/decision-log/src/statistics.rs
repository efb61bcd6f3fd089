//! What became of records, and which sinks fail.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A sink that takes longer than this to write does not answer.
const WRITTEN_WITHIN: Duration = Duration::from_secs(5);

/// What became of records.
#[derive(Debug, Default)]
pub struct Statistics {
    /// By each sink.
    pub written: AtomicU64,
    /// Records that a sink has not, because the queue was full or it failed.
    pub lost: AtomicU64,
    /// Calls that were denied because their record could not be kept.
    pub refused: AtomicU64,
    /// Lost in the queue, and not told yet.
    pub(crate) dropped: AtomicU64,
    /// By sink, why it fails now.
    pub(crate) problems: Mutex<BTreeMap<&'static str, String>>,
    /// The sink that is being written to, and since when.
    pub(crate) busy: Mutex<Option<(&'static str, Instant)>>,
}

/// Says that a sink is being written to for as long as this lives.
pub(crate) struct Busy<'a>(&'a Statistics);

// === impl Statistics ===

impl Statistics {
    pub(crate) fn problems(&self) -> BTreeMap<&'static str, String> {
        let mut problems = self.problems.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let busy = *self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((sink, since)) = busy.filter(|(_, since)| since.elapsed() > WRITTEN_WITHIN) {
            let seconds = since.elapsed().as_secs();
            problems.insert(sink, format!("it has been written to for {seconds} s: its file system does not answer"));
        }
        problems
    }

    /// To be held while a sink is written to.
    pub(crate) fn busy(&self, sink: &'static str) -> Busy<'_> {
        *self.busy.lock().unwrap_or_else(PoisonError::into_inner) = Some((sink, Instant::now()));
        Busy(self)
    }

    pub(crate) fn set_problem(&self, sink: &'static str, problem: Option<String>) {
        let mut problems = self.problems.lock().unwrap_or_else(PoisonError::into_inner);
        match problem {
            Some(problem) => drop(problems.insert(sink, problem)),
            None => drop(problems.remove(sink)),
        }
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        *self.0.busy.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
