//! What a policy said.

use std::sync::atomic::{AtomicU64, Ordering};

use portcullis_model::{PolicyOutcome, Verdict};

/// How often a policy said what, since it was loaded, in decisions of all tenants that ask it.
#[derive(Debug, Default)]
pub struct VerdictCounts {
    allow: AtomicU64,
    deny: AtomicU64,
    abstain: AtomicU64,
    fault: AtomicU64,
}

impl VerdictCounts {
    /// Adds one verdict, or one fault.
    pub fn count(&self, judgement: &PolicyOutcome) {
        let counter = match judgement {
            Ok(Verdict::Allow) => &self.allow,
            Ok(Verdict::Deny(_)) => &self.deny,
            Ok(Verdict::Abstain) => &self.abstain,
            Err(_) => &self.fault,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// How often each: `allow`, `deny`, `abstain`, `fault`.
    pub fn read(&self) -> [(&'static str, u64); 4] {
        [("allow", &self.allow), ("deny", &self.deny), ("abstain", &self.abstain), ("fault", &self.fault)]
            .map(|(said, count)| (said, count.load(Ordering::Relaxed)))
    }
}
