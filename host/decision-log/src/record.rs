//! One decision, as it is logged: one line of JSON. `docs/decision-log.md` and its schema say the same.
//!
//! This is the only definition: the log writes these structs, of borrowed texts, and readers read them, of their own.

use std::borrow::Cow;
use std::time::Duration;

use portcullis_engine::{Level, LogLine};
use portcullis_model::decision::Would;
use portcullis_model::{Opinion, PolicyName, Verdict};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::event::{DecisionEvent, Peer, Times};
use crate::json::{Json, json};
use crate::subject::LoggedSubject;

type Text<'a> = Cow<'a, str>;

json! {
    /// What is written of one decision, and read back: by `portcullis logs`, `why` and `replay`.
    ///
    /// Whatever is not known is absent, unless it says here that it is null.
    pub struct DecisionRecord<'a> {
        /// RFC 3339, UTC, microseconds: when the call had arrived.
        pub timestamp: Text<'a>,
        /// `INFO`.
        pub level: Text<'a>,
        /// `decision`.
        pub message: Text<'a>,
        /// A ULID, whose last characters are the short ID that the caller is shown.
        pub id: Text<'a>,
        /// `allow` or `deny`: what dockerd was told.
        pub answer: Text<'a>,
        /// [`Cause::kind`](portcullis_model::Cause::kind).
        pub cause: Text<'a>,
        /// The host rule, with the cause `rule`.
        pub rule: Option<Text<'a>> => is_unknown,
        /// What the caller was told, without the ID; only of a denial.
        pub reason: Option<Text<'a>> => is_unknown,
        /// What the operator is told and the caller is not.
        pub problem: Option<Text<'a>> => is_unknown,
        /// What would have been answered, had everything that is only observed counted; absent where that is the answer.
        pub would: Option<WouldBe<'a>> => is_unknown,
        /// `enforce` or `observe`: the tenant's.
        pub mode: Text<'a>,
        /// Null where it cannot be told.
        pub tenant: Option<Text<'a>>,
        pub listener: Text<'a>,
        pub generation: u64,
        /// Null where the call could not be read so far; so are `method`, `path` and `user`.
        pub operation: Option<Text<'a>>,
        pub method: Option<Text<'a>>,
        /// As policies see it.
        pub path: Option<Text<'a>>,
        /// The common name of the caller's certificate.
        pub user: Option<Text<'a>>,
        /// The process at the other end of the plugin socket: dockerd.
        pub peer: Option<PeerRecord> => is_unknown,
        /// SHA-256 of the caller's own certificate, lower-case hex.
        pub certificate: Option<Text<'a>> => is_unknown,
        /// Microseconds from the call's last byte to the answer.
        pub took_us: u64,
        /// Of these: reading the call, waiting for a place, asking policies.
        pub read_us: u64,
        pub wait_us: u64,
        pub ask_us: u64,
        /// Every policy that was asked, in order.
        pub policies: Vec<PolicyRecord<'a>>,
        /// The call, canonical and redacted; null where there is none, or where even without its body it is too large.
        pub request: Option<RequestRecord>,
    }

    pub struct WouldBe<'a> {
        pub answer: Text<'a>,
        pub cause: Text<'a>,
        pub rule: Option<Text<'a>> => is_unknown,
        pub reason: Option<Text<'a>> => is_unknown,
    }

    pub struct PeerRecord {
        pub uid: u32,
        pub pid: Option<i32> => is_unknown,
    }

    /// One policy's part.
    pub struct PolicyRecord<'a> {
        pub policy: Text<'a>,
        /// `host` or `tenant`: whose it is.
        pub origin: Text<'a>,
        /// `enforce` or `observe`: whether its verdict counted.
        pub mode: Text<'a>,
        /// Null where its file could not be read.
        pub digest: Option<Text<'a>>,
        /// `allow`, `deny`, `abstain`, or the kind of its fault.
        pub verdict: Text<'a>,
        /// Of a denial, or the whole story of a fault.
        pub reason: Option<Text<'a>> => is_unknown,
        /// What it demands of the call: `label owner=alice`.
        #[serde(default)]
        pub demands: Vec<Text<'a>> => is_unknown,
        /// What is to be added so that the call is as it demands.
        pub unmet: Option<Text<'a>> => is_unknown,
        pub took_us: u64,
        /// Lines that it logged.
        #[serde(default)]
        pub log: Vec<PolicyLineRecord<'a>> => is_unknown,
        /// Lines that it logged and that are not in `log`: a limit was reached.
        #[serde(default)]
        pub log_dropped: u32 => is_unknown,
    }

    pub struct PolicyLineRecord<'a> {
        /// `DEBUG`, `INFO`, `WARN` or `ERROR`.
        pub level: Text<'a>,
        pub message: Text<'a>,
    }
}

/// A call, so that it can be asked again: what a policy can see of it, with what is secret replaced.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RequestRecord {
    /// The target as it was sent, its query redacted.
    pub uri: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authentication: Option<String>,
    /// PEM texts, the caller's own first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<String>,
    /// The JSON body in canonical spelling.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// Where paths of mounts led that do not lead where they are written: null where that could not be told.
    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub resolved: std::collections::BTreeMap<String, Option<String>>,
    /// The symlinks that they led through, and the folders that `..` led out of, by path.
    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub links: std::collections::BTreeMap<String, Vec<String>>,
    /// Paths of mounts at whose end nothing was.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// JSON pointers into this record of what was replaced.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub redacted: Vec<String>,
    /// JSON pointers into this record of what was left out: it was not read, nobody asked where mounts lead, or the record
    /// would be too large.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
}

// === impl DecisionRecord ===

impl<'a> DecisionRecord<'a> {
    /// All of a decision's record but the call.
    pub(crate) fn of(event: &'a DecisionEvent, subject: &'a LoggedSubject) -> Self {
        let DecisionEvent { at, id, decision, tenant, mode, problem, lines, sender, times, .. } = event;
        let text = |text: &'a Option<String>| text.as_deref().map(Cow::Borrowed);
        let Times { whole, read, wait, ask, .. } = *times;
        let mut lines = lines.iter();
        Self {
            timestamp: humantime::format_rfc3339_micros(*at).to_string().into(),
            level: "INFO".into(),
            message: "decision".into(),
            id: id.to_string().into(),
            answer: decision.answer.as_str().into(),
            cause: decision.cause.kind().into(),
            rule: decision.cause.rule().map(Cow::Borrowed),
            reason: decision.answer.reason().map(Cow::Borrowed),
            problem: text(problem),
            would: decision.would.as_ref().map(|would| WouldBe::of(would, Cow::Borrowed)),
            mode: mode.as_str().into(),
            tenant: tenant.as_ref().map(|tenant| tenant.as_str().into()),
            listener: (*sender.listener).into(),
            generation: decision.generation.0,
            operation: text(&subject.operation),
            method: text(&subject.method),
            path: text(&subject.path),
            user: text(&subject.user),
            peer: sender.peer.map(|Peer { uid, pid }| PeerRecord { uid, pid }),
            certificate: text(&subject.certificate),
            took_us: micros(whole),
            read_us: micros(read),
            wait_us: micros(wait),
            ask_us: micros(ask),
            policies: decision
                .opinions
                .iter()
                .map(|opinion| PolicyRecord::of(opinion, lines.next(), Cow::Borrowed))
                .collect(),
            request: None,
        }
    }
}

// === impl PolicyRecord ===

impl<'a> PolicyRecord<'a> {
    /// Of what a policy said, and the lines that it logged; `text` borrows or copies.
    pub fn of<'o>(
        opinion: &'o Opinion,
        lines: Option<&'o (PolicyName, Vec<LogLine>, u32)>,
        text: impl Fn(&'o str) -> Text<'a> + Copy,
    ) -> Self {
        let (verdict, reason) = match &opinion.judgement {
            Ok(Verdict::Allow) => ("allow", None),
            Ok(Verdict::Abstain) => ("abstain", None),
            Ok(Verdict::Deny(reason)) => ("deny", Some(text(reason.as_str()))),
            Err(fault) => (fault.kind().as_str(), Some(fault.to_string().into())),
        };
        let line = |line: &'o LogLine| PolicyLineRecord {
            level: level(line.level).into(),
            message: text(line.message.as_str()),
        };
        Self {
            policy: text(opinion.policy.as_str()),
            origin: opinion.origin.as_str().into(),
            mode: opinion.mode.as_str().into(),
            digest: opinion.digest.map(|digest| digest.to_string().into()),
            verdict: verdict.into(),
            reason,
            demands: opinion.demands.obligations.iter().map(|obligation| obligation.to_string().into()).collect(),
            unmet: opinion.demands.unmet.as_deref().map(text),
            took_us: micros(opinion.took),
            log: lines.map(|(_, lines, _)| lines.iter().map(line).collect()).unwrap_or_default(),
            log_dropped: lines.map_or(0, |(_, _, dropped)| *dropped),
        }
    }

    /// Whether it gave no verdict.
    pub fn is_fault(&self) -> bool {
        !matches!(&*self.verdict, "allow" | "deny" | "abstain")
    }
}

// === impl WouldBe ===

impl<'a> WouldBe<'a> {
    /// Of an answer that was not given; `text` borrows or copies.
    pub fn of<'w>(would: &'w Would, text: impl Fn(&'w str) -> Text<'a>) -> Self {
        let Would { answer, cause } = would;
        Self {
            answer: answer.as_str().into(),
            cause: cause.kind().into(),
            rule: cause.rule().map(Cow::Borrowed),
            reason: answer.reason().map(text),
        }
    }
}

fn level(level: Level) -> &'static str {
    match level {
        Level::Debug => "DEBUG",
        Level::Info => "INFO",
        Level::Warn => "WARN",
        Level::Error => "ERROR",
    }
}

impl Json for RequestRecord {
    /// Only of one that was read: of a call, the redactor writes it.
    fn write(&self, out: &mut String) {
        // Texts and numbers always have JSON.
        out.push_str(&serde_json::to_string(self).unwrap_or_default());
    }
}

/// In microseconds; what is longer than a number can say is its largest value.
fn micros(duration: Duration) -> u64 {
    duration.as_micros().try_into().unwrap_or(u64::MAX)
}
