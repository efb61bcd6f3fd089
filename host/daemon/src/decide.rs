//! From a plugin call's bytes to the answer: whose it is, whether there is room, read as dockerd reads it, ask, log,
//! answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use portcullis_docker::{DockerRequest, Reader, Refusal, wire};
use portcullis_engine::Share;
use portcullis_model::decision::Mode;
use portcullis_model::request::UnreadableCertificate;
use portcullis_model::tenant::Caller;
use portcullis_model::view::Certificate;
use portcullis_model::{Answer, Cause, Decision, Request, TenantName};
use tokio::time::timeout;

use crate::asking::explained;
use crate::config::{Config, Listener};
use crate::decision_log::{DecisionLog, Record, Subject};
use crate::plugin::Received;
use crate::policies::{Live, PolicyLog, Snapshot, Tenant};
use crate::resolve::HostPaths;
use crate::tenant::Tally;

/// A call of this size is read on a thread of its own: the others that answer calls are not to wait for it.
const LARGE: usize = 256 << 10;
const PING: [&str; 2] = ["SystemPing", "SystemPingHead"];

/// Decides calls: finds whose they are, reads them as dockerd does, and asks what is in force.
#[derive(Debug)]
pub struct Judge {
    reader: Arc<Reader>,
    live: Arc<Live>,
    exempt_ping: bool,
    timeout: Duration,
}

/// A call, decided.
#[derive(Debug)]
pub struct Judged {
    pub decision: Decision,
    /// None where it cannot be told.
    pub tenant: Option<Arc<Tenant>>,
    /// What the operator is told and the caller is not.
    problem: Option<String>,
    about: About,
    lines: PolicyLog,
    took_to_read: Duration,
}

/// What became of a question.
#[derive(Debug)]
pub(crate) struct Considered {
    pub(crate) judged: Judged,
    /// With which it was answered.
    pub(crate) snapshot: Arc<Snapshot>,
    /// The call as policies see it, where that was asked for.
    pub(crate) explained: Option<serde_json::Value>,
}

/// What is known of a call.
#[derive(Debug)]
enum About {
    Nothing,
    Call { method: String, uri: String, user: Option<String> },
    Refused(Box<Refusal>),
    Request(Arc<DockerRequest>),
}

/// Decides the calls of the plugin sockets, and logs what was decided.
#[derive(Debug)]
pub struct Decider {
    judge: Judge,
    log: DecisionLog,
    /// Of calls that are nobody's.
    strangers: Tally,
}

/// Who sent a call, and where it came in.
struct Arrival<'a> {
    listener: &'a str,
    call: &'a wire::Call,
}

/// The thread that did some work ended.
struct Lost;

// === impl Judge ===

impl Judge {
    pub fn new(config: &Config, live: Arc<Live>) -> Self {
        let reader = Arc::new(Reader::new(config.rules.clone(), Arc::new(HostPaths)));
        Self { reader, live, exempt_ping: config.exempt_ping, timeout: config.limits.decision_timeout }
    }

    /// What is in force.
    pub fn live(&self) -> &Arc<Live> {
        &self.live
    }

    /// What would be answered to a call, without a trace: what policies would keep is forgotten, and the call takes no place of its
    /// tenant's. None where there is no such tenant. A tenant that is named is asked, whoever calls.
    pub(crate) async fn consider(
        &self,
        call: Result<wire::Call, String>,
        listener: &str,
        tenant: Option<&TenantName>,
        explain: bool,
        share: &Arc<Share>,
    ) -> Option<Considered> {
        let snapshot = self.live.load();
        let refused = |cause, told: &str, problem, about| {
            let decision = Decision::refuse(cause, told, snapshot.generation);
            Judged { problem, ..Judged::refused(decision, None, about) }
        };
        let named = match tenant {
            Some(name) => Some(Arc::clone(snapshot.tenants.iter().find(|tenant| tenant.name == *name)?)),
            None => None,
        };
        let call = match call {
            Ok(call) => call,
            Err(told) => {
                let judged = refused(Cause::BadCall, &told, None, About::Nothing);
                return Some(Considered { judged, snapshot, explained: None });
            }
        };
        let is_large = call.body.as_ref().is_some_and(|body| body.len() >= LARGE);
        let (reader, copy) = (Arc::clone(&self.reader), explain.then(|| call.clone()));
        let explained = work(is_large, move || {
            let (refusals, request) = reader.explain(&copy?);
            Some(explained(&refusals, request.as_ref()))
        });
        let explained = explained.await.ok().flatten();
        let placed = match named {
            Some(tenant) => Ok(tenant),
            None => snapshot.place(&Arrival { listener, call: &call }).cloned(),
        };
        let judged = match placed {
            Ok(tenant) => self.read_and_ask(&snapshot, tenant, call, is_large, Some(share)).await,
            Err(unplaced) => refused(Cause::Unplaced, &unplaced.told(), Some(unplaced.to_string()), About::of(call)),
        };
        Some(Considered { judged, snapshot, explained })
    }

    /// Decides a call, as dockerd posts it to a listener.
    pub async fn judge(&self, call: Bytes, listener: &str) -> Judged {
        let start = Instant::now();
        let snapshot = self.live.load();
        let is_large = call.len() >= LARGE;
        let call = match work(is_large, move || wire::read_call(&call)).await {
            Ok(Ok(call)) => call,
            Ok(Err(error)) => {
                let decision = Decision::refuse(Cause::BadCall, &error.to_string(), snapshot.generation);
                return Judged { took_to_read: start.elapsed(), ..Judged::refused(decision, None, About::Nothing) };
            }
            Err(Lost) => return Judged::lost(&snapshot, None),
        };
        let tenant = match snapshot.place(&Arrival { listener, call: &call }) {
            Ok(tenant) => Arc::clone(tenant),
            Err(unplaced) => {
                let decision = Decision::refuse(Cause::Unplaced, &unplaced.told(), snapshot.generation);
                let problem = Some(unplaced.to_string());
                return Judged { problem, ..Judged::refused(decision, None, About::of(call)) };
            }
        };
        let admission = Arc::clone(&tenant.resources.admission);
        let _place = match admission.enter(is_large).await {
            Ok(place) => place,
            Err(overload) => {
                let told = "too many decisions are in flight";
                let decision = Decision::refuse(Cause::Overloaded, told, snapshot.generation);
                let problem = Some(overload.to_string());
                return Judged { problem, ..Judged::refused(decision, Some(tenant), About::of(call)) };
            }
        };
        self.read_and_ask(&snapshot, tenant, call, is_large, None).await
    }

    /// A question has a share of its own, and leaves no trace.
    async fn read_and_ask(
        &self,
        snapshot: &Snapshot,
        tenant: Arc<Tenant>,
        call: wire::Call,
        is_large: bool,
        question: Option<&Arc<Share>>,
    ) -> Judged {
        let start = Instant::now();
        let reader = Arc::clone(&self.reader);
        match work(is_large, move || reader.read(call)).await {
            Ok(Ok(request)) => {
                let took_to_read = start.elapsed();
                let request = Arc::new(request);
                let (decision, lines) = self.ask(snapshot, &tenant, &request, question).await;
                let about = About::Request(request);
                Judged { decision, tenant: Some(tenant), problem: None, about, lines, took_to_read }
            }
            Ok(Err(refusal)) => {
                let cause = Cause::Rule(refusal.rule.name());
                let decision = Decision::refuse(cause, &refusal.to_string(), snapshot.generation);
                let about = About::Refused(Box::new(refusal));
                Judged { took_to_read: start.elapsed(), ..Judged::refused(decision, Some(tenant), about) }
            }
            Err(Lost) => Judged::lost(snapshot, Some(tenant)),
        }
    }

    async fn ask(
        &self,
        snapshot: &Snapshot,
        tenant: &Tenant,
        request: &Arc<DockerRequest>,
        question: Option<&Arc<Share>>,
    ) -> (Decision, PolicyLog) {
        let generation = snapshot.generation;
        if self.exempt_ping && PING.contains(&request.operation()) {
            let (answer, cause) = (Answer::Allow, Cause::Exempt);
            return (Decision { answer, cause, generation, opinions: Vec::new(), would: None }, Vec::new());
        }
        let request = Arc::clone(request) as Arc<dyn Request>;
        let decided = async {
            match question {
                None => tenant.set.decide(request, &tenant.resources.share, generation).await,
                Some(share) => tenant.set.decide_dry(request, share, generation).await,
            }
        };
        match timeout(self.timeout, decided).await {
            Ok(decided) => decided,
            Err(_) => {
                let told = format!("no decision within {} ms", self.timeout.as_millis());
                (Decision::refuse(Cause::Overloaded, &told, generation), Vec::new())
            }
        }
    }
}

/// Does some work, on a thread of its own where it is large.
async fn work<T: Send + 'static>(is_large: bool, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Lost> {
    if is_large { tokio::task::spawn_blocking(work).await.map_err(|_| Lost) } else { Ok(work()) }
}

// === impl Judged ===

impl Judged {
    fn refused(decision: Decision, tenant: Option<Arc<Tenant>>, about: About) -> Self {
        Self { decision, tenant, problem: None, about, lines: Vec::new(), took_to_read: Duration::ZERO }
    }

    fn lost(snapshot: &Snapshot, tenant: Option<Arc<Tenant>>) -> Self {
        let told = "the host failed; its log says how";
        Self::refused(Decision::refuse(Cause::Internal, told, snapshot.generation), tenant, About::Nothing)
    }

    pub(crate) fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    pub(crate) fn lines(&self) -> &PolicyLog {
        &self.lines
    }

    pub(crate) fn subject(&self) -> Subject<'_> {
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

// === impl About ===

impl About {
    fn of(call: wire::Call) -> Self {
        Self::Call { method: call.method, uri: call.uri, user: call.user }
    }

    fn subject(&self) -> Subject<'_> {
        match self {
            Self::Nothing => Subject::default(),
            Self::Call { method, uri, user } => {
                Subject { operation: None, method: Some(method), path: Some(uri), user: user.as_deref() }
            }
            Self::Refused(refusal) => Subject {
                operation: refusal.operation,
                method: Some(&refusal.method),
                path: Some(&refusal.path),
                user: refusal.user.as_deref(),
            },
            Self::Request(request) => Subject::of(request),
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

// === impl Decider ===

impl Decider {
    pub fn new(judge: Judge, log: DecisionLog) -> Self {
        Self { judge, log, strangers: Tally::default() }
    }

    pub fn live(&self) -> &Arc<Live> {
        self.judge.live()
    }

    pub(crate) fn judge(&self) -> &Judge {
        &self.judge
    }

    /// Of calls that are nobody's.
    pub fn strangers(&self) -> &Tally {
        &self.strangers
    }

    /// Decides one plugin call.
    pub(crate) async fn decide(&self, received: Received, listener: &Listener) -> Answer {
        let start = Instant::now();
        // What it holds of the room for large calls is given back when it is decided.
        let judged = self.judge.judge(received.bytes.clone(), &listener.name).await;
        self.conclude(judged, listener, start)
    }

    /// Denies a call that could not even be received.
    pub(crate) fn refuse(&self, cause: Cause, told: &str, listener: &Listener) -> Answer {
        let decision = Decision::refuse(cause, told, self.judge.live.load().generation);
        self.conclude(Judged::refused(decision, None, About::Nothing), listener, Instant::now())
    }

    fn conclude(&self, mut judged: Judged, listener: &Listener, start: Instant) -> Answer {
        judged.bound_lines();
        let took = start.elapsed();
        let Judged { decision, tenant, problem, about, lines, took_to_read } = &judged;
        let tally = tenant.as_ref().map_or(&self.strangers, |tenant| &*tenant.resources.tally);
        tally.count(decision, took);
        if let Some(tenant) = tenant {
            tenant.set.count(decision);
        }
        let mode = tenant.as_ref().map_or(Mode::Enforce, |tenant| tenant.mode());
        let tenant = tenant.as_ref().map(|tenant| tenant.name.as_str());
        let (listener, took_to_read) = (listener.name.as_str(), *took_to_read);
        let (problem, subject) = (problem.as_deref(), about.subject());
        self.log.write(&Record { decision, tenant, mode, problem, subject, lines, listener, took, took_to_read });
        judged.decision.answer
    }
}
