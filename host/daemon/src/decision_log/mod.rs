//! One line a decision, for the operator.

pub mod record;

use std::borrow::Cow;
use std::io::Write as _;
use std::time::{Duration, SystemTime};

use portcullis_docker::DockerRequest;
use portcullis_engine::Level;
use portcullis_model::decision::Mode;
use portcullis_model::{Answer, Cause, Decision, Opinion, Request, Verdict};
use serde::Serialize;

use crate::log_sink::{Format, LogSink};
use crate::policies::PolicyLog;

/// Writes decisions. Cheap to clone.
#[derive(Clone, Debug)]
pub struct DecisionLog(LogSink);

/// What is written of one decision.
#[derive(Debug)]
pub(crate) struct Record<'a> {
    pub(crate) decision: &'a Decision,
    /// None where it cannot be told.
    pub(crate) tenant: Option<&'a str>,
    /// The tenant's.
    pub(crate) mode: Mode,
    /// What the operator is told and the caller is not.
    pub(crate) problem: Option<&'a str>,
    pub(crate) subject: Subject<'a>,
    pub(crate) lines: &'a PolicyLog,
    pub(crate) listener: &'a str,
    pub(crate) took: Duration,
    pub(crate) took_to_read: Duration,
}

/// What the call was about, as far as it could be read.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Subject<'a> {
    pub(crate) operation: Option<&'a str>,
    pub(crate) method: Option<&'a str>,
    pub(crate) path: Option<&'a str>,
    pub(crate) user: Option<&'a str>,
}

impl<'a> Subject<'a> {
    pub(crate) fn of(request: &'a DockerRequest) -> Self {
        Self {
            operation: Some(request.operation()),
            method: Some(request.method()),
            path: Some(request.path()),
            user: request.user(),
        }
    }
}

#[derive(Serialize)]
struct Line<'a> {
    timestamp: &'a str,
    level: &'static str,
    message: &'static str,
    answer: &'static str,
    cause: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    would: Option<record::WouldBe>,
    mode: &'static str,
    operation: Option<&'a str>,
    method: Option<&'a str>,
    path: Option<&'a str>,
    user: Option<&'a str>,
    tenant: Option<&'a str>,
    listener: &'a str,
    generation: u64,
    took_us: u64,
    read_us: u64,
    policies: Vec<PolicyPart<'a>>,
}

#[derive(Serialize)]
struct PolicyPart<'a> {
    policy: &'a str,
    origin: &'static str,
    mode: &'static str,
    verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Cow<'a, str>>,
    took_us: u64,
}

#[derive(Serialize)]
struct PolicyLine<'a> {
    timestamp: &'a str,
    level: &'static str,
    message: &'a str,
    tenant: Option<&'a str>,
    policy: &'a str,
    generation: u64,
}

// === impl DecisionLog ===

impl DecisionLog {
    pub fn new(sink: LogSink) -> Self {
        Self(sink)
    }

    pub(crate) fn write(&self, record: &Record<'_>) {
        let timestamp = humantime::format_rfc3339_micros(SystemTime::now()).to_string();
        let mut text = Vec::with_capacity(768);
        for (policy, lines, dropped) in record.lines {
            for line in lines {
                self.policy_line(
                    &mut text,
                    &timestamp,
                    record,
                    policy.as_str(),
                    level(line.level),
                    line.message.as_str(),
                );
            }
            if *dropped > 0 {
                let message =
                    format!("{dropped} more lines were dropped: `log_lines` or `log_lines_per_second` is reached");
                self.policy_line(&mut text, &timestamp, record, policy.as_str(), "WARN", &message);
            }
        }
        match self.0.format() {
            Format::Json => json(&mut text, &line(record, &timestamp)),
            Format::Text => one_line(&mut text, record, &timestamp),
        }
        self.0.write(text);
    }

    fn policy_line(
        &self,
        text: &mut Vec<u8>,
        timestamp: &str,
        record: &Record<'_>,
        policy: &str,
        level: &'static str,
        message: &str,
    ) {
        match self.0.format() {
            Format::Json => {
                let generation = record.decision.generation.0;
                let tenant = record.tenant;
                json(text, &PolicyLine { timestamp, level, message, tenant, policy, generation });
            }
            // A vector takes all that is written.
            Format::Text => {
                let tenant = record.tenant.unwrap_or("-");
                let _ = writeln!(text, "{timestamp} {level:>5} {policy}: {message} tenant={tenant}");
            }
        }
    }
}

fn json(text: &mut Vec<u8>, line: &impl Serialize) {
    // Strings and numbers always have JSON, and a vector takes all that is written.
    let _ = serde_json::to_writer(&mut *text, line);
    text.push(b'\n');
}

fn line<'a>(record: &Record<'a>, timestamp: &'a str) -> Line<'a> {
    let Record { decision, subject, .. } = record;
    Line {
        timestamp,
        level: "INFO",
        message: "decision",
        answer: answer(&decision.answer),
        cause: decision.cause.kind(),
        rule: if let Cause::Rule(rule) = decision.cause { Some(rule) } else { None },
        reason: reason(&decision.answer),
        problem: record.problem,
        would: decision.would.as_ref().map(record::WouldBe::of),
        mode: record.mode.as_str(),
        operation: subject.operation,
        method: subject.method,
        path: subject.path,
        user: subject.user,
        tenant: record.tenant,
        listener: record.listener,
        generation: decision.generation.0,
        took_us: micros(record.took),
        read_us: micros(record.took_to_read),
        policies: decision.opinions.iter().map(PolicyPart::of).collect(),
    }
}

fn one_line(text: &mut Vec<u8>, record: &Record<'_>, timestamp: &str) {
    let Record { decision, subject, .. } = record;
    let (said, kind) = (answer(&decision.answer), decision.cause.kind());
    let what = subject.operation.unwrap_or("-");
    let method = subject.method.unwrap_or("-");
    let path = subject.path.unwrap_or("-");
    let user = subject.user.unwrap_or("-");
    let tenant = record.tenant.unwrap_or("-");
    // A vector takes all that is written.
    let _ = write!(text, "{timestamp}  INFO {said:<5} {kind} {what} {method} {path:?} user={user:?} tenant={tenant}");
    if let Some(reason) = reason(&decision.answer) {
        let _ = write!(text, " reason={reason:?}");
    }
    if let Some(problem) = record.problem {
        let _ = write!(text, " problem={problem:?}");
    }
    if let Some(would) = &decision.would {
        let _ = write!(text, " would={}", answer(&would.answer));
        if let Some(reason) = reason(&would.answer) {
            let _ = write!(text, ":{reason:?}");
        }
    }
    let _ = writeln!(text, " generation={} took={}us", decision.generation, micros(record.took));
    for fault in decision.opinions.iter().filter_map(|opinion| opinion.judgement.as_ref().err().map(|f| (opinion, f))) {
        let _ = writeln!(text, "{timestamp}  WARN {}: {}", fault.0.policy, fault.1);
    }
}

impl<'a> PolicyPart<'a> {
    fn of(opinion: &'a Opinion) -> Self {
        let (verdict, reason) = match &opinion.judgement {
            Ok(Verdict::Allow) => ("allow", None),
            Ok(Verdict::Abstain) => ("abstain", None),
            Ok(Verdict::Deny(reason)) => ("deny", Some(Cow::Borrowed(reason.as_str()))),
            Err(fault) => (fault.kind().as_str(), Some(Cow::Owned(fault.to_string()))),
        };
        let (origin, mode) = (opinion.origin.as_str(), opinion.mode.as_str());
        Self { policy: opinion.policy.as_str(), origin, mode, verdict, reason, took_us: micros(opinion.took) }
    }
}

fn answer(answer: &Answer) -> &'static str {
    if answer.is_allow() { "allow" } else { "deny" }
}

fn reason(answer: &Answer) -> Option<&str> {
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
