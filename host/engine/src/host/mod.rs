//! What a guest reaches: one file for each interface of the contract.

mod fault;
mod log;
mod settings;
pub(crate) mod state;
mod types;

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use portcullis_model::{Data, Document, Fault, Limits, Request};
use wasmtime::component::Resource;

use crate::contract::{DocumentHandle, RequestHandle};
use crate::decide::LogLine;
use crate::fault::stop;
use crate::host::state::State;

/// What the one instance of a decision may reach, and what it has used of its limits.
pub(crate) struct Host {
    pub(crate) about: About,
    pub(crate) log: Vec<LogLine>,
    pub(crate) log_dropped: u32,
    pub(crate) clock: Clock,
    tables: usize,
    limits: Limits,
}

/// What a decision is about.
pub(crate) struct About {
    pub(crate) request: Option<Arc<dyn Request>>,
    pub(crate) data: Arc<Data>,
    pub(crate) settings: Arc<Document>,
    pub(crate) state: Option<Arc<dyn State>>,
}

/// The guest's own running time: what it waits for others does not count.
pub(crate) struct Clock {
    spent: Duration,
    since: Instant,
    /// Set when the guest runs again after it yielded.
    resumed: Option<Arc<OnceLock<Instant>>>,
}

/// The documents of an instance, by the number that the guest's handle stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Held {
    Data = 0,
    Body = 1,
    Settings = 2,
}

// === impl Host ===

impl Host {
    pub(crate) fn new(about: About, limits: Limits) -> Self {
        Self { about, log: Vec::new(), log_dropped: 0, clock: Clock::start(), tables: 0, limits }
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }
}

impl wasmtime::ResourceLimiter for Host {
    fn memory_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let limit = self.limits.memory;
        if desired > limit { Err(stop(Fault::Memory { limit })) } else { Ok(true) }
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let limit = self.limits.table_elements;
        let sum = self.tables.saturating_add(desired.saturating_sub(current));
        if sum > limit {
            return Err(stop(Fault::Table { limit }));
        }
        self.tables = sum;
        Ok(true)
    }
}

// === impl Clock ===

impl Clock {
    pub(crate) fn start() -> Self {
        Self { spent: Duration::ZERO, since: Instant::now(), resumed: None }
    }

    /// Stops at a yield; the returned cell is to be set when the guest runs again.
    pub(crate) fn pause(&mut self) -> Arc<OnceLock<Instant>> {
        self.spent = self.spent();
        let resumed = Arc::new(OnceLock::new());
        self.resumed = Some(Arc::clone(&resumed));
        resumed
    }

    /// Leaves out what passed since `start`, which the guest spent waiting for the host.
    pub(crate) fn leave_out(&mut self, start: Instant) {
        self.spent = self.spent().saturating_sub(start.elapsed());
        self.since = Instant::now();
        self.resumed = None;
    }

    pub(crate) fn spent(&self) -> Duration {
        let since = match &self.resumed {
            Some(resumed) => resumed.get().copied(),
            None => Some(self.since),
        };
        self.spent + since.map_or(Duration::ZERO, |since| since.elapsed())
    }
}

// === impl Held ===

impl Held {
    pub(crate) fn own(self) -> Resource<DocumentHandle> {
        Resource::new_own(self as u32)
    }

    pub(crate) fn borrow(self) -> Resource<DocumentHandle> {
        Resource::new_borrow(self as u32)
    }

    fn of(handle: &Resource<DocumentHandle>) -> Option<Self> {
        [Self::Data, Self::Body, Self::Settings].into_iter().find(|held| *held as u32 == handle.rep())
    }
}

/// There is one request in an instance.
pub(crate) fn request() -> Resource<RequestHandle> {
    Resource::new_borrow(0)
}
