//! `state`: the policy's own store. What keeps it is the daemon's.

use std::pin::Pin;
use std::sync::Arc;

use portcullis_model::Fault;
use portcullis_model::fault::StateFault;

use crate::contract::portcullis::policy::state;
use crate::fault::stop;
use crate::host::{Host, Resumed};

/// An answer of a [`State`].
pub type StateFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StateFault>> + Send + 'a>>;

/// One policy's store. A change is durable when its future is ready; its limits are the store's to keep.
pub trait State: Send + Sync + 'static {
    fn get(&self, key: String) -> StateFuture<'_, Option<Vec<u8>>>;
    fn compare_and_set(&self, key: String, expected: Option<Vec<u8>>, value: Option<Vec<u8>>) -> StateFuture<'_, bool>;
    fn add(&self, key: String, delta: i64) -> StateFuture<'_, i64>;
}

impl Host {
    fn state(&self) -> wasmtime::Result<Arc<dyn State>> {
        self.about.state.clone().ok_or_else(|| stop(Fault::State(StateFault::NotGranted)))
    }

    /// Waits for the store. The wait is the store's, so the guest's clock stands still; and its turn goes to others
    /// meanwhile.
    async fn wait<T>(&mut self, answer: impl Future<Output = Result<T, StateFault>>) -> wasmtime::Result<T> {
        let resumed = self.clock.pause();
        let answer = answer.await;
        let turn = self.turn().await;
        // Nobody else sets it.
        let _ = resumed.set(Resumed::now(turn));
        answer.map_err(|fault| stop(Fault::State(fault)))
    }
}

impl state::Host for Host {
    async fn get(&mut self, key: String) -> wasmtime::Result<Option<Vec<u8>>> {
        let state = self.state()?;
        self.wait(async move { state.get(key).await }).await
    }

    async fn compare_and_set(
        &mut self,
        key: String,
        expected: Option<Vec<u8>>,
        value: Option<Vec<u8>>,
    ) -> wasmtime::Result<bool> {
        let state = self.state()?;
        self.wait(async move { state.compare_and_set(key, expected, value).await }).await
    }

    async fn add(&mut self, key: String, delta: i64) -> wasmtime::Result<i64> {
        let state = self.state()?;
        self.wait(async move { state.add(key, delta).await }).await
    }
}
