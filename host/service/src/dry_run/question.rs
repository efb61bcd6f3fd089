//! A call that is asked about: as dockerd posts it to a plugin, or described in plain words.

use std::fmt::Write as _;

use portcullis_config::document;
use portcullis_docker::{Certificates, wire};
use portcullis_document::{Kind, Value};
use serde::Deserialize;
use serde::de::IgnoredAny;

/// What a description may have.
const MEMBERS: [&str; 8] = ["method", "path", "query", "headers", "body", "user", "certificates", "listener"];
const EXAMPLE: &str = r#"expected a plugin call as dockerd posts it, or a description such as `{"method": "GET", "path": "/v1.44/containers/json"}`"#;

/// A call that is asked about.
#[derive(Clone, Debug)]
pub struct Question {
    /// Or why a plugin call cannot be read: that is answered, too.
    call: Result<wire::Call, String>,
    listener: Option<String>,
}

/// Why a question is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuestionError {
    #[error("the question is not JSON: {0}; {EXAMPLE}")]
    NotJson(String),
    #[error("the question is {0}; {EXAMPLE}")]
    NotObject(Kind),
    #[error("the question has no `{0}`; {EXAMPLE}")]
    Missing(&'static str),
    #[error("unknown member `{name}` of the question; there are: {there}", there = MEMBERS.join(", "))]
    Unknown { name: String },
    #[error("`{member}` of the question is {found}; expected {expected}")]
    Wrong { member: String, found: Kind, expected: &'static str },
}

/// Tells a plugin call from a description.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Peek {
    request_method: Option<IgnoredAny>,
    request_uri: Option<IgnoredAny>,
}

// === impl Question ===

impl Question {
    /// Reads a question. A description has `method` and `path`, and may have `query` and `headers` (objects of texts), `body` (any
    /// JSON), `user`, `certificates` (PEM texts, the caller's own first) and `listener`.
    pub fn read(bytes: &[u8]) -> Result<Self, QuestionError> {
        let is_call = serde_json::from_slice::<Peek>(bytes)
            .is_ok_and(|peek| peek.request_method.is_some() || peek.request_uri.is_some());
        if is_call {
            return Ok(Self { call: wire::read_call(bytes).map_err(|error| error.to_string()), listener: None });
        }
        let text = std::str::from_utf8(bytes).map_err(|error| QuestionError::NotJson(error.to_string()))?;
        let description = document::from_json(text.to_owned()).map_err(QuestionError::NotJson)?;
        Self::described(description.root())
    }

    /// The listener that it says the call comes in by.
    pub fn listener(&self) -> Option<&str> {
        self.listener.as_deref()
    }

    pub(crate) fn into_call(self) -> Result<wire::Call, String> {
        self.call
    }

    fn described(description: Value<'_>) -> Result<Self, QuestionError> {
        if description.kind() != Kind::Object {
            return Err(QuestionError::NotObject(description.kind()));
        }
        if let Some((name, _)) = description.members().find(|(name, _)| !MEMBERS.contains(name)) {
            return Err(QuestionError::Unknown { name: name.to_owned() });
        }
        let certificates = match member(description, "certificates") {
            Some(list) => texts(list, "certificates", "a list of PEM texts")?,
            None => Vec::new(),
        };
        let certificates = Certificates::from(certificates);
        let user = text(description, "user")?.or_else(|| common_name(&certificates));
        let body = member(description, "body").map(|body| body.to_json().into_bytes());
        let call = wire::Call {
            method: text(description, "method")?.ok_or(QuestionError::Missing("method"))?,
            uri: uri(description)?,
            headers: headers(description, body.as_deref())?,
            body,
            authentication: user.is_some().then(|| "TLS".to_owned()),
            user,
            certificates,
        };
        Ok(Self { call: Ok(call), listener: text(description, "listener")? })
    }
}

/// As dockerd has it: of the caller's own certificate.
fn common_name(certificates: &Certificates) -> Option<String> {
    certificates.read().ok()?.first()?.common_name.clone()
}

/// The path, and the query after it.
fn uri(description: Value<'_>) -> Result<String, QuestionError> {
    let mut uri = text(description, "path")?.ok_or(QuestionError::Missing("path"))?;
    let Some(query) = member(description, "query") else { return Ok(uri) };
    for (name, value) in object(query, "query")? {
        let values = if value.kind() == Kind::List { value.items().collect() } else { vec![value] };
        for value in values {
            let value = scalar(value, &format!("query/{name}"))?;
            let sign = if uri.contains('?') { '&' } else { '?' };
            // Writing to a string does not fail.
            let _ = write!(uri, "{sign}{}={}", escaped(name), escaped(&value));
        }
    }
    Ok(uri)
}

/// With those that say what a client says of a JSON body.
fn headers(description: Value<'_>, body: Option<&[u8]>) -> Result<Vec<(String, String)>, QuestionError> {
    let mut headers = Vec::new();
    if let Some(given) = member(description, "headers") {
        for (name, value) in object(given, "headers")? {
            headers.push((name.to_owned(), scalar(value, &format!("headers/{name}"))?));
        }
    }
    if let Some(body) = body {
        let implied = [("Content-Type", "application/json".to_owned()), ("Content-Length", body.len().to_string())];
        for (name, value) in implied {
            if !headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name)) {
                headers.push((name.to_owned(), value));
            }
        }
    }
    Ok(headers)
}

/// What is null is not there.
fn member<'d>(description: Value<'d>, name: &str) -> Option<Value<'d>> {
    description.get(name).filter(|value| value.kind() != Kind::Null)
}

fn text(description: Value<'_>, name: &'static str) -> Result<Option<String>, QuestionError> {
    let Some(value) = member(description, name) else { return Ok(None) };
    let text = value.as_str().ok_or_else(|| wrong(name, value, "a text"))?;
    Ok(Some(text.to_owned()).filter(|text| !text.is_empty()))
}

fn texts(list: Value<'_>, name: &'static str, expected: &'static str) -> Result<Vec<String>, QuestionError> {
    let texts = list.texts().ok_or_else(|| wrong(name, list, expected))?;
    Ok(texts.into_iter().map(str::to_owned).collect())
}

fn object<'d>(
    value: Value<'d>,
    name: &'static str,
) -> Result<impl Iterator<Item = (&'d str, Value<'d>)>, QuestionError> {
    if value.kind() == Kind::Object { Ok(value.members()) } else { Err(wrong(name, value, "an object of texts")) }
}

/// A text, a number, true or false.
fn scalar(value: Value<'_>, name: &str) -> Result<String, QuestionError> {
    match value.kind() {
        Kind::Text => Ok(value.as_str().unwrap_or_default().to_owned()),
        Kind::Number | Kind::Boolean => Ok(value.to_json()),
        Kind::Null | Kind::List | Kind::Object => Err(wrong(name, value, "a text")),
    }
}

fn wrong(member: &str, value: Value<'_>, expected: &'static str) -> QuestionError {
    QuestionError::Wrong { member: member.to_owned(), found: value.kind(), expected }
}

/// As a part of a query.
fn escaped(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    text.bytes().fold(String::with_capacity(text.len()), |mut escaped, byte| {
        if is_plain(byte) {
            escaped.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(escaped, "%{byte:02X}");
        }
        escaped
    })
}

#[cfg(test)]
mod tests;
