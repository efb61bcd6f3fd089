//! What another configuration would have answered to the calls of a log.
//!
//! ```text
//! source ── records ──> call ── whose it is ──> a lane ── ask ──> outcome ── differs? ──> report
//! files, stdin          Call, paths             in order          then, now
//! ```
//!
//! One thread reads the log in its order. What a call comes to can depend on what was kept for its tenant before, so the
//! calls of a tenant whose policies keep something are asked one after the other, in one lane; all others as they come.

mod call;
pub mod check;
pub mod offline;
mod outcome;
mod report;
mod watched;

use std::borrow::Cow;
use std::sync::Arc;

use portcullis_config::Config;
use portcullis_decision_log::archive::{Content, Line, LogError, Logs};
use portcullis_decision_log::filter::Filter;
use portcullis_decision_log::record::DecisionRecord;
use portcullis_docker::{HostRule, Reader, Rules};
use portcullis_model::{Cause, Decision, Request};
use portcullis_mounts::masked::masked_paths;
use portcullis_policies::{NotPlaced, Snapshot, Tenant, WorkshopError};
use portcullis_service::decide::Arrival;
use portcullis_state::Spaces;
use thiserror::Error;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::call::Recorded;
use crate::offline::Offline;
use crate::outcome::Outcome;
use crate::report::{Asked, Count};
use crate::watched::Watched;

pub use outcome::{Answered, Kind};
pub use report::{Change, Damaged, Report, Skipped};

/// Calls that wait for a lane.
const WAITING: usize = 256;

/// What is kept when the replay begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateAtStart {
    Empty,
    /// What the store has now.
    Copy,
}

/// What is to be reported.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub filter: Filter,
    /// How many IDs of each change are named.
    pub examples: usize,
}

/// Why a log cannot be replayed.
#[derive(Debug, Error)]
pub enum ReplayError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error("the host panicked while it asked policies")]
    Panicked,
}

/// A configuration that can be asked about calls of a log. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Replayer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    offline: Offline,
    rules: Rules,
}

/// A call on its way to a lane.
struct Job {
    place: u64,
    tenant: Option<Arc<Tenant>>,
    /// Why it has none.
    unplaced: Option<NotPlaced>,
    /// What is known of the decision, without the call.
    before: Before,
    recorded: Recorded,
}

/// What was decided then.
struct Before {
    id: String,
    outcome: Outcome,
    operation: Option<String>,
    user: Option<String>,
    tenant: Option<String>,
    rule: Option<HostRule>,
    /// Whether a difference is to be reported; if not, it is asked for the sake of what policies keep.
    is_wanted: bool,
}

/// Reads the log and hands calls to lanes.
struct Dispatcher<'a> {
    snapshot: &'a Snapshot,
    wanted: &'a Wanted,
    files: Vec<String>,
    lanes: Vec<mpsc::Sender<Job>>,
    next: usize,
    report: Report,
}

// === impl Replayer ===

impl Replayer {
    /// Loads a configuration. What policies keep while the log is replayed is kept in memory. Must be called on a thread of
    /// a runtime, and not inside a task.
    pub fn load(config: &Config, state: StateAtStart) -> Result<Self, WorkshopError> {
        let spaces = match state {
            StateAtStart::Empty => Spaces::empty(),
            StateAtStart::Copy => Spaces::copy(config.state_dir.clone()),
        };
        let offline = Offline::with(config, spaces)?;
        Ok(Self(Arc::new(Inner { offline, rules: config.rules.clone() })))
    }

    /// What is wrong in the folders.
    pub fn notes(&self) -> &[String] {
        self.0.offline.notes()
    }

    /// Asks about every call of the logs again. `progress` is told how many bytes were read so far.
    pub async fn run(
        &self,
        logs: Logs,
        wanted: Wanted,
        progress: impl Fn(u64) + Send + 'static,
    ) -> Result<Report, ReplayError> {
        let snapshot = self.0.offline.evaluator().live().load();
        let mut lanes = JoinSet::new();
        let mut senders = Vec::new();
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            let (sender, jobs) = mpsc::channel(WAITING);
            senders.push(sender);
            let (inner, snapshot, count) = (Arc::clone(&self.0), Arc::clone(&snapshot), Count::new(wanted.examples));
            lanes.spawn(async move { inner.lane(&snapshot, jobs, count).await });
        }
        let reader = tokio::task::spawn_blocking(move || {
            let files = logs.files().iter().map(|path| path.display().to_string()).collect();
            let report = Report::default();
            let (snapshot, wanted) = (&*snapshot, &wanted);
            let mut dispatcher = Dispatcher { snapshot, wanted, files, lanes: senders, next: 0, report };
            dispatcher.read(&logs, &progress)?;
            Ok::<_, LogError>(dispatcher.report)
        });
        let read = reader.await.map_err(|_| ReplayError::Panicked)?;
        let mut whole = Count::new(0);
        let mut is_first = true;
        while let Some(count) = lanes.join_next().await {
            let count = count.map_err(|_| ReplayError::Panicked)?;
            if std::mem::take(&mut is_first) { whole = count } else { whole.merge(count) }
        }
        Ok(whole.report(read?))
    }
}

// === impl Dispatcher ===

impl Dispatcher<'_> {
    fn read(&mut self, logs: &Logs, progress: &impl Fn(u64)) -> Result<(), LogError> {
        let mut bytes = 0;
        for (place, line) in (0..).zip(logs.lines()) {
            let Line { file, number, content, size } = line?;
            bytes += size;
            progress(bytes);
            match content {
                Content::Decision(record) => self.decision(place, *record),
                Content::Other => self.report.skipped.other_lines += 1,
                Content::Damaged(problem) => {
                    let file = self.files.get(file).cloned().unwrap_or_default();
                    self.report.add_damaged(Damaged { file, line: number, problem });
                }
            }
        }
        Ok(())
    }

    fn decision(&mut self, place: u64, record: DecisionRecord) {
        let is_admitted = self.wanted.filter.admits(&record);
        let timestamp = is_admitted.then(|| record.timestamp.clone());
        let circumstance = Circumstance::of(&record.cause);
        if circumstance == Circumstance::NeverAsked {
            self.report.skipped.by_circumstance += u64::from(is_admitted);
            self.report.skipped.filtered += u64::from(!is_admitted);
            return;
        }
        let is_wanted = is_admitted && circumstance == Circumstance::Ordinary;
        self.report.skipped.by_circumstance += u64::from(is_admitted && !is_wanted);
        let listener = record.listener.clone();
        let before = Before::of(&record, is_wanted);
        let Some(recorded) = Recorded::of(record) else {
            self.report.skipped.without_call += u64::from(is_admitted);
            self.report.skipped.filtered += u64::from(!is_admitted);
            return;
        };
        let (tenant, unplaced) = match self.snapshot.place(&Arrival { listener: &listener, call: &recorded.call }) {
            Ok(tenant) => (Some(Arc::clone(tenant)), None),
            Err(unplaced) => (None, Some(unplaced)),
        };
        let keeps = tenant.as_ref().is_some_and(|tenant| tenant.set.keeps_state());
        self.report.skipped.filtered += u64::from(!is_admitted);
        if !is_wanted && !keeps {
            return;
        }
        if let Some(timestamp) = timestamp.filter(|_| is_wanted) {
            self.report.add_time(&timestamp);
        }
        let lane = self.lane(tenant.as_deref().filter(|_| keeps));
        let job = Job { place, tenant, unplaced, before, recorded };
        if let Some(lane) = self.lanes.get(lane) {
            // A lane ends early only by a panic, which is told when all are waited for.
            let _ = lane.blocking_send(job);
        }
    }

    /// The lane of a tenant whose policies keep something; any for the others, by turns.
    fn lane(&mut self, keeps: Option<&Tenant>) -> usize {
        let lanes = self.lanes.len().max(1);
        if let Some(tenant) = keeps {
            let at = self.snapshot.tenants.iter().position(|other| other.name == tenant.name);
            return at.unwrap_or_default() % lanes;
        }
        self.next = (self.next + 1) % lanes;
        self.next
    }
}

/// What a decision came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Circumstance {
    /// Rules and policies.
    Ordinary,
    /// Something else, after policies were asked: what they kept stays.
    Overturned,
    /// Something else, before policies were asked.
    NeverAsked,
}

impl Circumstance {
    fn of(cause: &str) -> Self {
        match cause {
            "log" => Self::Overturned,
            "overloaded" | "internal" | "data" => Self::NeverAsked,
            _ => Self::Ordinary,
        }
    }
}

// === impl Before ===

impl Before {
    fn of(record: &DecisionRecord<'_>, is_wanted: bool) -> Self {
        let text = |text: &Option<Cow<'_, str>>| text.as_deref().map(str::to_owned);
        Self {
            id: record.id.to_string(),
            outcome: Outcome::then(record),
            operation: text(&record.operation),
            user: text(&record.user),
            tenant: text(&record.tenant),
            rule: record.rule.as_deref().and_then(|rule| rule.parse().ok()),
            is_wanted,
        }
    }
}

// === impl Inner ===

impl Inner {
    async fn lane(&self, snapshot: &Snapshot, mut jobs: mpsc::Receiver<Job>, mut count: Count) -> Count {
        while let Some(job) = jobs.recv().await {
            let Job { place, tenant, unplaced, before, recorded } = job;
            let (outcome, is_uncertain) = match (&tenant, unplaced) {
                (Some(tenant), _) => self.ask(snapshot, tenant, &before, recorded).await,
                (None, unplaced) => {
                    let message = unplaced.map(|unplaced| unplaced.public_message()).unwrap_or_default();
                    (Outcome::now(&Decision::refuse(Cause::Unplaced, &message, snapshot.generation)), false)
                }
            };
            if !before.is_wanted {
                continue;
            }
            let differs = outcome.differs(&before.outcome);
            let tenant = tenant.map(|tenant| tenant.name.to_string());
            let is_moved = tenant != before.tenant;
            let Before { id, operation, user, .. } = before;
            count.add(Asked { place, id, operation, user, tenant, differs, is_uncertain, is_moved });
        }
        count
    }

    /// What a call comes to now, and whether that may be wrong because of what is not in the record.
    async fn ask(&self, snapshot: &Snapshot, tenant: &Tenant, before: &Before, recorded: Recorded) -> (Outcome, bool) {
        let rules = recorded.rules(&self.rules);
        let Recorded { call, paths, missing } = recorded;
        // What refused a body that is not here would refuse it again.
        let refuses = before.rule.filter(|rule| missing.has_no_body && call::is_of_bodies(*rule));
        let refuses = refuses.is_some_and(|rule| self.rules.is_enabled(rule));
        match Reader::new(rules, Arc::new(paths)).masking(masked_paths()).read(call) {
            Ok(_) if refuses => (before.outcome.clone(), false),
            Ok(request) => {
                let watched = Arc::new(Watched::new(request, missing));
                let request = Arc::clone(&watched) as Arc<dyn Request>;
                let evaluator = self.offline.evaluator();
                let (decision, _) = evaluator.ask(snapshot, tenant, request, None, evaluator.deadline()).await;
                (Outcome::now(&decision), watched.looked())
            }
            Err(refusal) => {
                let cause = Cause::Rule(refusal.rule.name());
                let decision = Decision::refuse(cause, &refusal.to_string(), snapshot.generation);
                (Outcome::now(&decision), false)
            }
        }
    }
}
