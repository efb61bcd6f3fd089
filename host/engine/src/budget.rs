//! What the instances, and the large calls, of one tenant use together.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use portcullis_model::Fault;

/// What the instances of one tenant use together. All questions that are asked for the tenant carry the same one.
#[derive(Debug)]
pub struct TenantBudget {
    limit: usize,
    memory: AtomicUsize,
    /// How many of its runs are long ones.
    pub(crate) long: AtomicUsize,
    /// The turns that it had, or as many as others had while it wanted none; changed only by `turn.rs`, under its lock.
    pub(crate) turns: AtomicU64,
}

/// What one instance, or one large call, has taken of its share; given back when it is dropped, whatever that came to.
#[derive(Debug)]
pub struct Charge {
    budget: Arc<TenantBudget>,
    bytes: usize,
}

// === impl TenantBudget ===

impl TenantBudget {
    /// `memory` bounds the linear memories of all instances that run at once, and what its large calls hold, in bytes.
    pub fn new(memory: usize) -> Arc<Self> {
        Arc::new(Self {
            limit: memory,
            memory: AtomicUsize::new(0),
            long: AtomicUsize::new(0),
            turns: AtomicU64::new(0),
        })
    }

    /// Bytes of the linear memories of all instances that run now, and of large calls.
    pub fn memory(&self) -> usize {
        self.memory.load(Ordering::Relaxed)
    }
}

// === impl Charge ===

impl Charge {
    pub fn new(budget: Arc<TenantBudget>) -> Self {
        Self { budget, bytes: 0 }
    }

    pub(crate) fn budget(&self) -> &Arc<TenantBudget> {
        &self.budget
    }

    /// What it has taken.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// What its budget bounds, in bytes.
    pub fn limit(&self) -> usize {
        self.budget.limit
    }

    /// Takes more, or nothing: what is refused to one instance is never missing for another.
    pub fn take(&mut self, bytes: usize) -> Result<(), Fault> {
        let limit = self.budget.limit;
        let fitting = |used: usize| used.checked_add(bytes).filter(|sum| *sum <= limit);
        let taken = self.budget.memory.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fitting);
        taken.map_err(|_| Fault::TenantMemory { limit })?;
        self.bytes = self.bytes.saturating_add(bytes);
        Ok(())
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.budget.memory.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_is_not_charged_and_what_is_dropped_is_given_back() {
        let budget = TenantBudget::new(100);
        let (mut first, mut second) = (Charge::new(Arc::clone(&budget)), Charge::new(Arc::clone(&budget)));
        assert_eq!(first.take(60), Ok(()));
        assert_eq!(second.take(41), Err(Fault::TenantMemory { limit: 100 }));
        assert_eq!(second.take(usize::MAX), Err(Fault::TenantMemory { limit: 100 }));
        assert_eq!((budget.memory(), second.bytes()), (60, 0));
        assert_eq!(second.take(40), Ok(()));
        assert_eq!(budget.memory(), 100);
        drop(first);
        assert_eq!(budget.memory(), 40);
        drop(second);
        assert_eq!(budget.memory(), 0);
    }
}
