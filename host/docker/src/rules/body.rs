//! Whether the plugin was shown the body that the daemon will read.
//!
//! dockerd forwards a body if and only if the first `Content-Type` is JSON, and shows the last one; it shows a
//! `Content-Length` only where the body is not chunked. A body that is not shown may be a form whose fields override the
//! query, or JSON that only old daemons read.

use std::fmt;

use super::HostRule;
use crate::json::{self, Shape};
use crate::operation::{Body, Operation};
use crate::target::Target;
use crate::wire::Call;

const JSON: &str = "application/json";

/// How many characters of a `Content-Type` are repeated to the caller.
const MAX_SHOWN: usize = 80;

/// The last `Content-Type` of a call.
struct ContentType<'c> {
    value: Option<&'c str>,
    /// In lower case, without parameters; empty where there is none.
    media_type: String,
}

/// What the headers say of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Length {
    /// Chunked, or no body at all.
    Absent,
    Bytes(usize),
    NotANumber,
}

/// The rules that the call's body breaks, and how.
pub(crate) fn broken(call: &Call, operation: &Operation, target: &Target) -> impl Iterator<Item = (HostRule, String)> {
    let length = length(call);
    let start = if operation.id == "ContainerStart" { start_body(call, length) } else { None };
    start.into_iter().chain(hidden_body(call, operation, target, length))
}

fn hidden_body(call: &Call, operation: &Operation, target: &Target, length: Length) -> Option<(HostRule, String)> {
    let shown = call.body.as_ref().map(Vec::len);
    match operation.body {
        Body::Json(_) => {
            let checks_type = !operation.any_type && is_new(operation, target);
            json_body(call, checks_type, shown, length).map(|reason| (HostRule::BodyWithheld, reason))
        }
        Body::Parameters if is_harmless(operation, target, length) => None,
        Body::Parameters => form_unless_shown(call, shown, length),
        Body::Import if !reads_stream(&target.query) => form_unless_shown(call, shown, length),
        Body::Import | Body::Tar | Body::None => stream_or_nothing(call, operation, length),
        Body::Credentials(_) => None,
    }
}

/// Where the daemon checks the type, a call without one has no body, or one that the daemon refuses (moby's
/// `CheckForJSON`).
fn json_body(call: &Call, checks_type: bool, shown: Option<usize>, length: Length) -> Option<String> {
    let content_type = ContentType::of(call);
    let Some(shown) = shown else {
        let is_nothing = content_type.is_absent() && length == Length::Absent && checks_type;
        return (length != Length::Bytes(0) && !is_nothing).then(|| not_shown(&content_type));
    };
    if !matches!(length, Length::Absent) && length != Length::Bytes(shown) {
        return Some("the body that the plugin was shown has another length than the call's".to_owned());
    }
    (content_type.media_type != JSON)
        .then(|| format!("{content_type} is not accepted here; send `Content-Type: {JSON}`"))
}

fn not_shown(content_type: &ContentType) -> String {
    if content_type.media_type == JSON {
        return format!(
            "the daemon did not show the body to the plugin, though the call has {content_type}: it is chunked or too \
             large; send a body of less than 1 MiB with its `Content-Length`, or `Content-Length: 0` if there is none"
        );
    }
    format!(
        "the daemon did not show the body to the plugin, because the call has {content_type}; send `Content-Type: \
         {JSON}`, or `Content-Length: 0` if there is no body"
    )
}

/// Whether a form could change nothing: the daemon reads no parameter, or does not read a body of unknown length. A
/// start with one is refused by every daemon from API 1.24 on (moby's `postContainersStart`).
fn is_harmless(operation: &Operation, target: &Target, length: Length) -> bool {
    let is_refused_start = operation.id == "ContainerStart" && is_new(operation, target) && length == Length::Absent;
    operation.query.is_none() || is_refused_start
}

/// Whether all daemons read the operation as its row of the table says. A path without a version is the newest.
fn is_new(operation: &Operation, target: &Target) -> bool {
    operation.since.is_none_or(|since| target.version.is_none_or(|version| version >= since))
}

/// A body that is shown is JSON to the daemon, too, and no form. One that is not shown may be a form, unless it is empty
/// or has no type; a second `Content-Type` can hide the first.
fn form_unless_shown(call: &Call, shown: Option<usize>, length: Length) -> Option<(HostRule, String)> {
    let content_type = ContentType::of(call);
    let reason = match shown {
        Some(shown) if !matches!(length, Length::Absent) && length != Length::Bytes(shown) => {
            "the body that the plugin was shown has another length than the call's".to_owned()
        }
        Some(_) => return None,
        None if length == Length::Bytes(0) || content_type.is_absent() => return None,
        None => format!(
            "the call has {content_type} and its body was not shown to the plugin: it may be a form, whose fields \
             override the query; send `Content-Length: 0`, or no `Content-Type`"
        ),
    };
    Some((HostRule::FormBody, reason))
}

fn stream_or_nothing(call: &Call, operation: &Operation, length: Length) -> Option<(HostRule, String)> {
    let content_type = ContentType::of(call);
    if length == Length::Bytes(0) || !content_type.is_form() {
        return None;
    }
    let instead = if matches!(operation.body, Body::None) { "no body" } else { "`Content-Type: application/x-tar`" };
    let reason = format!(
        "the call has {content_type}: a form overrides the query, and is not shown to the plugin; send {instead}"
    );
    Some((HostRule::FormBody, reason))
}

/// Clients that always send JSON send `{}` or `null`, which sets nothing.
fn start_body(call: &Call, length: Length) -> Option<(HostRule, String)> {
    let sets_nothing = match &call.body {
        Some(body) => {
            json::read(body.as_slice(), Shape::Any).is_ok_and(|body| body.root().len().unwrap_or_default() == 0)
        }
        None => matches!(length, Length::Absent | Length::Bytes(0)),
    };
    (!sets_nothing).then(|| (HostRule::StartBody, "a container is started with a body".to_owned()))
}

/// Whether `ImageCreate` reads the body: an import from standard input.
fn reads_stream(query: &[(String, String)]) -> bool {
    let first = |name| query.iter().find(|(other, _)| other == name).map_or("", |(_, value)| value.as_str());
    first("fromImage").is_empty() && first("fromSrc") == "-"
}

fn length(call: &Call) -> Length {
    match call.header("Content-Length") {
        None => Length::Absent,
        Some(text) if !text.bytes().all(|byte| byte.is_ascii_digit()) => Length::NotANumber,
        Some(text) => text.parse().map_or(Length::NotANumber, Length::Bytes),
    }
}

// === impl ContentType ===

impl<'c> ContentType<'c> {
    fn of(call: &'c Call) -> Self {
        let value = call.header("Content-Type");
        let media_type = value.map(|value| value.split_once(';').map_or(value, |(media_type, _)| media_type));
        Self { value, media_type: media_type.unwrap_or_default().trim().to_ascii_lowercase() }
    }

    fn is_absent(&self) -> bool {
        self.value.is_none()
    }

    fn is_form(&self) -> bool {
        self.media_type == "application/x-www-form-urlencoded" || self.media_type.starts_with("multipart/")
    }
}

impl fmt::Display for ContentType<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.value {
            Some(value) => {
                let shown: String = value.chars().take(MAX_SHOWN).collect();
                write!(f, "the Content-Type `{shown}`")
            }
            None => f.write_str("no Content-Type"),
        }
    }
}
