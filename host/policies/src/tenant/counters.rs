//! What became of a tenant's calls: counts, and how long decisions took.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use portcullis_model::{Cause, Decision, Fault, PolicyName};
use portcullis_telemetry::metrics::{Calls, Count};
use serde::{Deserialize, Serialize};

/// Counts decisions; no lock, and no allocation, unless a policy failed.
#[derive(Debug, Default)]
pub struct Counters {
    would_deny: AtomicU64,
    last_fault: Mutex<Option<LastFault>>,
    /// What was answered, by operation and cause, and how long that took.
    calls: Calls,
}

/// The newest fault of a policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastFault {
    pub policy: String,
    pub fault: String,
    /// Unix time in seconds.
    pub at: u64,
}

/// Counters, as read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statistics {
    pub decisions: u64,
    /// Of the decisions.
    pub denials: u64,
    /// Denials because a policy did not answer properly.
    pub faults: u64,
    /// Denials for want of room.
    pub overloads: u64,
    /// Allowed, and denied had everything counted that is only observed.
    pub would_deny: u64,
    /// Half of all decisions took at most this long, in a straight line between the bounds of the histogram.
    pub p50_us: u64,
    pub p99_us: u64,
    pub last_fault: Option<LastFault>,
}

impl Counters {
    /// Notes what the numbers of answers do not tell: a denial that was only observed, and the newest fault.
    pub fn note(&self, decision: &Decision) {
        if decision.would_deny() {
            self.would_deny.fetch_add(1, Ordering::Relaxed);
        }
        if let Cause::Fault { policy, fault } = &decision.cause {
            self.remember(policy, fault);
        }
    }

    pub fn would_deny(&self) -> u64 {
        self.would_deny.load(Ordering::Relaxed)
    }

    /// What was answered.
    pub fn calls(&self) -> &Calls {
        &self.calls
    }

    pub fn read(&self) -> Statistics {
        let counts: Vec<_> = self.calls.decisions().collect();
        let sum = |is_counted: &dyn Fn(&Count) -> bool| {
            counts.iter().filter(|count| is_counted(count)).map(|count| count.count).sum()
        };
        let took = self.calls.took().read();
        Statistics {
            decisions: sum(&|_| true),
            denials: sum(&|count| count.answer == "deny"),
            faults: sum(&|count| count.cause == "fault"),
            overloads: sum(&|count| count.cause == "overloaded"),
            would_deny: self.would_deny(),
            p50_us: took.quantile(50).as_micros().try_into().unwrap_or(u64::MAX),
            p99_us: took.quantile(99).as_micros().try_into().unwrap_or(u64::MAX),
            last_fault: self.last_fault.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    fn remember(&self, policy: &PolicyName, fault: &Fault) {
        let at = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let last = LastFault { policy: policy.to_string(), fault: fault.to_string(), at };
        *self.last_fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(last);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use portcullis_model::decision::{DefaultVerdict, Mode};

    use super::*;

    #[test]
    fn what_is_read_is_what_was_counted() {
        let counters = Counters::default();
        assert_eq!(counters.read(), Statistics::default());
        let count = |decision: &Decision, took| {
            counters.note(decision);
            counters.calls().count(counters.calls().note(decision, None), Duration::from_micros(took));
        };
        let allowed =
            Decision::combine(Vec::new(), DefaultVerdict::Allow, Mode::Enforce, Default::default(), &|_| None);
        (0..97).for_each(|_| count(&allowed, 100));
        count(&Decision::combine(Vec::new(), DefaultVerdict::Deny, Mode::Observe, Default::default(), &|_| None), 100);
        let denied = Decision::refuse(Cause::Overloaded, "", Default::default());
        (0..2).for_each(|_| count(&denied, 20_000));
        let read = counters.read();
        assert_eq!((read.decisions, read.denials, read.faults, read.overloads), (100, 2, 0, 2));
        assert_eq!(read.would_deny, 1);
        assert!((50..=100).contains(&read.p50_us), "{read:?}");
        assert!((10_000..=25_000).contains(&read.p99_us), "{read:?}");
    }
}
