//! What the decision path hands over.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use portcullis_docker::wire::Call;
use portcullis_docker::{DockerRequest, Refusal};
use portcullis_engine::PolicyLog;
use portcullis_model::decision::Mode;
use portcullis_model::{Decision, Request, TenantName};
use tokio::sync::oneshot;

use crate::id::DecisionId;

/// What waits holds so many bytes beside the call or its line.
pub(crate) const OVERHEAD: usize = 1 << 10;

/// All that is to be logged of one decision.
#[derive(Debug)]
pub struct DecisionEvent {
    pub id: DecisionId,
    /// When the call had arrived.
    pub at: SystemTime,
    pub decision: Decision,
    /// None where it cannot be told.
    pub tenant: Option<TenantName>,
    /// The tenant's.
    pub mode: Mode,
    /// What the operator is told and the caller is not.
    pub problem: Option<String>,
    pub about: About,
    /// The plugin call's, in bytes.
    pub size: usize,
    /// By the place of the policy among the decision's opinions; maybe shorter.
    pub lines: PolicyLog,
    pub sender: Sender,
    pub times: Times,
    /// Who waits for the record to be kept.
    pub waits: Option<oneshot::Sender<()>>,
}

/// What is known of a call.
#[derive(Debug)]
pub enum About {
    Nothing,
    /// It was not read any further, and has no body here.
    Call(Box<Call>),
    Refused(Box<Refusal>),
    Request(Arc<DockerRequest>),
}

/// Where a call came in, and by which process.
#[derive(Clone, Debug)]
pub struct Sender {
    /// The listener's name.
    pub listener: Arc<str>,
    pub peer: Option<Peer>,
}

/// The process at the other end of a socket, as the kernel tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    pub uid: u32,
    pub pid: Option<i32>,
}

/// How long a call took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Times {
    /// From its last byte to the answer.
    pub whole: Duration,
    pub read: Duration,
    /// Of `read`: until it was known whose the call is.
    pub parse: Duration,
    /// For a place.
    pub wait: Duration,
    /// Asking policies.
    pub ask: Duration,
}

/// What a record says of the call itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Subject<'a> {
    pub operation: Option<&'a str>,
    pub method: Option<&'a str>,
    pub path: Option<&'a str>,
    pub user: Option<&'a str>,
}

// === impl DecisionEvent ===

impl DecisionEvent {
    /// Bytes that it holds, roughly: what is read of a call takes as much again.
    pub(crate) fn weight(&self) -> usize {
        OVERHEAD + 2 * self.size
    }
}

// === impl About ===

impl About {
    /// Of a call that was not read any further; its body is dropped.
    pub fn of(call: Call) -> Self {
        Self::Call(Box::new(Call { body: None, ..call }))
    }

    /// What a record says of it, as far as it is known.
    pub fn subject(&self) -> Subject<'_> {
        match self {
            Self::Nothing => Subject::default(),
            Self::Call(call) => Subject {
                operation: None,
                method: Some(&call.method),
                path: Some(&call.uri),
                user: call.user.as_deref(),
            },
            Self::Refused(refusal) => Subject {
                operation: refusal.operation,
                method: Some(&refusal.call.method),
                path: Some(&refusal.path),
                user: refusal.call.user.as_deref(),
            },
            Self::Request(request) => Subject {
                operation: Some(request.operation()),
                method: Some(request.method()),
                path: Some(request.path()),
                user: request.user(),
            },
        }
    }

    /// Of a call that was read to its end.
    pub fn header(&self, name: &str) -> Option<&str> {
        match self {
            Self::Request(request) => request.header(name),
            Self::Nothing | Self::Call(_) | Self::Refused(_) => None,
        }
    }

    /// SHA-256 of the caller's own certificate.
    pub fn certificate(&self) -> Option<&str> {
        let read = match self {
            Self::Nothing => return None,
            Self::Call(call) => call.certificates.read(),
            Self::Refused(refusal) => refusal.call.certificates.read(),
            Self::Request(request) => request.certificates(),
        };
        // One that cannot be read has no fingerprint; whoever asked for it has denied.
        read.ok()?.first().map(|own| own.fingerprint.as_str())
    }
}

#[cfg(test)]
impl DecisionEvent {
    /// A denial of that call.
    pub fn of(about: About) -> Self {
        let at = SystemTime::now();
        Self {
            id: DecisionId::new(at),
            at,
            decision: Decision::refuse(portcullis_model::Cause::Default, "no", Default::default()),
            tenant: None,
            mode: Default::default(),
            problem: None,
            about,
            size: 0,
            lines: Vec::new(),
            sender: Sender { listener: "docker".into(), peer: None },
            times: Times::default(),
            waits: None,
        }
    }
}
