//! What a guest reaches: one file for each interface of the contract.

mod fault;
mod large;
mod log;
mod obligations;
mod settings;
pub(crate) mod state;
mod types;
mod views;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use portcullis_document::Document;
use portcullis_model::{Data, Fault, Limits, Obligation, Request};
use wasmtime::component::Resource;

use crate::budget::Charge;
use crate::contract::{DocumentHandle, RequestHandle};
use crate::fault::stop;
use crate::host::state::State;
use crate::log::LogLine;
use crate::scheduler::{FairScheduler, Long, TimeSlice};
use crate::ticker::TICK;

/// What the one instance of a decision may reach, and what it has used of its limits.
pub(crate) struct Host {
    pub(crate) about: About,
    pub(crate) log: Vec<LogLine>,
    pub(crate) log_dropped: u32,
    pub(crate) obligations: Vec<Obligation>,
    pub(crate) clock: Clock,
    /// Bytes of all memories.
    memories: Charge,
    /// Elements of all tables.
    tables: usize,
    limits: Limits,
    scheduler: Arc<FairScheduler>,
    /// Where it runs long.
    long: Option<Long>,
    /// Whether it had to wait for a turn before it began.
    is_suspect: bool,
}

/// What a decision is about.
pub(crate) struct About {
    pub(crate) request: Option<Arc<dyn Request>>,
    pub(crate) data: Arc<Data>,
    pub(crate) settings: Arc<Document>,
    pub(crate) state: Option<Arc<dyn State>>,
}

/// The guest's own running time, by the CPU clock of the thread that it runs on: what it waits for others, and what the
/// machine gives to others, does not count. It starts at the first tick that finds the guest running, so that a decision
/// that is over before that, as nearly all are, never asks for the time.
#[derive(Default)]
pub(crate) struct Clock {
    /// In the runs that have ended.
    spent: Duration,
    /// How often a tick found the guest running.
    ticks: u32,
    /// When this run began: set when the guest runs again after it yielded, maybe on another thread.
    resumed: Option<Arc<OnceLock<Resumed>>>,
}

/// When a guest ran again, and its right to. Given back with the run.
#[derive(Debug)]
pub(crate) struct Resumed {
    since: Duration,
    _turn: Option<TimeSlice>,
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
    pub(crate) fn new(about: About, limits: Limits, memories: Charge, scheduler: Arc<FairScheduler>) -> Self {
        Self {
            about,
            log: Vec::new(),
            log_dropped: 0,
            obligations: Vec::new(),
            clock: Clock::default(),
            memories,
            tables: 0,
            limits,
            scheduler,
            long: None,
            is_suspect: false,
        }
    }

    /// Begins with a turn, and takes turns from then on.
    pub(crate) fn begin(&mut self, turn: TimeSlice) {
        self.is_suspect = true;
        // It is new, and empty.
        let _ = self.clock.pause().set(Resumed::now(Some(turn)));
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// What a guest must wait for before it runs again: its turn, where it runs long, and nothing where it does not.
    pub(crate) fn turn(&self) -> impl Future<Output = Option<TimeSlice>> + Send + use<> {
        let takes_turns = self.long.is_some() || self.is_suspect;
        let turn = takes_turns.then(|| self.scheduler.turn(self.memories.budget()));
        async move {
            match turn {
                Some(turn) => Some(turn.await),
                None => None,
            }
        }
    }

    /// Called at each tick that finds the guest running: whether it runs long by now.
    pub(crate) fn notice_long(&mut self) -> Result<(), Fault> {
        if self.long.is_none() && self.clock.is_long() {
            self.long = Some(self.scheduler.enter(self.memories.budget())?);
        }
        Ok(())
    }
}

impl wasmtime::ResourceLimiter for Host {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let limit = self.limits.memory;
        let more = desired.saturating_sub(current);
        if self.memories.bytes().saturating_add(more) > limit {
            return Err(stop(Fault::Memory { limit }));
        }
        self.memories.take(more).map_err(stop)?;
        Ok(true)
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
    /// Whether a guest that a tick finds running has used up its time. A virtual machine that stands still for a while
    /// charges that to whoever runs: so the guest must also have been found running by a fair part of the ticks.
    pub(crate) fn is_over(&mut self, limit: Duration) -> bool {
        self.ticks = self.ticks.saturating_add(1);
        self.spent() > limit && TICK * self.ticks >= limit / 4
    }

    /// Whether the guest takes longer than a decision should. By its CPU time and not by ticks: who has the bad luck to be
    /// interrupted at a tick, or was kept waiting by its state, is not one who runs long.
    pub(crate) fn is_long(&self) -> bool {
        self.spent() > TICK / 2
    }

    /// Stops at a yield, and gives the turn back; the returned cell is to be set when the guest runs again.
    pub(crate) fn pause(&mut self) -> Arc<OnceLock<Resumed>> {
        self.spent = self.spent();
        let resumed = Arc::new(OnceLock::new());
        self.resumed = Some(Arc::clone(&resumed));
        resumed
    }

    /// This thread's CPU time.
    fn now() -> Duration {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        Duration::new(now.tv_sec.try_into().unwrap_or_default(), now.tv_nsec.try_into().unwrap_or_default())
    }

    fn spent(&self) -> Duration {
        let resumed = self.resumed.as_ref().and_then(|resumed| resumed.get());
        self.spent + resumed.map_or(Duration::ZERO, |resumed| Self::now().saturating_sub(resumed.since))
    }
}

// === impl Resumed ===

impl Resumed {
    /// To be called on the thread on which the guest will run.
    pub(crate) fn now(turn: Option<TimeSlice>) -> Self {
        Self { since: Clock::now(), _turn: turn }
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
