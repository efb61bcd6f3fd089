//! A decision as one line of JSON: what [`DecisionRecord`](crate::record::DecisionRecord) reads.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use portcullis_document::write_text;
use portcullis_engine::{Level, LogLine};
use portcullis_model::printable::escape_json;
use portcullis_model::{Answer, Cause, Opinion, Verdict};

use crate::event::{DecisionEvent, Peer, Subject, Times};
use crate::id::DecisionId;
use crate::record::{DecisionRecord, WouldBe};
use crate::redact::{self, Redactor};

/// A thread keeps so much of what it needed to write a record.
const MOST_KEPT: usize = 128 << 10;
/// No text of the caller's own has more bytes in a record than this, outside of the call.
const LONG: usize = 4 << 10;
/// Between the head and the call.
const CALL: &str = ",\"request\":";

thread_local! {
    /// Where records are written: it stays warm, and what is kept of them is as long as it has to be.
    static DRAFT: RefCell<String> = const { RefCell::new(String::new()) };
}

/// How a member of an object begins that is not its first.
macro_rules! key {
    ($name:literal) => {
        concat!(",\"", $name, "\":")
    };
}

/// The record of a decision, without a line end; and where in it all is told but the call.
pub(crate) fn write(event: &DecisionEvent, redactor: &Redactor) -> (Arc<str>, usize) {
    DRAFT.with_borrow_mut(|out| {
        out.clear();
        out.shrink_to(MOST_KEPT);
        verdict(event, out);
        caller(event, out);
        times(&event.times, out);
        policies(event, out);
        let head = out.len();
        out.push_str(CALL);
        redactor.request(&event.about, event.size, out);
        out.push('}');
        printable(out, head)
    })
}

/// Whoever reads the log at a terminal is shown what callers wrote, and not what a terminal would make of it.
fn printable(record: &str, head: usize) -> (Arc<str>, usize) {
    let (message, call) = record.split_at_checked(head).unwrap_or((record, ""));
    match (escape_json(message), escape_json(call)) {
        (Cow::Borrowed(_), Cow::Borrowed(_)) => (record.into(), head),
        (message, call) => ([&*message, &*call].concat().into(), message.len()),
    }
}

/// A record with another's call, which is what follows that one's head.
pub(crate) fn with_call(record: DecisionRecord, call: &str) -> (String, usize) {
    // Strings and numbers always have JSON.
    let mut out = serde_json::to_string(&DecisionRecord { request: None, ..record }).unwrap_or_default();
    if let Cow::Owned(escaped) = escape_json(&out) {
        out = escaped;
    }
    let head = out.rfind(CALL).unwrap_or(out.len());
    out.truncate(head);
    out.push_str(call);
    (out, head)
}

fn verdict(event: &DecisionEvent, out: &mut String) {
    let decision = &event.decision;
    // A text takes all that is written.
    let _ = write!(out, "{{\"timestamp\":\"{}\"", humantime::format_rfc3339_micros(event.at));
    out.push_str(",\"level\":\"INFO\",\"message\":\"decision\"");
    word(key!("id"), event.id.text(&mut [0; DecisionId::LEN]), out);
    word(key!("answer"), answer(&decision.answer), out);
    word(key!("cause"), decision.cause.kind(), out);
    if let Cause::Rule(rule) = decision.cause {
        word(key!("rule"), rule, out);
    }
    let reason = if let Answer::Deny(reason) = &decision.answer { Some(reason.as_str()) } else { None };
    for (key, value) in [(key!("reason"), reason), (key!("problem"), event.problem.as_deref())] {
        if value.is_some() {
            text(key, value, out);
        }
    }
    if let Some(would) = &decision.would {
        // Strings always have JSON.
        out.extend([key!("would"), &serde_json::to_string(&WouldBe::of(would)).unwrap_or_default()]);
    }
    word(key!("mode"), event.mode.as_str(), out);
    text(key!("tenant"), event.tenant.as_ref().map(|tenant| tenant.as_str()), out);
    text(key!("listener"), Some(&event.sender.listener), out);
    number(key!("generation"), decision.generation.0, out);
}

fn caller(event: &DecisionEvent, out: &mut String) {
    let Subject { operation, method, path, user } = event.about.subject();
    text(key!("operation"), operation, out);
    text(key!("method"), method.map(cut).as_deref(), out);
    text(key!("path"), path.map(redact::path).as_deref().map(cut).as_deref(), out);
    text(key!("user"), user.map(cut).as_deref(), out);
    if let Some(Peer { uid, pid }) = event.sender.peer {
        number(",\"peer\":{\"uid\":", uid, out);
        if let Some(pid) = pid {
            number(key!("pid"), pid, out);
        }
        out.push('}');
    }
    if let Some(certificate) = event.about.certificate() {
        word(key!("certificate"), certificate, out);
    }
}

fn times(times: &Times, out: &mut String) {
    number(key!("took_us"), micros(times.whole), out);
    number(key!("read_us"), micros(times.read), out);
    number(key!("wait_us"), micros(times.wait), out);
    number(key!("ask_us"), micros(times.ask), out);
}

fn policies(event: &DecisionEvent, out: &mut String) {
    out.push_str(",\"policies\":[");
    let mut lines = event.lines.iter();
    for (at, opinion) in event.decision.opinions.iter().enumerate() {
        out.push_str(if at > 0 { ",{" } else { "{" });
        policy(opinion, out);
        if let Some((_, lines, dropped)) = lines.next() {
            logged(lines, *dropped, out);
        }
        out.push('}');
    }
    out.push(']');
}

fn policy(opinion: &Opinion, out: &mut String) {
    text("\"policy\":", Some(opinion.policy.as_str()), out);
    word(key!("origin"), opinion.origin.as_str(), out);
    word(key!("mode"), opinion.mode.as_str(), out);
    match opinion.digest {
        // A text takes all that is written.
        Some(digest) => _ = write!(out, ",\"digest\":\"{digest}\""),
        None => out.push_str(",\"digest\":null"),
    }
    let (verdict, reason) = match &opinion.judgement {
        Ok(Verdict::Allow) => ("allow", None),
        Ok(Verdict::Abstain) => ("abstain", None),
        Ok(Verdict::Deny(reason)) => ("deny", Some(Cow::Borrowed(reason.as_str()))),
        Err(fault) => (fault.kind().as_str(), Some(Cow::Owned(fault.to_string()))),
    };
    word(key!("verdict"), verdict, out);
    if reason.is_some() {
        text(key!("reason"), reason.as_deref(), out);
    }
    number(key!("took_us"), micros(opinion.took), out);
}

/// What a policy logged.
fn logged(lines: &[LogLine], dropped: u32, out: &mut String) {
    for (at, line) in lines.iter().enumerate() {
        out.push_str(if at > 0 { ",{" } else { ",\"log\":[{" });
        word("\"level\":", level(line.level), out);
        text(key!("message"), Some(line.message.as_str()), out);
        out.push('}');
    }
    if !lines.is_empty() {
        out.push(']');
    }
    if dropped > 0 {
        number(key!("log_dropped"), dropped, out);
    }
}

/// A member that is one of a few words.
fn word(key: &str, word: &str, out: &mut String) {
    out.extend([key, "\"", word, "\""]);
}

/// A member that is any text, or null.
fn text(key: &str, text: Option<&str>, out: &mut String) {
    out.push_str(key);
    match text {
        Some(text) => write_text(text, out),
        None => out.push_str("null"),
    }
}

fn number(key: &str, number: impl itoa::Integer, out: &mut String) {
    out.extend([key, itoa::Buffer::new().format(number)]);
}

/// What a caller can make as long as they like.
fn cut(text: &str) -> Cow<'_, str> {
    if text.len() <= LONG {
        return Cow::Borrowed(text);
    }
    let kept = text.get(..text.floor_char_boundary(LONG)).unwrap_or_default();
    Cow::Owned(format!("{kept}…"))
}

pub(crate) fn answer(answer: &Answer) -> &'static str {
    if answer.is_allow() { "allow" } else { "deny" }
}

/// As it stands in a record: `DEBUG`, `INFO`, `WARN` or `ERROR`.
pub fn level(level: Level) -> &'static str {
    match level {
        Level::Debug => "DEBUG",
        Level::Info => "INFO",
        Level::Warn => "WARN",
        Level::Error => "ERROR",
    }
}

/// In microseconds; what is longer than a number can say is its largest value.
pub fn micros(duration: Duration) -> u64 {
    duration.as_micros().try_into().unwrap_or(u64::MAX)
}
