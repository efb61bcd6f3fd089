//! One registry for each listener, each with a lock of its own: the daemons' calls do not wait for each other.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use super::registry::Registry;

#[derive(Debug, Default)]
pub(super) struct Shards {
    /// There are as many as the configuration has listeners.
    by_listener: RwLock<HashMap<Arc<str>, Arc<Shard>>>,
    is_damaged: AtomicBool,
}

#[derive(Debug)]
pub(super) struct Shard {
    listener: Arc<str>,
    registry: Mutex<Registry>,
}

// === impl Shards ===

impl Shards {
    pub(super) fn of(&self, listener: &str) -> Arc<Shard> {
        let known = self.by_listener.read().unwrap_or_else(PoisonError::into_inner).get(listener).cloned();
        known.unwrap_or_else(|| {
            let mut shards = self.by_listener.write().unwrap_or_else(PoisonError::into_inner);
            let listener: Arc<str> = listener.into();
            let new = || {
                let mut registry = Registry::default();
                if self.is_damaged() {
                    registry.set_damaged();
                }
                Arc::new(Shard { listener: Arc::clone(&listener), registry: Mutex::new(registry) })
            };
            Arc::clone(shards.entry(Arc::clone(&listener)).or_insert_with(new))
        })
    }

    pub(super) fn all(&self) -> Vec<Arc<Shard>> {
        self.by_listener.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Something was forgotten, and nobody knows whose it was.
    pub(super) fn set_damaged(&self) {
        self.is_damaged.store(true, Ordering::Relaxed);
        self.all().iter().for_each(|shard| shard.locked().set_damaged());
    }

    pub(super) fn is_damaged(&self) -> bool {
        self.is_damaged.load(Ordering::Relaxed)
    }
}

// === impl Shard ===

impl Shard {
    pub(super) fn name(&self) -> &Arc<str> {
        &self.listener
    }

    pub(super) fn locked(&self) -> MutexGuard<'_, Registry> {
        // What is done under it does not panic.
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
