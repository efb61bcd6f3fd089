//! What tests of several files need.

use portcullis_model::decision::Origin;
use portcullis_model::{PolicyName, TenantName};

use crate::SpaceName;

/// A space, by names that are good ones.
pub(crate) fn space_name(tenant: &str, origin: Origin, policy: &str) -> SpaceName {
    let tenant = TenantName::new(tenant).expect("a good name");
    SpaceName::new(&tenant, origin, &PolicyName::new(policy).expect("a good name"))
}

/// Chance that is the same each time, so that a test that fails fails again: SplitMix64.
#[derive(Debug)]
pub(crate) struct Random(u64);

// === impl Random ===

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).expect("below a usize")
    }

    pub(crate) fn one_of<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}
