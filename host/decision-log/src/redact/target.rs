//! A request target and headers as they are logged.

use std::borrow::Cow;
use std::fmt::Write as _;

use memchr::memchr2;
use serde_json::Value;

use super::Redactor;
use super::known::{self, Parameter};
use super::words::{self, REDACTED};

/// The target as it was sent, with what is secret in its query taken out; and whether anything was.
pub(super) fn target<'u>(redactor: &Redactor, operation: Option<&str>, uri: &'u str) -> (Cow<'u, str>, bool) {
    if !uri.starts_with('/') {
        // Of an absolute one, who logs in could be told.
        let (before, query) = uri.split_once('?').unwrap_or((uri, ""));
        let path = words::address(before);
        let is_redacted = *path != *before || !query.is_empty();
        let query = if query.is_empty() { String::new() } else { format!("?{REDACTED}") };
        return (Cow::Owned(format!("{path}{query}")), is_redacted);
    }
    let Some((path, query)) = uri.split_once('?') else {
        let path = words::address(uri);
        let is_redacted = *path != *uri;
        return (path, is_redacted);
    };
    let path_written = words::address(path);
    let pairs = || query.split('&').map(|sent| (sent, pair(redactor, operation, sent)));
    if *path_written == *path && pairs().all(|(sent, written)| *written == *sent) {
        return (Cow::Borrowed(uri), false);
    }
    let mut out = format!("{path_written}?");
    for (at, (_, written)) in pairs().enumerate() {
        out.extend([if at > 0 { "&" } else { "" }, &*written]);
    }
    (Cow::Owned(out), true)
}

/// A parameter, as it was sent, with what is secret in its value taken out.
fn pair<'u>(redactor: &Redactor, operation: Option<&str>, sent: &'u str) -> Cow<'u, str> {
    let Some((name, value)) = sent.split_once('=').filter(|(_, value)| !value.is_empty()) else {
        return Cow::Borrowed(sent);
    };
    let written = parameter(redactor, operation, name, value);
    if *written == *value { Cow::Borrowed(sent) } else { Cow::Owned(format!("{name}={written}")) }
}

/// A parameter's value, both as they were sent.
fn parameter<'v>(redactor: &Redactor, operation: Option<&str>, name: &str, value: &'v str) -> Cow<'v, str> {
    let hidden = Cow::Borrowed(REDACTED);
    // What cannot be decoded is not known.
    let (Some(name), Some(decoded)) = (decode(name), decode(value)) else { return hidden };
    let is_named = |rules: &[super::Rule]| rules.iter().find(|rule| rule.is_of_parameter(operation, &name)).cloned();
    if let Some(rule) = is_named(&redactor.redact) {
        return if rule.is_assignment { encoded(value, &decoded, words::assignment(&decoded)) } else { hidden };
    }
    if is_named(&redactor.keep).is_some() {
        return Cow::Borrowed(value);
    }
    // Of an operation that nobody knows, nothing is known.
    let kind = if operation.is_some() { known::parameter(&name) } else { Parameter::Hidden };
    let written = match kind {
        Parameter::Plain => words::address(&decoded),
        Parameter::Hidden => return hidden,
        Parameter::Values => json(&decoded, |_| true),
        Parameter::Named => json(&decoded, words::is_secret),
        Parameter::Filters => filters(&decoded),
        Parameter::Instruction => words::instruction(&decoded),
        Parameter::Address => {
            let (before, query) = decoded.split_once('?').unwrap_or((&decoded, ""));
            let address = words::address(before);
            Cow::Owned(if query.is_empty() { address.into_owned() } else { format!("{address}?{REDACTED}") })
        }
    };
    encoded(value, &decoded, written)
}

/// The value as it was sent where nothing was taken out of it.
fn encoded<'v>(value: &'v str, decoded: &str, written: Cow<'_, str>) -> Cow<'v, str> {
    if *written == *decoded {
        return Cow::Borrowed(value);
    }
    let mut out = String::with_capacity(written.len());
    for byte in written.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~[]:/@,".contains(&byte) {
            out.push(byte.into());
        } else {
            // A text takes all that is written.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    Cow::Owned(out)
}

/// JSON of an object, without the values of some of its members.
fn json(text: &str, is_hidden: impl Fn(&str) -> bool) -> Cow<'_, str> {
    let Ok(Value::Object(mut members)) = serde_json::from_str(text) else { return Cow::Borrowed(REDACTED) };
    let mut is_changed = false;
    for (name, value) in &mut members {
        if is_hidden(name) && !value.is_null() || value.is_array() || value.is_object() {
            *value = Value::from(REDACTED);
            is_changed = true;
        } else if let Some(plain) = value.as_str() {
            let options = words::options(plain).into_owned();
            is_changed |= options != plain;
            *value = Value::from(options);
        }
    }
    if is_changed { Cow::Owned(Value::Object(members).to_string()) } else { Cow::Borrowed(text) }
}

/// Filters, as lists or as the keys of objects: of `label=NAME=VALUE` the value is taken out where the name is a secret's.
fn filters(text: &str) -> Cow<'_, str> {
    let Ok(Value::Object(mut filters)) = serde_json::from_str(text) else { return Cow::Borrowed(REDACTED) };
    let hide = |label: &str| match label.split_once('=') {
        Some((name, _)) if words::is_secret(name) => words::assignment(label).into_owned(),
        _ => label.to_owned(),
    };
    let mut is_changed = false;
    for value in filters.values_mut() {
        let written = match &*value {
            Value::Array(labels) => {
                let item = |item: &Value| item.as_str().map_or_else(|| item.clone(), |label| Value::from(hide(label)));
                labels.iter().map(item).collect()
            }
            Value::Object(labels) => {
                Value::Object(labels.iter().map(|(label, value)| (hide(label), value.clone())).collect())
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Value::from(REDACTED),
        };
        is_changed |= *value != written;
        *value = written;
    }
    if is_changed { Cow::Owned(Value::Object(filters).to_string()) } else { Cow::Borrowed(text) }
}

/// What Go's `url.QueryUnescape` makes of it.
fn decode(text: &str) -> Option<Cow<'_, str>> {
    if memchr2(b'%', b'+', text.as_bytes()).is_none() {
        return Some(Cow::Borrowed(text));
    }
    let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => u8::try_from(digit(bytes.next())? << 4 | digit(bytes.next())?).ok()?,
            b'+' => b' ',
            other => other,
        });
    }
    String::from_utf8(decoded).ok().map(Cow::Owned)
}

/// A header's value, and whether anything was taken out of it.
pub(super) fn header<'v>(
    redactor: &Redactor,
    operation: Option<&str>,
    name: &str,
    value: &'v str,
) -> (Cow<'v, str>, bool) {
    let rule = |rules: &[super::Rule]| rules.iter().find(|rule| rule.is_of_header(operation, name)).cloned();
    let written = match rule(&redactor.redact) {
        Some(rule) if rule.is_assignment => words::assignment(value),
        Some(_) => Cow::Borrowed(REDACTED),
        None if rule(&redactor.keep).is_some() => Cow::Borrowed(value),
        None if known::is_hidden_header(name) => Cow::Borrowed(REDACTED),
        None => words::address(value),
    };
    let is_redacted = *written != *value;
    (written, is_redacted)
}

/// A path as a record has it: where it could not be read it is the target as it was sent.
pub fn path(path: &str) -> Cow<'_, str> {
    match path.split_once('?') {
        Some((before, _)) => Cow::Owned(format!("{}?{REDACTED}", words::address(before))),
        None => words::address(path),
    }
}
