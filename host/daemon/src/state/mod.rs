//! What policies keep: a store on disk for the host that serves, and one in memory for questions asked offline.

mod disk;
mod memory;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;

use portcullis_model::fault::StateFault;
use portcullis_model::limits::StateLimits;
use portcullis_model::{Limits, PolicyName};

pub use disk::Store;
pub use memory::MemoryState;
use portcullis_engine::State;

/// Where policies get their state from.
#[derive(Clone, Debug)]
pub enum Spaces {
    /// The store, which changes.
    Disk(Store),
    /// A copy in memory of the store in this folder, which does not.
    Copy(PathBuf),
}

impl Spaces {
    /// A policy's own space.
    pub fn of(&self, policy: &PolicyName, limits: StateLimits) -> Arc<dyn State> {
        match self {
            Self::Disk(store) => store.space(policy, limits),
            Self::Copy(dir) => match Store::copied_entries(dir, policy) {
                Ok(entries) => Arc::new(MemoryState::new(entries)),
                Err(problem) => Store::unavailable(&problem).space(policy, limits),
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
