//! What policies keep: a store on disk for the host that serves, and one in memory for questions asked offline.

mod aside;
mod base;
mod cache;
mod copy;
mod disk;
mod dry;
mod failure;
mod memory;
mod queue;
mod space;
mod tables;
#[cfg(test)]
mod testing;
mod usage;
mod write_request;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;

use portcullis_engine::State;
use portcullis_model::Limits;
use portcullis_model::fault::StateFault;
use portcullis_model::limits::StateLimits;

use crate::usage::Bounds;

pub use copy::{BackupError, StoreCopy, backup};
pub use disk::{KeySize, SpaceUsage, Store};
pub use dry::DryState;
pub use memory::MemoryState;
pub use space::SpaceName;
pub use usage::Usage;

/// Where policies get their state from. Cheap to clone.
#[derive(Clone, Debug)]
pub enum Spaces {
    /// The store, which changes.
    Disk(Store),
    /// A copy in memory of the store, which does not.
    Copied(StoreCopy),
}

// === impl Spaces ===

impl Spaces {
    /// Nothing is kept at first, and all of it in memory.
    pub fn empty() -> Self {
        Self::Copied(StoreCopy::empty())
    }

    /// Of the store in this folder.
    pub fn copy(dir: PathBuf) -> Self {
        Self::Copied(StoreCopy::new(dir))
    }

    /// The store that changes, for what the operator asks of it.
    pub fn store(&self) -> Option<&Store> {
        match self {
            Self::Disk(store) => Some(store),
            Self::Copied(_) => None,
        }
    }

    /// As [`Self::of`], for one question that must leave no trace.
    pub fn dry(&self, name: SpaceName, limits: StateLimits, sum: StateLimits) -> Arc<dyn State> {
        match self {
            Self::Disk(store) => Arc::new(DryState::of(store, name, Bounds { space: limits, tenant: sum })),
            Self::Copied(_) => self.of(name, limits, sum),
        }
    }

    /// What one policy keeps for one tenant. `limits` bound it alone, `sum` all that is kept for the tenant together.
    pub fn of(&self, name: SpaceName, limits: StateLimits, sum: StateLimits) -> Arc<dyn State> {
        match self {
            Self::Disk(store) => store.space(name, limits, sum),
            Self::Copied(copy) => match copy.entries(&name) {
                Ok(entries) => Arc::new(MemoryState::new(entries)),
                Err(problem) => Store::unavailable(&problem).space(name, limits, sum),
            },
        }
    }
}

/// A counter is kept as 8 bytes, little-endian.
fn counter(key: &str, value: Option<&[u8]>) -> Result<i64, StateFault> {
    match value {
        None => Ok(0),
        Some(bytes) => {
            let bytes = bytes.try_into().map_err(|_| StateFault::NotACounter { key: key.to_owned() })?;
            Ok(i64::from_le_bytes(bytes))
        }
    }
}

fn added(key: &str, value: Option<&[u8]>, delta: i64) -> Result<i64, StateFault> {
    counter(key, value)?.checked_add(delta).ok_or_else(|| StateFault::CounterOverflow { key: key.to_owned() })
}

fn check_key(key: &str) -> Result<(), StateFault> {
    if key.len() > Limits::MAX_KEY { Err(StateFault::KeyTooLong { limit: Limits::MAX_KEY }) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
