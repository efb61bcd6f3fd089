//! IDs of traces and spans, and the luck of sampling: without a lock, and without asking the kernel each time.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

/// Numbers that nobody else has. They are no secret: who sees some can work out the others.
#[derive(Debug)]
pub struct Ids(AtomicU64);

/// The odd number nearest to 2^64 divided by the golden ratio: the step of SplitMix64.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

// === impl Ids ===

impl Ids {
    /// Seeded with what the standard library has from the kernel.
    pub fn new() -> Self {
        Self(AtomicU64::new(RandomState::new().hash_one(std::process::id())))
    }

    /// SplitMix64 (Steele, Lea and Flood, 2014).
    pub fn next(&self) -> u64 {
        let mut mixed = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

impl Default for Ids {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_those_of_the_paper_and_none_comes_twice() {
        // From the reference implementation with the seed 0.
        let ids = Ids(AtomicU64::new(0));
        let first = [(); 3].map(|()| ids.next());
        assert_eq!(first, [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4, 0x06c4_5d18_8009_454f]);
        let ids = Ids::new();
        let many: std::collections::BTreeSet<_> = (0..10_000).map(|_| ids.next()).collect();
        assert_eq!(many.len(), 10_000);
    }
}
