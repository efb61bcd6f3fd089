//! State that is gone with the process: for questions that must leave no trace.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use portcullis_engine::{State, StateFuture};

use crate::{added, check_key};

/// One policy's state, in memory.
#[derive(Debug, Default)]
pub struct MemoryState(Mutex<BTreeMap<String, Vec<u8>>>);

impl MemoryState {
    pub fn new(entries: impl IntoIterator<Item = (String, Vec<u8>)>) -> Self {
        Self(Mutex::new(entries.into_iter().collect()))
    }

    pub fn entries(&self) -> BTreeMap<String, Vec<u8>> {
        self.locked().clone()
    }

    fn locked(&self) -> MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State for MemoryState {
    fn get(&self, key: String) -> StateFuture<'_, Option<Vec<u8>>> {
        Box::pin(async move {
            check_key(&key)?;
            Ok(self.locked().get(&key).cloned())
        })
    }

    fn compare_and_set(&self, key: String, expected: Option<Vec<u8>>, value: Option<Vec<u8>>) -> StateFuture<'_, bool> {
        Box::pin(async move {
            check_key(&key)?;
            let mut entries = self.locked();
            if entries.get(&key) != expected.as_ref() {
                return Ok(false);
            }
            match value {
                Some(value) => entries.insert(key, value),
                None => entries.remove(&key),
            };
            Ok(true)
        })
    }

    fn add(&self, key: String, delta: i64) -> StateFuture<'_, i64> {
        Box::pin(async move {
            check_key(&key)?;
            let mut entries = self.locked();
            let sum = added(&key, entries.get(&key).map(Vec::as_slice), delta)?;
            entries.insert(key, sum.to_le_bytes().to_vec());
            Ok(sum)
        })
    }
}
