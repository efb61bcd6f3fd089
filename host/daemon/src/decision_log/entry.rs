//! What the decision path hands over: what it has already, and the call as it is logged.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use portcullis_docker::wire::Call;
use portcullis_docker::{DockerRequest, Refusal};
use portcullis_model::decision::Mode;
use portcullis_model::{Cause, Decision, Generation, Request, TenantName};
use tokio::sync::oneshot;

use crate::decision_log::id::DecisionId;
use crate::decision_log::redact::{self, Redactor};
use crate::policies::PolicyLog;

/// What an entry holds beside its call.
const OVERHEAD: usize = 1 << 10;
/// No text of the caller's own has more bytes in a record than this, outside of the call.
const LONG: usize = 4 << 10;

/// One decision, on its way to the log.
#[derive(Debug)]
pub struct Entry {
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
    pub call: WrittenCall,
    /// By the place of the policy among the decision's opinions; maybe shorter.
    pub lines: PolicyLog,
    pub sender: Sender,
    pub times: Times,
    /// Who waits for the record to be kept.
    pub(crate) waits: Option<oneshot::Sender<()>>,
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

/// A call as it is logged, with what is secret taken out. It is written by the decision path, in whose caches it is, and
/// which can free what was read of it: the same on the log's thread takes twice the time.
#[derive(Debug, Default)]
pub struct WrittenCall {
    operation: Option<Box<str>>,
    method: Option<Box<str>>,
    path: Option<Box<str>>,
    user: Option<Box<str>>,
    certificate: Option<Box<str>>,
    /// JSON of a [`RequestRecord`](crate::decision_log::record::RequestRecord), or `null`.
    request: String,
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
pub(crate) struct Subject<'a> {
    pub(crate) operation: Option<&'a str>,
    pub(crate) method: Option<&'a str>,
    pub(crate) path: Option<&'a str>,
    pub(crate) user: Option<&'a str>,
}

// === impl Entry ===

impl Entry {
    /// Bytes that it holds, roughly.
    pub(crate) fn weight(&self) -> usize {
        OVERHEAD + self.call.request.capacity()
    }

    /// What becomes of an allowed call whose record cannot be kept.
    pub(crate) fn overturn(&mut self) {
        let generation: Generation = self.decision.generation;
        let denied = Decision::refuse(Cause::Log, super::UNWRITTEN, generation);
        self.decision = Decision { opinions: std::mem::take(&mut self.decision.opinions), ..denied };
    }
}

// === impl About ===

impl About {
    pub(crate) fn of(call: Call) -> Self {
        Self::Call(Box::new(Call { body: None, ..call }))
    }

    pub(crate) fn subject(&self) -> Subject<'_> {
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
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        match self {
            Self::Request(request) => request.header(name),
            Self::Nothing | Self::Call(_) | Self::Refused(_) => None,
        }
    }

    /// SHA-256 of the caller's own certificate.
    fn certificate(&self) -> Option<&str> {
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

// === impl WrittenCall ===

impl WrittenCall {
    /// `size` is the plugin call's, in bytes.
    pub(crate) fn of(about: &About, size: usize, redactor: &Redactor) -> Self {
        let Subject { operation, method, path, user } = about.subject();
        let text = |text: &str| cut(text.into()).into();
        Self {
            operation: operation.map(text),
            method: method.map(text),
            path: path.map(|path| cut(redact::path(path)).into()),
            user: user.map(text),
            certificate: about.certificate().map(text),
            request: redactor.request(about, size),
        }
    }

    /// Its path without what is secret.
    pub(crate) fn subject(&self) -> Subject<'_> {
        Subject {
            operation: self.operation.as_deref(),
            method: self.method.as_deref(),
            path: self.path.as_deref(),
            user: self.user.as_deref(),
        }
    }

    /// SHA-256 of the caller's own certificate.
    pub(crate) fn certificate(&self) -> Option<&str> {
        self.certificate.as_deref()
    }

    /// JSON of a [`RequestRecord`](crate::decision_log::record::RequestRecord), or `null`.
    pub(crate) fn request(&self) -> &str {
        &self.request
    }
}

/// What a caller can make as long as they like.
fn cut(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.len() <= LONG {
        return text;
    }
    let kept = text.get(..text.floor_char_boundary(LONG)).unwrap_or_default();
    Cow::Owned(format!("{kept}…"))
}
