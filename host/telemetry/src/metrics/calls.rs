//! What became of a tenant's calls, by operation and cause.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, OnceLock};
use std::time::Duration;

use portcullis_docker::operation::OPERATIONS;
use portcullis_model::{Cause, Decision};

use crate::metrics::histogram::{Histogram, OF_CALLS};

/// Of a call that could not be read so far, and of a cause or kind that is not in the tables.
pub const OTHER: &str = "other";

/// Answers with their causes: all pairs that there are.
const OUTCOMES: [(&str, &str); 17] = [
    ("allow", "allowed"),
    ("allow", "default"),
    ("allow", "exempt"),
    ("deny", "denied"),
    ("deny", "fault"),
    ("deny", "unmet"),
    ("deny", "contradiction"),
    ("deny", "default"),
    ("deny", "rule"),
    ("deny", "bad-call"),
    ("deny", "unplaced"),
    ("deny", "overloaded"),
    ("deny", "data"),
    ("deny", "log"),
    ("deny", "internal"),
    ("allow", OTHER),
    ("deny", OTHER),
];

/// Kinds of faults.
const FAULTS: [&str; 15] = [
    "not-loadable",
    "deadline",
    "instructions",
    "memory",
    "tenant-memory",
    "table",
    "stack-overflow",
    "panic",
    "trap",
    "bad-answer",
    "state",
    "request",
    "overloaded",
    "host",
    OTHER,
];

/// The names of the daemon's operations, sorted; each once.
static NAMES: LazyLock<Vec<&str>> = LazyLock::new(|| {
    let mut names: Vec<_> = OPERATIONS.iter().map(|operation| operation.id).collect();
    names.sort_unstable();
    names.dedup();
    names
});

/// What became of calls. No lock; and no allocation but the first time that a tenant's caller uses an operation, for most
/// tenants use few of them.
#[derive(Debug)]
pub struct Calls {
    /// By operation, in the order of [`NAMES`]; the last is [`OTHER`].
    decisions: Box<[OnceLock<Box<Outcomes>>]>,
    faults: [AtomicU64; FAULTS.len()],
    /// Lines of policies that were not written.
    lines_dropped: AtomicU64,
    took: Histogram,
}

type Outcomes = [AtomicU64; OUTCOMES.len()];

/// A decision that is to be counted: places in the tables.
#[derive(Clone, Copy, Debug)]
pub struct Noted {
    operation: usize,
    outcome: usize,
}

/// One pair of an operation and an outcome that came to pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    pub operation: &'static str,
    pub answer: &'static str,
    pub cause: &'static str,
    pub count: u64,
}

impl Default for Calls {
    fn default() -> Self {
        Self {
            decisions: std::iter::repeat_with(OnceLock::new).take(NAMES.len() + 1).collect(),
            faults: Default::default(),
            lines_dropped: AtomicU64::default(),
            took: Histogram::new(OF_CALLS),
        }
    }
}

impl Calls {
    /// Notes what was decided; [`Self::count`] counts it when it has been answered.
    pub fn note(&self, decision: &Decision, operation: Option<&str>) -> Noted {
        for fault in decision.opinions.iter().filter_map(|opinion| opinion.judgement.as_ref().err()) {
            let kind = fault.kind().as_str();
            one(self.faults.get(FAULTS.iter().position(|name| *name == kind).unwrap_or(FAULTS.len() - 1)));
        }
        let operation = operation.and_then(|operation| NAMES.binary_search(&operation).ok());
        let answer = if decision.answer.is_allow() { "allow" } else { "deny" };
        Noted { operation: operation.unwrap_or(NAMES.len()), outcome: outcome(answer, decision.cause.kind()) }
    }

    /// `took` until it was answered.
    pub fn count(&self, noted: Noted, took: Duration) {
        if let Some(outcomes) = self.decisions.get(noted.operation) {
            let outcomes = outcomes.get_or_init(|| Box::new(std::array::from_fn(|_| AtomicU64::default())));
            one(outcomes.get(noted.outcome));
        }
        self.took.observe(took);
    }

    /// Adds lines of policies that were dropped.
    pub fn drop_lines(&self, lines: u32) {
        self.lines_dropped.fetch_add(lines.into(), Ordering::Relaxed);
    }

    /// What came to pass at least once.
    pub fn decisions(&self) -> impl Iterator<Item = Count> {
        let rows = NAMES.iter().copied().chain([OTHER]).zip(&self.decisions);
        let rows = rows.filter_map(|(operation, outcomes)| Some((operation, outcomes.get()?)));
        rows.flat_map(|(operation, outcomes)| {
            OUTCOMES.iter().zip(outcomes.iter()).filter_map(move |((answer, cause), count)| {
                let count = count.load(Ordering::Relaxed);
                (count > 0).then_some(Count { operation, answer, cause, count })
            })
        })
    }

    /// Kinds of faults that came to pass at least once.
    pub fn faults(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let faults = FAULTS.iter().zip(&self.faults).map(|(kind, count)| (*kind, count.load(Ordering::Relaxed)));
        faults.filter(|(_, count)| *count > 0)
    }

    /// Lines of policies that were dropped.
    pub fn lines_dropped(&self) -> u64 {
        self.lines_dropped.load(Ordering::Relaxed)
    }

    /// How long decisions took.
    pub fn took(&self) -> &Histogram {
        &self.took
    }
}

fn one(counter: Option<&AtomicU64>) {
    if let Some(counter) = counter {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// The place in [`OUTCOMES`].
fn outcome(answer: &str, cause: &str) -> usize {
    let pair = |cause| OUTCOMES.iter().position(|outcome| *outcome == (answer, cause));
    pair(cause).or_else(|| pair(OTHER)).unwrap_or_default()
}

// === impl Noted ===

impl Noted {
    /// An allow whose record could not be kept was a denial.
    pub fn overturned(self) -> Self {
        Self { outcome: outcome("deny", Cause::Log.kind()), ..self }
    }
}

#[cfg(test)]
mod tests {
    use portcullis_model::decision::{DefaultVerdict, Mode};
    use portcullis_model::{Fault, Generation};

    use super::*;

    #[test]
    fn what_happens_is_found_under_its_names() {
        let calls = Calls::default();
        let allowed = Decision::combine(Vec::new(), DefaultVerdict::Allow, Mode::Enforce, Generation(1), &|_| None);
        let count = |decision, operation| calls.count(calls.note(decision, operation), Duration::ZERO);
        count(&allowed, Some("ContainerCreate"));
        count(&allowed, Some("ContainerCreate"));
        calls.count(calls.note(&allowed, Some("ContainerCreate")).overturned(), Duration::ZERO);
        let denied = Decision::refuse(Cause::Overloaded, "", Generation(1));
        count(&denied, None);
        count(&denied, Some("NoSuchOperation"));
        let found: Vec<_> = calls.decisions().collect();
        let count = |operation, answer, cause, count| Count { operation, answer, cause, count };
        let expected = [
            count("ContainerCreate", "allow", "default", 2),
            count("ContainerCreate", "deny", "log", 1),
            count(OTHER, "deny", "overloaded", 2),
        ];
        assert_eq!(found, expected);
        assert_eq!(calls.took().read().count, 5);
    }

    #[test]
    fn every_kind_of_fault_and_every_cause_has_a_name_of_its_own() {
        let names = [Fault::StackOverflow, Fault::Trap(String::new()), Fault::Host(String::new())];
        assert!(names.iter().all(|fault| FAULTS.contains(&fault.kind().as_str())));
        for cause in [Cause::Allowed, Cause::Default, Cause::Exempt, Cause::Data, Cause::Internal, Cause::Unplaced] {
            let kind = cause.kind();
            assert!(OUTCOMES.iter().any(|(_, known)| *known == kind), "{kind}");
        }
    }
}
