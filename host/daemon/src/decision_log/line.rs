//! A decision as one line of JSON: what [`DecisionRecord`](crate::decision_log::record::DecisionRecord) reads.

use std::borrow::Cow;
use std::time::Duration;

use portcullis_engine::{Level, LogLine};
use portcullis_model::{Answer, Cause, Opinion, Verdict};
use serde::Serialize;

use crate::decision_log::entry::{Entry, Subject};
use crate::decision_log::id::DecisionId;
use crate::decision_log::record::WouldBe;

/// Most records have not more bytes than this beside the call.
const HEAD: usize = 2 << 10;

/// All of a record but the call.
#[derive(Serialize)]
struct Head<'a> {
    timestamp: &'a str,
    level: &'static str,
    message: &'static str,
    id: &'a str,
    answer: &'static str,
    cause: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    would: Option<WouldBe>,
    mode: &'static str,
    tenant: Option<&'a str>,
    listener: &'a str,
    generation: u64,
    operation: Option<&'a str>,
    method: Option<&'a str>,
    path: Option<&'a str>,
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer: Option<PeerPart>,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<&'a str>,
    took_us: u64,
    read_us: u64,
    wait_us: u64,
    ask_us: u64,
    policies: Vec<PolicyPart<'a>>,
}

#[derive(Serialize)]
struct PeerPart {
    uid: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<i32>,
}

#[derive(Serialize)]
struct PolicyPart<'a> {
    policy: &'a str,
    origin: &'static str,
    mode: &'static str,
    digest: Option<String>,
    verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Cow<'a, str>>,
    took_us: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    log: Vec<LinePart<'a>>,
    #[serde(skip_serializing_if = "is_zero")]
    log_dropped: u32,
}

#[derive(Serialize)]
struct LinePart<'a> {
    level: &'static str,
    message: &'a str,
}

/// Appends the record of a decision, without a line end.
pub(crate) fn write(entry: &Entry, out: &mut String) {
    let timestamp = humantime::format_rfc3339_micros(entry.at).to_string();
    let mut buffer = [0; DecisionId::LEN];
    let head = head(entry, &timestamp, entry.id.text(&mut buffer));
    let mut json = Vec::with_capacity(HEAD);
    // Strings and numbers always have JSON, which is text.
    let _ = serde_json::to_writer(&mut json, &head);
    out.push_str(std::str::from_utf8(&json).unwrap_or_default());
    // The call goes in before the closing brace.
    out.pop();
    out.extend([",\"request\":", entry.call.request(), "}"]);
}

fn head<'a>(entry: &'a Entry, timestamp: &'a str, id: &'a str) -> Head<'a> {
    let Entry { decision, times, .. } = entry;
    let Subject { operation, method, path, user } = entry.call.subject();
    Head {
        timestamp,
        level: "INFO",
        message: "decision",
        id,
        answer: answer(&decision.answer),
        cause: decision.cause.kind(),
        rule: if let Cause::Rule(rule) = decision.cause { Some(rule) } else { None },
        reason: reason(&decision.answer),
        problem: entry.problem.as_deref(),
        would: decision.would.as_ref().map(WouldBe::of),
        mode: entry.mode.as_str(),
        tenant: entry.tenant.as_ref().map(|tenant| tenant.as_str()),
        listener: &entry.sender.listener,
        generation: decision.generation.0,
        operation,
        method,
        path,
        user,
        peer: entry.sender.peer.map(|peer| PeerPart { uid: peer.uid, pid: peer.pid }),
        certificate: entry.call.certificate(),
        took_us: micros(times.whole),
        read_us: micros(times.read),
        wait_us: micros(times.wait),
        ask_us: micros(times.ask),
        policies: policies(entry),
    }
}

fn policies(entry: &Entry) -> Vec<PolicyPart<'_>> {
    let mut lines = entry.lines.iter();
    entry.decision.opinions.iter().map(|opinion| PolicyPart::of(opinion, lines.next())).collect()
}

// === impl PolicyPart ===

impl<'a> PolicyPart<'a> {
    fn of(opinion: &'a Opinion, lines: Option<&'a (portcullis_model::PolicyName, Vec<LogLine>, u32)>) -> Self {
        let (verdict, reason) = match &opinion.judgement {
            Ok(Verdict::Allow) => ("allow", None),
            Ok(Verdict::Abstain) => ("abstain", None),
            Ok(Verdict::Deny(reason)) => ("deny", Some(Cow::Borrowed(reason.as_str()))),
            Err(fault) => (fault.kind().as_str(), Some(Cow::Owned(fault.to_string()))),
        };
        let (log, log_dropped) = match lines {
            Some((_, lines, dropped)) => (lines.iter().map(LinePart::of).collect(), *dropped),
            None => (Vec::new(), 0),
        };
        Self {
            policy: opinion.policy.as_str(),
            origin: opinion.origin.as_str(),
            mode: opinion.mode.as_str(),
            digest: opinion.digest.map(|digest| digest.to_string()),
            verdict,
            reason,
            took_us: micros(opinion.took),
            log,
            log_dropped,
        }
    }
}

// === impl LinePart ===

impl<'a> LinePart<'a> {
    fn of(line: &'a LogLine) -> Self {
        Self { level: level(line.level), message: line.message.as_str() }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

pub(crate) fn answer(answer: &Answer) -> &'static str {
    if answer.is_allow() { "allow" } else { "deny" }
}

pub(crate) fn reason(answer: &Answer) -> Option<&str> {
    match answer {
        Answer::Allow => None,
        Answer::Deny(reason) => Some(reason.as_str()),
    }
}

pub(crate) fn level(level: Level) -> &'static str {
    match level {
        Level::Debug => "DEBUG",
        Level::Info => "INFO",
        Level::Warn => "WARN",
        Level::Error => "ERROR",
    }
}

pub(crate) fn micros(duration: Duration) -> u64 {
    duration.as_micros().try_into().unwrap_or(u64::MAX)
}
