//! From a plugin call's bytes to the answer: read as dockerd reads it, ask the set in force, log, answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use portcullis_docker::{DockerRequest, Reader, Refusal, wire};
use portcullis_model::{Answer, Cause, Decision, Generation, Request};
use tokio::time::timeout;

use crate::config::{Config, Listener};
use crate::decision_log::{DecisionLog, Record, Subject};
use crate::plugin::Received;
use crate::policies::{Live, PolicyLog, PolicySet};
use crate::resolve::HostPaths;

/// A call of this size is read on a thread of its own: the others that answer calls are not to wait for it.
const LARGE: usize = 256 << 10;
const PING: [&str; 2] = ["SystemPing", "SystemPingHead"];

/// Decides calls: reads them as dockerd does, and asks the set in force.
#[derive(Debug)]
pub struct Judge {
    reader: Arc<Reader>,
    live: Arc<Live>,
    exempt_ping: bool,
    timeout: Duration,
}

/// Decides the calls of the plugin sockets, and logs what was decided.
#[derive(Debug)]
pub struct Decider {
    judge: Judge,
    log: DecisionLog,
}

/// Why a call is denied before any policy is asked.
#[derive(Debug)]
enum Unreadable {
    Call(wire::WireError),
    Refused(Box<Refusal>),
    /// The thread that read it ended.
    Host,
}

// === impl Judge ===

impl Judge {
    pub fn new(config: &Config, live: Arc<Live>) -> Self {
        let reader = Arc::new(Reader::new(config.rules.clone(), Arc::new(HostPaths)));
        Self { reader, live, exempt_ping: config.exempt_ping, timeout: config.limits.decision_timeout }
    }

    /// Decides a call, as dockerd posts it.
    pub async fn decide(&self, call: &[u8]) -> Decision {
        let set = self.live.load();
        match read(&self.reader, call) {
            Ok(request) => self.ask(&set, &Arc::new(request)).await.0,
            Err(unreadable) => unreadable.decision(set.generation),
        }
    }

    async fn ask(&self, set: &PolicySet, request: &Arc<DockerRequest>) -> (Decision, PolicyLog) {
        if self.exempt_ping && PING.contains(&request.operation()) {
            let (answer, cause, generation) = (Answer::Allow, Cause::Exempt, set.generation);
            return (Decision { answer, cause, generation, opinions: Vec::new() }, Vec::new());
        }
        let request = Arc::clone(request) as Arc<dyn Request>;
        match timeout(self.timeout, set.decide(request)).await {
            Ok(decided) => decided,
            Err(_) => {
                let told = format!("no decision within {} ms", self.timeout.as_millis());
                (Decision::refuse(Cause::Overloaded, &told, set.generation), Vec::new())
            }
        }
    }

    async fn read(&self, received: Received) -> Result<DockerRequest, Unreadable> {
        if received.bytes.len() < LARGE {
            return read(&self.reader, &received.bytes);
        }
        let reader = Arc::clone(&self.reader);
        let thread = tokio::task::spawn_blocking(move || read(&reader, &received.bytes));
        thread.await.unwrap_or(Err(Unreadable::Host))
    }
}

// === impl Decider ===

impl Decider {
    pub fn new(judge: Judge, log: DecisionLog) -> Self {
        Self { judge, log }
    }

    /// Decides one plugin call.
    pub(crate) async fn decide(&self, received: Received, listener: &Listener) -> Answer {
        let start = Instant::now();
        let set = self.judge.live.load();
        let read = self.judge.read(received).await;
        let took_to_read = start.elapsed();
        match read {
            Ok(request) => {
                let request = Arc::new(request);
                let (decision, lines) = self.judge.ask(&set, &request).await;
                let subject = Subject::of(request.as_ref());
                self.conclude(decision, subject, &lines, listener, (start, took_to_read))
            }
            Err(unreadable) => {
                let decision = unreadable.decision(set.generation);
                self.conclude(decision, unreadable.subject(), &Vec::new(), listener, (start, took_to_read))
            }
        }
    }

    /// Denies a call that could not even be received.
    pub(crate) fn refuse(&self, cause: Cause, told: &str, listener: &Listener) -> Answer {
        let now = Instant::now();
        let decision = Decision::refuse(cause, told, self.judge.live.load().generation);
        self.conclude(decision, Subject::default(), &Vec::new(), listener, (now, Duration::ZERO))
    }

    fn conclude(
        &self,
        decision: Decision,
        subject: Subject<'_>,
        lines: &PolicyLog,
        listener: &Listener,
        (start, took_to_read): (Instant, Duration),
    ) -> Answer {
        let (listener, took) = (listener.name.as_str(), start.elapsed());
        self.log.write(&Record { decision: &decision, subject, lines, listener, took, took_to_read });
        decision.answer
    }
}

fn read(reader: &Reader, bytes: &[u8]) -> Result<DockerRequest, Unreadable> {
    let call = wire::read_call(bytes).map_err(Unreadable::Call)?;
    reader.read(call).map_err(|refusal| Unreadable::Refused(Box::new(refusal)))
}

impl Unreadable {
    fn decision(&self, generation: Generation) -> Decision {
        match self {
            Self::Call(error) => Decision::refuse(Cause::BadCall, &error.to_string(), generation),
            Self::Refused(refusal) => {
                Decision::refuse(Cause::Rule(refusal.rule.name()), &refusal.to_string(), generation)
            }
            Self::Host => Decision::refuse(Cause::Internal, "the host failed; its log says how", generation),
        }
    }

    fn subject(&self) -> Subject<'_> {
        match self {
            Self::Refused(refusal) => Subject {
                operation: refusal.operation,
                method: Some(&refusal.method),
                path: Some(&refusal.path),
                user: None,
            },
            Self::Call(_) | Self::Host => Subject::default(),
        }
    }
}
