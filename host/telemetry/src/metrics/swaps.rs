//! What became of what was put into folders.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::metrics::histogram::{Histogram, OF_WORK};

/// What was loaded and what could not be, since the start.
#[derive(Debug)]
pub struct Swaps {
    pub policies: Loads,
    pub data: Loads,
    pub tenants: Loads,
    /// Compiling a policy, or finding what was compiled.
    pub compile_time: Histogram,
    /// From the first notice that something in a folder changed to the generation in which it is active.
    pub publish_time: Histogram,
}

/// Of one kind of file.
#[derive(Debug, Default)]
pub struct Loads {
    loaded: AtomicU64,
    failed: AtomicU64,
}

// === impl Swaps ===

impl Default for Swaps {
    fn default() -> Self {
        Self {
            policies: Loads::default(),
            data: Loads::default(),
            tenants: Loads::default(),
            compile_time: Histogram::new(OF_WORK),
            publish_time: Histogram::new(OF_WORK),
        }
    }
}

impl Swaps {
    /// What, how it ended, and how often.
    pub fn read(&self) -> [(&'static str, &'static str, u64); 6] {
        let [policies, data, tenants] = [&self.policies, &self.data, &self.tenants].map(Loads::read);
        [
            ("policy", "loaded", policies.0),
            ("policy", "failed", policies.1),
            ("data", "loaded", data.0),
            ("data", "failed", data.1),
            ("tenant", "loaded", tenants.0),
            ("tenant", "failed", tenants.1),
        ]
    }
}

// === impl Loads ===

impl Loads {
    /// Adds files that were loaded, and files that could not be.
    pub fn add(&self, loaded: u32, failed: u32) {
        self.loaded.fetch_add(loaded.into(), Ordering::Relaxed);
        self.failed.fetch_add(failed.into(), Ordering::Relaxed);
    }

    fn read(&self) -> (u64, u64) {
        (self.loaded.load(Ordering::Relaxed), self.failed.load(Ordering::Relaxed))
    }
}
