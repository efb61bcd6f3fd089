//! One decision of one policy: a fresh instance, the question, the verdict, and the instance is gone.

use std::sync::Arc;
use std::time::{Duration, Instant};

use portcullis_document::Document;
use portcullis_model::decision::Spent;
use portcullis_model::{Data, Fault, Limits, Obligation, PolicyOutcome, Reason, Request, Verdict};
use tokio::sync::{AcquireError, SemaphorePermit};
use wasmtime::component::{Instance, Resource, TypedFunc};
use wasmtime::{Store, StoreContextMut, UpdateDeadline};

use crate::budget::{Charge, TenantBudget};
use crate::contract::DocumentHandle;
use crate::contract::portcullis::policy::types;
use crate::error::LoadError;
use crate::fault::{from_wasmtime, stop};
use crate::host::state::State;
use crate::host::{self, About, Held, Host, Resumed};
use crate::log::LogLine;
use crate::sandbox::Inner;
use crate::sandbox::load::Policy;
use crate::scheduler::TimeSlice;

/// A reason longer than this is not cut but refused: no caller is to read it, and somebody meant to do harm.
const MAX_REASON: usize = 64 << 10;
/// In ticks: a guest that is still running at the next one yields, and its turn is over.
const SLICE: u64 = 1;

const PREPARE: &str = "prepare";

/// `preparation.prepare`
type Prepare = TypedFunc<(Resource<DocumentHandle>,), (Result<(), String>,)>;

/// What one policy is asked, and with what.
#[derive(Clone)]
pub struct Question {
    pub request: Arc<dyn Request>,
    pub data: Arc<Data>,
    pub settings: Arc<Document>,
    /// None where the policy is not granted any.
    pub state: Option<Arc<dyn State>>,
    /// Of the tenant that asks.
    pub budget: Arc<TenantBudget>,
}

/// What became of asking.
#[derive(Debug)]
pub struct Outcome {
    pub judgement: PolicyOutcome,
    /// What it demands of the call, where it does not deny.
    pub obligations: Vec<Obligation>,
    /// What the policy wrote for the operator, and how many lines more it wanted to.
    pub log: Vec<LogLine>,
    pub log_dropped: u32,
    pub took: Duration,
    /// Where that time went.
    pub spent: Spent,
}

impl Policy {
    /// Asks the policy. Whatever goes wrong is a fault in the outcome; the host goes on.
    pub async fn decide(&self, question: Question, limits: &Limits) -> Outcome {
        let start = Instant::now();
        let about = About {
            request: Some(question.request),
            data: question.data,
            settings: question.settings,
            state: question.state,
        };
        let Ok((_place, turn)) = self.admit(&question.budget).await else {
            return Outcome::fault(Fault::Host("the sandbox is closed".into()), start);
        };
        let waiting = start.elapsed();
        let mut store = match self.store(about, question.budget, limits) {
            Ok(store) => store,
            Err(fault) => return Outcome::fault(fault, start),
        };
        if let Some(turn) = turn {
            store.data_mut().begin(turn);
        }
        let (judgement, started) = self.ask(&mut store).await;
        let took = start.elapsed();
        let until_started = started.map_or(took, |started| started - start);
        let spent = Spent {
            waiting,
            starting: until_started.saturating_sub(waiting),
            deciding: took.saturating_sub(until_started),
        };
        let host = store.into_data();
        let obligations = if is_denial(&judgement) { Vec::new() } else { host.obligations };
        Outcome { judgement, obligations, log: host.log, log_dropped: host.log_dropped, took, spent }
    }

    /// Waits for an instance, and for a turn where the tenant must. Nobody who waits for a turn holds an instance, nor
    /// the other bypass, unless there is none: those that run must be able to end.
    async fn admit(
        &self,
        budget: &Arc<TenantBudget>,
    ) -> Result<(SemaphorePermit<'_>, Option<TimeSlice>), AcquireError> {
        let Inner { places, scheduler, .. } = &*self.compiled.sandbox.0;
        if !scheduler.suspects(budget) {
            return Ok((places.acquire().await?, None));
        }
        let turn = scheduler.turn(budget).await;
        if let Ok(place) = places.try_acquire() {
            return Ok((place, Some(turn)));
        }
        drop(turn);
        let place = places.acquire().await?;
        Ok((place, Some(scheduler.turn(budget).await)))
    }

    /// Starts an instance and asks it nothing but what it says of its settings. No tenant's share is touched: that a policy is
    /// swapped in while many run is no fault of the policy.
    pub(crate) async fn start(&self, settings: Arc<Document>, limits: &Limits) -> Result<(), LoadError> {
        let about = About { request: None, data: Arc::default(), settings, state: None };
        let place = self.compiled.sandbox.0.places.acquire().await;
        let _place = place.map_err(|_| LoadError::Probe(Fault::Host("the sandbox is closed".into())))?;
        let store = self.store(about, TenantBudget::new(usize::MAX), limits);
        let mut store = store.map_err(LoadError::Probe)?;
        let _running = self.compiled.sandbox.0.ticker.running();
        let fails = |error: &wasmtime::Error| LoadError::Probe(from_wasmtime(error, limits));
        let instance = self.pre.instance_pre().instantiate_async(&mut store).await.map_err(|error| fails(&error))?;
        let prepare = self.prepare(&mut store, &instance);
        let Some(prepare) = prepare.map_err(|error| LoadError::Contract(format!("{error:#}")))? else { return Ok(()) };
        let checked = prepare.call_async(&mut store, (Held::Settings.borrow(),)).await;
        let (checked,) = checked.map_err(|error| fails(&error))?;
        checked.map_err(|reason| LoadError::Settings(Reason::new(&reason)))
    }

    /// What checks the settings, where the policy does; an error where it, or what decides, is not of the contract's type.
    fn prepare(&self, store: &mut Store<Host>, instance: &Instance) -> wasmtime::Result<Option<Prepare>> {
        crate::contract::Policy::new(&mut *store, instance)?;
        let Some(preparation) = self.compiled.inspection().preparation() else { return Ok(None) };
        let interface = instance.get_export_index(&mut *store, None, preparation);
        let function = interface.and_then(|of| instance.get_export_index(&mut *store, Some(&of), PREPARE));
        let function = function.ok_or_else(|| wasmtime::Error::msg(format!("`{preparation}` has no `{PREPARE}`")))?;
        instance.get_typed_func(&mut *store, function).map(Some)
    }

    fn store(&self, about: About, budget: Arc<TenantBudget>, limits: &Limits) -> Result<Store<Host>, Fault> {
        let scheduler = Arc::clone(&self.compiled.sandbox.0.scheduler);
        let host = Host::new(about, limits.clone(), Charge::new(budget), scheduler);
        let mut store = Store::new(self.pre.engine(), host);
        store.limiter(|host| host);
        store.set_epoch_deadline(SLICE);
        store.epoch_deadline_callback(slice_ended);
        match (self.compiled.is_metered(), limits.instructions) {
            (false, None) => Ok(store),
            (true, limit) => {
                let fuelled = store.set_fuel(limit.unwrap_or(u64::MAX));
                fuelled.map(|()| store).map_err(|error| Fault::Host(format!("{error:#}")))
            }
            (false, Some(_)) => Err(Fault::Host("the policy was not compiled to count its instructions".into())),
        }
    }

    /// The answer, and when there was an instance to give it.
    async fn ask(&self, store: &mut Store<Host>) -> (PolicyOutcome, Option<Instant>) {
        let _running = self.compiled.sandbox.0.ticker.running();
        let mut started = None;
        let answer = async {
            let policy = self.pre.instantiate_async(&mut *store).await?;
            started = Some(Instant::now());
            let authorizer = policy.portcullis_policy_authorizer();
            authorizer.call_decide(&mut *store, host::request(), Held::Data.borrow()).await
        };
        let judgement = match answer.await {
            Ok(verdict) => outcome_of(verdict),
            Err(error) => Err(from_wasmtime(&error, store.data().limits())),
        };
        (judgement, started)
    }
}

/// Called on the tick at which a guest is still running: ends it at its deadline, and lets others run until then. Who
/// runs long goes to the end of the queue.
fn slice_ended(mut store: StoreContextMut<'_, Host>) -> wasmtime::Result<UpdateDeadline> {
    let host = store.data_mut();
    let limit = host.limits().deadline;
    if host.clock.is_over(limit) {
        return Err(stop(Fault::Deadline { limit }));
    }
    host.notice_long().map_err(stop)?;
    let (turn, resumed) = (host.turn(), host.clock.pause());
    Ok(UpdateDeadline::YieldCustom(
        SLICE,
        Box::pin(async move {
            let turn = turn.await;
            // Last, for it lasts until this thread has nothing else to do: calls are read and light guests run, and who
            // runs long does not lose its place in the queue meanwhile.
            tokio::task::yield_now().await;
            // Nobody else sets it.
            let _ = resumed.set(Resumed::now(turn));
        }),
    ))
}

fn is_denial(judgement: &PolicyOutcome) -> bool {
    matches!(judgement, Ok(Verdict::Deny(_)) | Err(_))
}

fn outcome_of(verdict: types::Verdict) -> PolicyOutcome {
    match verdict {
        types::Verdict::Allow => Ok(Verdict::Allow),
        types::Verdict::Abstain => Ok(Verdict::Abstain),
        types::Verdict::Deny(reason) if reason.len() > MAX_REASON => {
            Err(Fault::BadAnswer(format!("a reason of {} bytes; at most {MAX_REASON}", reason.len())))
        }
        types::Verdict::Deny(reason) => Ok(Verdict::Deny(Reason::new(&reason))),
    }
}

impl Outcome {
    fn fault(fault: Fault, start: Instant) -> Self {
        let took = start.elapsed();
        let spent = Spent { waiting: took, ..Spent::default() };
        Self { judgement: Err(fault), obligations: Vec::new(), log: Vec::new(), log_dropped: 0, took, spent }
    }
}

impl std::fmt::Debug for Question {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Question").field("operation", &self.request.operation()).finish_non_exhaustive()
    }
}
