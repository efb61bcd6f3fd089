//! From a plugin call's bytes to the answer: whose it is, whether there is room, read as dockerd reads it, ask, log,
//! answer.

mod work;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwap;
use bytes::Bytes;
use portcullis_config::Config;
use portcullis_decision_log::{
    About, DecisionEvent, DecisionId, DecisionLog, Sender, Subject, Times, UNWRITTEN, Unkept,
};
use portcullis_docker::{DockerRequest, NoResolve, Reader, Refusal, answer, wire};
use portcullis_engine::{LARGE_CALLS, PolicyLog, TenantBudget};
use portcullis_model::decision::Mode;
use portcullis_model::request::UnreadableCertificate;
use portcullis_model::tenant::Caller;
use portcullis_model::view::Certificate;
use portcullis_model::{Answer, Cause, Decision, Generation, Request, Span, TenantName};
use portcullis_mounts::created::Created;
use portcullis_mounts::masked::masked_paths;
use portcullis_mounts::resolve::{Resolver, Stuck};
use portcullis_policies::tenant::Counters;
use portcullis_policies::{Live, Snapshot, Tenant};
use tokio::time::timeout_at;
use tracing::warn;

use self::work::{Charges, Reading, Unread, work};
use crate::body::Received;
use crate::explain::explained;
use crate::recorder::Recorder;

/// A call of this size is read on a thread for that: those that answer calls are not to wait for it.
const LARGE: usize = 256 << 10;
const PING: [&str; 2] = ["SystemPing", "SystemPingHead"];

/// Decides calls: finds whose they are, reads them as dockerd does, and asks what is active.
#[derive(Debug)]
pub struct Evaluator {
    /// Another one after a reload with other rules.
    reader: ArcSwap<Reader>,
    resolver: Resolver,
    created: Created,
    live: Arc<Live>,
    exempt_ping: AtomicBool,
    timeout: Duration,
    /// What large calls hold, of all tenants.
    large: Arc<TenantBudget>,
}

/// A call, decided.
#[derive(Debug)]
pub struct Evaluation {
    pub decision: Decision,
    /// None where it cannot be told.
    pub tenant: Option<Arc<Tenant>>,
    /// What the operator is told and the caller is not.
    problem: Option<String>,
    about: About,
    lines: PolicyLog,
    times: Times,
}

/// What became of a question.
#[derive(Debug)]
pub struct DryRun {
    pub(crate) evaluation: Evaluation,
    /// With which it was answered.
    pub snapshot: Arc<Snapshot>,
    /// The call as policies see it, where that was asked for.
    pub explained: Option<serde_json::Value>,
}

/// Decides the calls of the plugin sockets, and logs what was decided.
#[derive(Debug)]
pub struct Authorizer {
    evaluator: Evaluator,
    log: DecisionLog,
    /// Of calls that are nobody's.
    unmatched: Counters,
    recorder: Recorder,
}

/// A call that has come, or that could not come whole.
#[derive(Debug)]
struct Arrived<'a> {
    sender: &'a Sender,
    /// By the clock, and for measuring.
    at: (SystemTime, Instant),
    /// Bytes.
    size: usize,
}

/// Who sent a call, and where it came in.
#[derive(Debug)]
pub struct Arrival<'a> {
    pub listener: &'a str,
    pub call: &'a wire::Call,
}

/// Whose call was answered.
struct Answered<'a> {
    listener: &'a str,
    request: &'a DockerRequest,
}

// === impl Evaluator ===

impl Evaluator {
    pub fn new(config: &Config, live: Arc<Live>) -> Self {
        let timeout = config.limits.decision_timeout;
        // Where mounts lead is looked up before policies are asked, and not here.
        let reader = Reader::new(config.rules.clone(), Arc::new(NoResolve)).masking(masked_paths());
        let (reader, exempt_ping) = (ArcSwap::from_pointee(reader), config.exempt_ping.into());
        let resolver = Resolver::new(timeout);
        let large = TenantBudget::new(usize::try_from(config.limits.large_calls_memory).unwrap_or(usize::MAX));
        Self { reader, resolver, created: Created::default(), live, exempt_ping, timeout, large }
    }

    /// The same, with what is known of containers and volumes that are there.
    pub fn remembering(self, created: Created) -> Self {
        Self { created, ..self }
    }

    /// Every lookup of a mount's path that has not come back in time.
    pub fn stuck(&self) -> Vec<Stuck> {
        self.resolver.stuck()
    }

    /// Takes the host rules, and whether `/_ping` is exempt, for the calls to come.
    pub fn take(&self, config: &Config) {
        self.reader.store(Arc::new(self.reader.load().with_rules(config.rules.clone())));
        self.exempt_ping.store(config.exempt_ping, Ordering::Relaxed);
    }

    /// What is active.
    pub fn live(&self) -> &Arc<Live> {
        &self.live
    }

    /// What would be answered to a call, without a trace: what policies would keep is forgotten, and the call takes no place of its
    /// tenant's. None where there is no such tenant. A tenant that is named is asked, whoever calls.
    pub(crate) async fn dry_run(
        &self,
        call: Result<wire::Call, String>,
        listener: &str,
        tenant: Option<&TenantName>,
        explain: bool,
        budget: &Arc<TenantBudget>,
    ) -> Option<DryRun> {
        let snapshot = self.live.load();
        let refused = |cause, message: &str, problem, about| {
            let decision = Decision::refuse(cause, message, snapshot.generation);
            Evaluation { problem, ..Evaluation::refused(decision, None, about) }
        };
        let named = match tenant {
            Some(name) => Some(Arc::clone(snapshot.tenants.iter().find(|tenant| tenant.name == *name)?)),
            None => None,
        };
        let call = match call {
            Ok(call) => call,
            Err(message) => {
                let evaluation = refused(Cause::BadCall, &message, None, About::Nothing);
                return Some(DryRun { evaluation, snapshot, explained: None });
            }
        };
        let is_large = call.body.as_ref().is_some_and(|body| body.len() >= LARGE);
        let placed = match named {
            Some(tenant) => Ok(tenant),
            None => snapshot.place(&Arrival { listener, call: &call }).cloned(),
        };
        let explained = match explain {
            true => {
                let tenant = placed.as_ref().map(|tenant| tenant.name.clone()).unwrap_or_default();
                let deadline = self.deadline();
                self.explain(call.clone(), Reading { listener, tenant: &tenant, budget, is_large, deadline }).await
            }
            false => None,
        };
        let evaluation = match placed {
            Ok(tenant) => {
                let (name, deadline) = (tenant.name.clone(), self.deadline());
                let reading = Reading { listener, tenant: &name, budget, is_large, deadline };
                self.read_and_ask(&snapshot, tenant, call, reading, Some(budget)).await
            }
            Err(unplaced) => {
                refused(Cause::Unplaced, &unplaced.public_message(), Some(unplaced.to_string()), About::of(call))
            }
        };
        Some(DryRun { evaluation, snapshot, explained })
    }

    /// A call as policies see it, whether or not a host rule refuses it.
    async fn explain(&self, call: wire::Call, reading: Reading<'_>) -> Option<serde_json::Value> {
        let Reading { listener, tenant, budget, is_large, deadline } = reading;
        let reader = self.reader.load_full();
        let whose = tenant.as_str();
        let (refusals, mut request) = work(whose, is_large, deadline, move || reader.explain(&call)).await.ok()?;
        if let Some(request) = &mut request {
            request.set_created_with(self.created.mounts(listener, tenant, request));
            self.resolver.resolve(request, tenant).await;
            if is_large {
                let mut charges = Charges::new(budget, &self.large);
                charges.take(request).ok()?;
                charges.keep(request, tenant);
            }
        }
        work(whose, is_large, deadline, move || explained(&refusals, request.as_ref())).await.ok()
    }

    /// Decides a call, as dockerd posts it to a listener.
    pub async fn evaluate(&self, call: Bytes, listener: &str) -> Evaluation {
        let start = Instant::now();
        let deadline = start + self.timeout;
        let snapshot = self.live.load();
        let is_large = call.len() >= LARGE;
        let read = work(listener, is_large, deadline, move || wire::read_call(&call)).await;
        let parse = start.elapsed();
        let mut times = Times { read: parse, parse, ..Times::default() };
        let call = match read {
            Ok(Ok(call)) => call,
            Ok(Err(error)) => {
                let decision = Decision::refuse(Cause::BadCall, &error.to_string(), snapshot.generation);
                return Evaluation { times, ..Evaluation::refused(decision, None, About::Nothing) };
            }
            Err(unread) => return Evaluation { times, ..self.unread(unread, &snapshot, None) },
        };
        let tenant = match snapshot.place(&Arrival { listener, call: &call }) {
            Ok(tenant) => Arc::clone(tenant),
            Err(unplaced) => {
                let decision = Decision::refuse(Cause::Unplaced, &unplaced.public_message(), snapshot.generation);
                let problem = Some(unplaced.to_string());
                return Evaluation { problem, times, ..Evaluation::refused(decision, None, About::of(call)) };
            }
        };
        let admission = Arc::clone(&tenant.resources.admission);
        let waits = Instant::now();
        let place = admission.enter(is_large).await;
        times.wait = waits.elapsed();
        let _place = match place {
            Ok(place) => place,
            Err(overload) => {
                let message = "too many decisions are in flight";
                let decision = Decision::refuse(Cause::Overloaded, message, snapshot.generation);
                let problem = Some(overload.to_string());
                return Evaluation { problem, times, ..Evaluation::refused(decision, Some(tenant), About::of(call)) };
            }
        };
        let (name, budget) = (tenant.name.clone(), Arc::clone(&tenant.resources.budget));
        let reading = Reading { listener, tenant: &name, budget: &budget, is_large, deadline };
        let evaluation = self.read_and_ask(&snapshot, tenant, call, reading, None).await;
        if let (true, About::Request(request)) = (evaluation.decision.answer.is_allow(), &evaluation.about) {
            self.created.expect(listener, &name, request);
        }
        let Times { read, ask, .. } = evaluation.times;
        Evaluation { times: Times { read: times.read + read, ask, ..times }, ..evaluation }
    }

    /// A question has a share of its own, and leaves no trace.
    async fn read_and_ask(
        &self,
        snapshot: &Snapshot,
        tenant: Arc<Tenant>,
        call: wire::Call,
        reading: Reading<'_>,
        question: Option<&Arc<TenantBudget>>,
    ) -> Evaluation {
        let start = Instant::now();
        let read = self.read(call, reading).await;
        let took_to_read = start.elapsed();
        let mut times = Times { read: took_to_read, ..Times::default() };
        match read {
            Ok(Ok((request, problem))) => {
                let request = Arc::new(request);
                let asked = Arc::clone(&request) as Arc<dyn Request>;
                let (decision, lines) = self.ask(snapshot, &tenant, asked, question, reading.deadline).await;
                times.ask = start.elapsed() - took_to_read;
                let about = About::Request(request);
                Evaluation { decision, tenant: Some(tenant), problem, about, lines, times }
            }
            Ok(Err(refusal)) => {
                let cause = Cause::Rule(refusal.rule.name());
                let decision = Decision::refuse(cause, &refusal.to_string(), snapshot.generation);
                let about = About::Refused(Box::new(refusal));
                Evaluation { times, ..Evaluation::refused(decision, Some(tenant), about) }
            }
            Err(unread) => Evaluation { times, ..self.unread(unread, snapshot, Some(tenant)) },
        }
    }

    /// Reads a call, and looks up where its mounts lead. Of a large call, all views are made here: not where others are answered.
    async fn read(
        &self,
        call: wire::Call,
        reading: Reading<'_>,
    ) -> Result<Result<(DockerRequest, Option<String>), Refusal>, Unread> {
        if reading.is_large {
            return self.read_large(call, reading).await;
        }
        let mut request = match self.reader.load_full().read(call) {
            Ok(request) => request,
            Err(refusal) => return Ok(Err(refusal)),
        };
        request.set_created_with(self.created.mounts(reading.listener, reading.tenant, &request));
        let problem = self.resolver.resolve(&mut request, reading.tenant).await.map(|too_slow| too_slow.to_string());
        Ok(Ok((request, problem)))
    }

    /// The same where others are not to wait for it. Its memory is charged to its tenant and to the host, until it is given back.
    async fn read_large(
        &self,
        call: wire::Call,
        reading: Reading<'_>,
    ) -> Result<Result<(DockerRequest, Option<String>), Refusal>, Unread> {
        let Reading { listener, tenant, budget, deadline, .. } = reading;
        let (reader, whose) = (self.reader.load_full(), tenant.as_str());
        let mut charges = Charges::new(budget, &self.large);
        let read = move || {
            let request = reader.read(call);
            let charging = request.as_ref().map_or(Ok(()), |request| charges.take(request));
            charging.map(|()| (request, charges))
        };
        let (request, mut charges) = work(whose, true, deadline, read).await??;
        let mut request = match request {
            Ok(request) => request,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let created_with = self.created.mounts(listener, tenant, &request);
        let (named, paths) = work(whose, true, deadline, move || {
            request.set_created_with(created_with);
            let paths = request.paths_to_resolve();
            (request, paths)
        })
        .await?;
        let found = self.resolver.look_up(paths, tenant).await;
        let problem = found.as_ref().err().map(ToString::to_string);
        let owner = tenant.clone();
        let request = work(whose, true, deadline, move || {
            let mut request = named;
            request.set_resolver(Arc::new(found.unwrap_or_default()));
            request.make_views();
            charges.take(&request)?;
            charges.keep(&mut request, &owner);
            Ok::<_, Unread>(request)
        })
        .await??;
        Ok(Ok((request, problem)))
    }

    /// A denial for a call that was not read.
    fn unread(&self, unread: Unread, snapshot: &Snapshot, tenant: Option<Arc<Tenant>>) -> Evaluation {
        let decision = match unread {
            Unread::Lost => Decision::refuse(Cause::Internal, "the host failed; its log says how", snapshot.generation),
            Unread::Late => self.too_late(snapshot.generation),
            Unread::TooMuch(fault) => {
                let message = "the large calls of this tenant hold too much memory";
                let decision = Decision::refuse(Cause::Overloaded, message, snapshot.generation);
                let problem = Some(format!("{fault}: large calls are charged to it, too"));
                return Evaluation { problem, ..Evaluation::refused(decision, tenant, About::Nothing) };
            }
            Unread::Full(limit) => {
                let message = "the large calls of all tenants hold too much memory";
                let decision = Decision::refuse(Cause::Overloaded, message, snapshot.generation);
                let problem = Some(format!("large calls may hold {limit} bytes together (`large_calls_memory`)"));
                return Evaluation { problem, ..Evaluation::refused(decision, tenant, About::Nothing) };
            }
        };
        Evaluation::refused(decision, tenant, About::Nothing)
    }

    fn too_late(&self, generation: Generation) -> Decision {
        let message = format!("no decision within {}", Span(self.timeout));
        Decision::refuse(Cause::Overloaded, &message, generation)
    }

    /// Asks about a call that could be read.
    pub async fn ask(
        &self,
        snapshot: &Snapshot,
        tenant: &Tenant,
        request: Arc<dyn Request>,
        question: Option<&Arc<TenantBudget>>,
        deadline: Instant,
    ) -> (Decision, PolicyLog) {
        let generation = snapshot.generation;
        if self.exempt_ping.load(Ordering::Relaxed) && PING.contains(&request.operation()) {
            let (answer, cause) = (Answer::Allow, Cause::Exempt);
            return (Decision { answer, cause, generation, opinions: Vec::new(), would: None }, Vec::new());
        }
        let decided = async {
            match question {
                None => tenant.set.decide(request, &tenant.resources.budget, generation).await,
                Some(budget) => tenant.set.decide_dry(request, budget, generation).await,
            }
        };
        match timeout_at(deadline.into(), decided).await {
            Ok(decided) => decided,
            Err(_) => (self.too_late(generation), Vec::new()),
        }
    }

    /// When a decision that begins now must be made.
    pub fn deadline(&self) -> Instant {
        Instant::now() + self.timeout
    }
}

// === impl Evaluation ===

impl Evaluation {
    fn refused(decision: Decision, tenant: Option<Arc<Tenant>>, about: About) -> Self {
        Self { decision, tenant, problem: None, about, lines: Vec::new(), times: Times::default() }
    }

    /// What the operator is told and the caller is not.
    pub fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// What policies wrote for the operator.
    pub fn lines(&self) -> &PolicyLog {
        &self.lines
    }

    /// What is known of the call.
    pub fn subject(&self) -> Subject<'_> {
        self.about.subject()
    }

    /// Leaves so many lines of its policies as the tenant may write now.
    fn bound_lines(&mut self) {
        let Some(tenant) = &self.tenant else { return };
        let count = |lines: usize| u32::try_from(lines).unwrap_or(u32::MAX);
        let wanted = count(self.lines.iter().map(|(_, lines, _)| lines.len()).sum());
        if wanted == 0 {
            return;
        }
        let mut granted = tenant.resources.lines.take(wanted);
        for (_, lines, dropped) in &mut self.lines {
            let kept = count(lines.len()).min(granted);
            granted -= kept;
            *dropped = dropped.saturating_add(count(lines.len()) - kept);
            lines.truncate(kept as usize);
        }
    }
}

// === impl Arrival ===

impl Caller for Arrival<'_> {
    fn listener(&self) -> &str {
        self.listener
    }

    fn user(&self) -> Option<&str> {
        self.call.user.as_deref()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.call.header(name)
    }

    fn certificates(&self) -> Result<&[Certificate], UnreadableCertificate> {
        self.call.certificates.read()
    }
}

// === impl Answered ===

impl Caller for Answered<'_> {
    fn listener(&self) -> &str {
        self.listener
    }

    fn user(&self) -> Option<&str> {
        self.request.user()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.request.header(name)
    }

    fn certificates(&self) -> Result<&[Certificate], UnreadableCertificate> {
        self.request.certificates()
    }
}

// === impl Authorizer ===

impl Authorizer {
    pub fn new(evaluator: Evaluator, log: DecisionLog, recorder: Recorder) -> Self {
        Self { evaluator, log, unmatched: Counters::default(), recorder }
    }

    /// Takes what of the configuration needs no restart, for the calls to come.
    pub fn take(&self, config: &Config) {
        self.evaluator.take(config);
    }

    /// What counts decisions.
    pub fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    pub fn live(&self) -> &Arc<Live> {
        self.evaluator.live()
    }

    /// What decides, without logging or counting.
    pub fn evaluator(&self) -> &Evaluator {
        &self.evaluator
    }

    /// Where decisions go.
    pub fn log(&self) -> &DecisionLog {
        &self.log
    }

    /// Of calls that are nobody's.
    pub fn unmatched(&self) -> &Counters {
        &self.unmatched
    }

    /// Decides one plugin call.
    pub async fn decide(&self, received: Received, sender: &Sender) -> Answer {
        let arrived = Arrived::now(sender, received.bytes.len());
        // What it holds of the room for large calls is given back when it is decided; its bytes, when they are read.
        let Received { bytes, _permit } = received;
        let evaluation = self.evaluator.evaluate(bytes, &sender.listener).await;
        self.conclude(evaluation, arrived).await
    }

    /// Remembers what an operation that was carried out has made, from the body of its `AuthZRes`.
    pub(crate) async fn remember(&self, received: Received, sender: &Sender) {
        let reader = self.evaluator.reader.load_full();
        let Received { bytes, _permit } = received;
        let (is_large, deadline) = (bytes.len() >= LARGE, self.evaluator.deadline());
        let read = work(&sender.listener, is_large, deadline, move || answer::read(&bytes, &reader)).await;
        match read {
            Ok(Some((request, change))) => {
                let snapshot = self.evaluator.live.load();
                let tenant = snapshot.place(&Answered { listener: &sender.listener, request: &request });
                let tenant = tenant.ok().map(|tenant| &tenant.name);
                self.evaluator.created.settle(&sender.listener, tenant, &request, change).await;
            }
            Ok(None) => {}
            Err(_) => warn!("an answer could not be read in time; what it may have made is not remembered"),
        }
    }

    /// Denies a call that could not even be received.
    pub async fn refuse(&self, cause: Cause, message: &str, sender: &Sender) -> Answer {
        let decision = Decision::refuse(cause, message, self.evaluator.live.load().generation);
        self.conclude(Evaluation::refused(decision, None, About::Nothing), Arrived::now(sender, 0)).await
    }

    /// Counts and logs what was decided, and gives what the caller is told.
    async fn conclude(&self, mut evaluation: Evaluation, arrived: Arrived<'_>) -> Answer {
        evaluation.bound_lines();
        let Arrived { sender, at: (at, start), size } = arrived;
        let Evaluation { decision, tenant, problem, about, lines, times } = evaluation;
        let times = Times { whole: start.elapsed(), ..times };
        let counters = tenant.as_ref().map_or(&self.unmatched, |tenant| &*tenant.resources.counters);
        counters.note(&decision);
        if let Some(tenant) = &tenant {
            tenant.set.count(&decision);
        }
        let noted = self.recorder.note(&decision, &about, &lines, tenant.as_deref(), counters, &times);
        let mode = tenant.as_ref().map_or(Mode::Enforce, |tenant| tenant.mode());
        let id = DecisionId::new(at);
        let answer = with_id(&decision.answer, id);
        let kept = if self.log.is_wanted() {
            let (tenant, sender, waits) = (tenant.as_ref().map(|tenant| tenant.name.clone()), sender.clone(), None);
            let event =
                DecisionEvent { id, at, decision, tenant, mode, problem, about, size, lines, sender, times, waits };
            self.log.keep(event).await
        } else {
            if size >= LARGE {
                LARGE_CALLS.discard(&sender.listener, about);
            }
            Ok(())
        };
        self.recorder.finish(noted, counters, kept.is_ok(), start.elapsed());
        match kept {
            Ok(()) => answer,
            Err(Unkept) => with_id(&Answer::deny(UNWRITTEN), id),
        }
    }
}

/// What the caller is told: a denial has the ID by which the operator finds it.
fn with_id(answer: &Answer, id: DecisionId) -> Answer {
    match answer {
        Answer::Allow => Answer::Allow,
        Answer::Deny(reason) => Answer::Deny(reason.tagged(id.short(&mut [0; DecisionId::LEN]))),
    }
}

// === impl Arrived ===

impl<'a> Arrived<'a> {
    fn now(sender: &'a Sender, size: usize) -> Self {
        Self { sender, at: (SystemTime::now(), Instant::now()), size }
    }
}
