//! What became of a tenant's calls: counts, and how long decisions took.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use portcullis_model::{Cause, Decision, Fault, PolicyName};
use portcullis_telemetry::metrics::Calls;
use serde::{Deserialize, Serialize};

/// Buckets for each doubling of the time: a quantile is exact to about 9 %.
const PER_OCTAVE: usize = 8;
const OCTAVES: usize = 27;
const BUCKETS: usize = PER_OCTAVE * OCTAVES;

/// Counts decisions; no lock, and no allocation, unless a policy failed.
#[derive(Debug)]
pub struct Counters {
    decisions: AtomicU64,
    denials: AtomicU64,
    faults: AtomicU64,
    overloads: AtomicU64,
    would_deny: AtomicU64,
    /// In microseconds: bucket `8 o + s` counts what took from `2^o (1 + s/8)` on.
    times: [AtomicU64; BUCKETS],
    last_fault: Mutex<Option<LastFault>>,
    /// The same by operation and cause, for metrics.
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

/// A counters, read.
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
    /// Half of all decisions took at most this long.
    pub p50_us: u64,
    pub p99_us: u64,
    pub last_fault: Option<LastFault>,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            decisions: AtomicU64::default(),
            denials: AtomicU64::default(),
            faults: AtomicU64::default(),
            overloads: AtomicU64::default(),
            would_deny: AtomicU64::default(),
            times: std::array::from_fn(|_| AtomicU64::default()),
            last_fault: Mutex::default(),
            calls: Calls::default(),
        }
    }
}

impl Counters {
    pub fn count(&self, decision: &Decision, took: Duration) {
        let one = |counter: &AtomicU64| counter.fetch_add(1, Ordering::Relaxed);
        one(&self.decisions);
        if !decision.answer.is_allow() {
            one(&self.denials);
        }
        if decision.would_deny() {
            one(&self.would_deny);
        }
        match &decision.cause {
            Cause::Fault { policy, fault } => {
                one(&self.faults);
                self.remember(policy, fault);
            }
            Cause::Overloaded => drop(one(&self.overloads)),
            Cause::Allowed
            | Cause::Denied { .. }
            | Cause::Default
            | Cause::Exempt
            | Cause::Rule(_)
            | Cause::BadCall
            | Cause::Unplaced
            | Cause::Data
            | Cause::Log
            | Cause::Internal => {}
        }
        if let Some(bucket) = self.times.get(bucket(took)) {
            one(bucket);
        }
    }

    /// A decision that was counted as allowed is denied after all.
    pub fn overturn(&self) {
        self.denials.fetch_add(1, Ordering::Relaxed);
    }

    /// Calls that were allowed, and denied had everything counted that is only observed.
    pub fn would_deny(&self) -> u64 {
        self.would_deny.load(Ordering::Relaxed)
    }

    /// The same by operation and cause.
    pub fn calls(&self) -> &Calls {
        &self.calls
    }

    pub fn read(&self) -> Statistics {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let times: Vec<_> = self.times.iter().map(read).collect();
        Statistics {
            decisions: read(&self.decisions),
            denials: read(&self.denials),
            faults: read(&self.faults),
            overloads: read(&self.overloads),
            would_deny: read(&self.would_deny),
            p50_us: quantile(&times, 50),
            p99_us: quantile(&times, 99),
            last_fault: self.last_fault.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    fn remember(&self, policy: &PolicyName, fault: &Fault) {
        let at = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let last = LastFault { policy: policy.to_string(), fault: fault.to_string(), at };
        *self.last_fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(last);
    }
}

fn bucket(took: Duration) -> usize {
    let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1);
    let octave = micros.ilog2() as usize;
    // The three bits after the first.
    let step = if octave >= 3 { micros >> (octave - 3) } else { micros << (3 - octave) } as usize;
    (octave * PER_OCTAVE + step % PER_OCTAVE).min(BUCKETS - 1)
}

/// Where a bucket ends, in microseconds.
fn end(bucket: usize) -> u64 {
    let (octave, step) = (bucket / PER_OCTAVE, (bucket % PER_OCTAVE) as u64);
    let width = 1_u64 << octave;
    (width + (width * (step + 1)).div_ceil(PER_OCTAVE as u64)).saturating_sub(1).max(1)
}

fn quantile(times: &[u64], percent: u64) -> u64 {
    let total: u64 = times.iter().sum();
    let rank = (total * percent).div_ceil(100);
    let mut seen = 0;
    let found = times.iter().position(|count| {
        seen += count;
        seen >= rank && total > 0
    });
    found.map_or(0, end)
}

#[cfg(test)]
mod tests {
    use portcullis_model::decision::Mode;

    use super::*;

    #[test]
    fn a_time_lies_in_its_bucket() {
        for micros in (1..5000).chain([10_000, 1_000_000, 60_000_000, u64::MAX]) {
            let bucket = bucket(Duration::from_micros(micros));
            if bucket < BUCKETS - 1 {
                assert!(micros <= end(bucket), "{micros}");
                assert!(bucket == 0 || end(bucket - 1) <= micros, "{micros}");
                assert!(end(bucket) as f64 <= micros as f64 * 1.13 + 1.0, "{micros}: {}", end(bucket));
            }
        }
    }

    #[test]
    fn quantiles() {
        let counters = Counters::default();
        assert_eq!(counters.read(), Statistics::default());
        let allow = portcullis_model::decision::DefaultVerdict::Allow;
        let allowed = Decision::combine(Vec::new(), allow, Mode::Enforce, Default::default());
        for _ in 0..97 {
            counters.count(&allowed, Duration::from_micros(100));
        }
        let deny = portcullis_model::decision::DefaultVerdict::Deny;
        let observed = Decision::combine(Vec::new(), deny, Mode::Observe, Default::default());
        counters.count(&observed, Duration::from_micros(100));
        let denied = Decision::refuse(Cause::Overloaded, "", Default::default());
        for _ in 0..2 {
            counters.count(&denied, Duration::from_micros(20_000));
        }
        let figures = counters.read();
        assert_eq!((figures.decisions, figures.denials, figures.faults, figures.overloads), (100, 2, 0, 2));
        assert_eq!(figures.would_deny, 1);
        assert!((100..=113).contains(&figures.p50_us), "{figures:?}");
        assert!((20_000..=22_500).contains(&figures.p99_us), "{figures:?}");
    }
}
