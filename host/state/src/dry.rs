//! State of one question that must leave no trace: what is kept can be read, what is changed is seen by this question
//! alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use portcullis_engine::{State, StateFuture};
use portcullis_model::fault::StateFault;
use tokio::sync::Mutex;

use crate::disk::Store;
use crate::space::SpaceName;
use crate::usage::{Bounds, Holdings, Usage};
use crate::{added, check_key};

/// One policy's state, over another's. One for each decision.
pub struct DryState {
    under: Arc<dyn State>,
    limited: Option<Limited>,
    /// Held across reads of `under`, so that a change is one step.
    changes: Mutex<Changes>,
}

struct Limited {
    store: Store,
    name: SpaceName,
    bounds: Bounds,
}

#[derive(Default)]
struct Changes {
    /// None for what was removed.
    entries: BTreeMap<String, Option<Vec<u8>>>,
    /// Counted from the store's at the first change.
    held: Option<Holdings>,
}

// === impl DryState ===

impl DryState {
    /// Over any state. How much is kept is not known, so no limit is held but the length of a key.
    pub fn over(under: Arc<dyn State>) -> Self {
        Self { under, limited: None, changes: Mutex::default() }
    }

    /// Over a store's space, with its limits. The tenant's sum counts what the store holds and this policy would
    /// change; what other policies would change in the same question it does not see.
    pub fn of(store: &Store, name: SpaceName, bounds: Bounds) -> Self {
        let under = store.space(name.clone(), bounds.space, bounds.tenant);
        Self { under, limited: Some(Limited { store: store.clone(), name, bounds }), changes: Mutex::default() }
    }

    async fn current(&self, changes: &Changes, key: &str) -> Result<Option<Vec<u8>>, StateFault> {
        match changes.entries.get(key) {
            Some(changed) => Ok(changed.clone()),
            None => self.under.get(key.to_owned()).await,
        }
    }

    async fn set(
        &self,
        changes: &mut Changes,
        key: String,
        current: Option<&[u8]>,
        value: Option<Vec<u8>>,
    ) -> Result<(), StateFault> {
        if let Some(Limited { store, name, bounds }) = &self.limited {
            let held = match changes.held {
                Some(held) => held,
                None => store.holdings(name).await?,
            };
            let (old, new) = (Usage::of(&key, current), Usage::of(&key, value.as_deref()));
            changes.held = Some(held.replacing(old, new, *bounds)?);
        }
        changes.entries.insert(key, value);
        Ok(())
    }
}

impl std::fmt::Debug for DryState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DryState").finish_non_exhaustive()
    }
}

impl State for DryState {
    fn get(&self, key: String) -> StateFuture<'_, Option<Vec<u8>>> {
        Box::pin(async move {
            check_key(&key)?;
            let changes = self.changes.lock().await;
            self.current(&changes, &key).await
        })
    }

    fn compare_and_set(&self, key: String, expected: Option<Vec<u8>>, value: Option<Vec<u8>>) -> StateFuture<'_, bool> {
        Box::pin(async move {
            check_key(&key)?;
            let mut changes = self.changes.lock().await;
            let current = self.current(&changes, &key).await?;
            if current != expected {
                return Ok(false);
            }
            self.set(&mut changes, key, current.as_deref(), value).await?;
            Ok(true)
        })
    }

    fn add(&self, key: String, delta: i64) -> StateFuture<'_, i64> {
        Box::pin(async move {
            check_key(&key)?;
            let mut changes = self.changes.lock().await;
            let current = self.current(&changes, &key).await?;
            let sum = added(&key, current.as_deref(), delta)?;
            self.set(&mut changes, key, current.as_deref(), Some(sum.to_le_bytes().into())).await?;
            Ok(sum)
        })
    }
}

#[cfg(test)]
mod tests;
