//! What the instances of one tenant use together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What the instances of one tenant use together. All questions that are asked for the tenant carry the same one.
#[derive(Debug)]
pub struct Share {
    limit: usize,
    memory: AtomicUsize,
}

// === impl Share ===

impl Share {
    /// `memory` bounds the linear memories of all instances that run at once, in bytes.
    pub fn new(memory: usize) -> Arc<Self> {
        Arc::new(Self { limit: memory, memory: AtomicUsize::new(0) })
    }

    /// Bytes of the linear memories of all instances that run now.
    pub fn memory(&self) -> usize {
        self.memory.load(Ordering::Relaxed)
    }

    /// What was given to [`Self::new`].
    pub fn limit(&self) -> usize {
        self.limit
    }
}
