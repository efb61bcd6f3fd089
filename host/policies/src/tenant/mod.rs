//! What a tenant has while it lives, from one swap to the next: its places, its share of the sandbox, its log budget, its
//! figures.

mod admission;
mod counters;
mod line_budget;

use std::sync::Arc;

use portcullis_engine::TenantBudget;
use portcullis_model::TenantLimits;

pub use admission::{Admission, Overload, Permit};
pub use counters::{Counters, LastFault, Statistics};
pub use line_budget::LineBudget;

/// A tenant's own resources. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Resources {
    pub admission: Arc<Admission>,
    pub budget: Arc<TenantBudget>,
    pub lines: Arc<LineBudget>,
    pub counters: Arc<Counters>,
    limits: TenantLimits,
}

impl Resources {
    pub fn new(limits: &TenantLimits) -> Self {
        Self {
            admission: Arc::new(Admission::new(limits)),
            budget: TenantBudget::new(limits.memory_in_sum),
            lines: Arc::new(LineBudget::new(limits.log_lines_per_second)),
            counters: Arc::default(),
            limits: limits.clone(),
        }
    }

    /// The same with other limits: what has not changed goes on, and so do the figures. Decisions under way keep what they began with.
    pub fn with_limits(&self, limits: &TenantLimits) -> Self {
        let Self { admission, budget, lines, counters, limits: old } = self.clone();
        let admission = if admission.is_of(limits) { admission } else { Arc::new(Admission::new(limits)) };
        let budget =
            if old.memory_in_sum == limits.memory_in_sum { budget } else { TenantBudget::new(limits.memory_in_sum) };
        let lines = if old.log_lines_per_second == limits.log_lines_per_second {
            lines
        } else {
            Arc::new(LineBudget::new(limits.log_lines_per_second))
        };
        Self { admission, budget, lines, counters, limits: limits.clone() }
    }
}
