//! Whether the plugin was shown the body that the daemon will read.
//!
//! dockerd forwards a body if and only if the first `Content-Type` is JSON, and shows the last one; it shows a
//! `Content-Length` only where the body is not chunked. A body that is not shown may be a form whose fields override the
//! query, or JSON that only old daemons read.

use super::HostRule;
use crate::json::{self, Shape};
use crate::operation::{Body, Operation};
use crate::wire::Call;

/// What the headers say of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Length {
    /// Chunked, or no body at all.
    Absent,
    Bytes(usize),
    NotANumber,
}

/// The rules that the call's body breaks, and how.
pub(crate) fn broken(
    call: &Call,
    operation: &Operation,
    query: &[(String, String)],
) -> impl Iterator<Item = (HostRule, String)> {
    let length = length(call);
    let start = if operation.id == "ContainerStart" { start_body(call, length) } else { None };
    start.into_iter().chain(hidden_body(call, operation, query, length))
}

fn hidden_body(
    call: &Call,
    operation: &Operation,
    query: &[(String, String)],
    length: Length,
) -> Option<(HostRule, String)> {
    let shown = call.body.as_ref().map(Vec::len);
    match operation.body {
        Body::Json(_) => json_body(call, shown, length).map(|reason| (HostRule::BodyWithheld, reason)),
        Body::Parameters => form_unless_shown(call, shown, length),
        Body::Import if !reads_stream(query) => form_unless_shown(call, shown, length),
        Body::Import | Body::Tar | Body::None => {
            let form = length != Length::Bytes(0) && media_type(call).is_some_and(|media_type| is_form(&media_type));
            form.then(|| (HostRule::FormBody, "a form overrides the query, and is not shown to the plugin".to_owned()))
        }
        Body::Credentials(_) => None,
    }
}

fn json_body(call: &Call, shown: Option<usize>, length: Length) -> Option<String> {
    let Some(shown) = shown else {
        let nothing = length == Length::Bytes(0);
        return (!nothing).then(|| "the body was not shown to the plugin".to_owned());
    };
    if !matches!(length, Length::Absent) && length != Length::Bytes(shown) {
        return Some("the body that the plugin was shown has another length than the call's".to_owned());
    }
    let media_type = media_type(call).unwrap_or_default();
    (media_type != "application/json").then(|| format!("the call is of type `{media_type}`, not `application/json`"))
}

/// A body that is shown is JSON to the daemon, too, and no form. One that is not shown may be a form, unless it is empty
/// or has no type; a second `Content-Type` can hide the first.
fn form_unless_shown(call: &Call, shown: Option<usize>, length: Length) -> Option<(HostRule, String)> {
    let refused = |reason: &str| Some((HostRule::FormBody, reason.to_owned()));
    match shown {
        Some(shown) if !matches!(length, Length::Absent) && length != Length::Bytes(shown) => {
            refused("the body that the plugin was shown has another length than the call's")
        }
        Some(_) => None,
        None if length == Length::Bytes(0) || media_type(call).is_none() => None,
        None => refused("the body was not shown to the plugin, and may be a form that overrides the query"),
    }
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

fn is_form(media_type: &str) -> bool {
    media_type == "application/x-www-form-urlencoded" || media_type.starts_with("multipart/")
}

fn length(call: &Call) -> Length {
    match call.header("Content-Length") {
        None => Length::Absent,
        Some(text) if !text.bytes().all(|byte| byte.is_ascii_digit()) => Length::NotANumber,
        Some(text) => text.parse().map_or(Length::NotANumber, Length::Bytes),
    }
}

fn media_type(call: &Call) -> Option<String> {
    let value = call.header("Content-Type")?;
    let media_type = value.split_once(';').map_or(value, |(media_type, _)| media_type);
    Some(media_type.trim().to_ascii_lowercase())
}
