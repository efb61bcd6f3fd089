//! The plugin protocol's JSON: what dockerd asks, and what it is answered.
//!
//! moby's `pkg/authorization/api.go` has the call; fields that are empty are absent.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::identity::Certificates;

/// One call to the daemon, as the plugin is shown it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Call {
    pub method: String,
    /// As it was sent: not decoded, maybe absolute.
    pub uri: String,
    /// The last value of each.
    pub headers: Vec<(String, String)>,
    /// None where dockerd did not forward it, or it is empty.
    pub body: Option<Vec<u8>>,
    /// The common name of the caller's TLS certificate.
    pub user: Option<String>,
    /// `TLS`, or none.
    pub authentication: Option<String>,
    /// The caller's own first.
    pub certificates: Certificates,
}

/// Why a plugin call cannot be read. It is answered with a denial.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// dockerd sends one when it repeats a call whose connection broke.
    #[error("the plugin call is empty")]
    Empty,
    #[error("the plugin call is not a JSON object")]
    NotAnObject,
    #[error("the plugin call is not the JSON of a call: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the plugin call has no `{0}`")]
    Missing(&'static str),
    #[error("`{0}` of the plugin call is not base64")]
    Base64(&'static str),
    #[error("a certificate of the plugin call is not text")]
    Certificate,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AuthZReq<'a> {
    request_method: Option<String>,
    request_uri: Option<String>,
    request_headers: Option<BTreeMap<String, String>>,
    #[serde(borrow)]
    request_body: Option<Text<'a>>,
    user: Option<String>,
    #[serde(rename = "UserAuthNMethod")]
    authentication: Option<String>,
    #[serde(borrow)]
    request_peer_certificates: Option<Vec<Text<'a>>>,
}

/// A text of the call, not copied unless it has escapes: serde does not borrow an `Option<Cow<str>>`.
#[derive(Deserialize)]
pub(crate) struct Text<'a>(#[serde(borrow)] pub(crate) Cow<'a, str>);

/// `Err` is never sent: with status 200, dockerd ignores it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Answer<'a> {
    allow: bool,
    #[serde(skip_serializing_if = "str::is_empty")]
    msg: &'a str,
}

/// Reads the body of an `AuthZReq` call.
pub fn read_call(bytes: &[u8]) -> Result<Call, WireError> {
    match bytes.trim_ascii_start().first() {
        None => return Err(WireError::Empty),
        // A list would be taken for the fields in their order.
        Some(b'{') => {}
        Some(_) => return Err(WireError::NotAnObject),
    }
    let call: AuthZReq<'_> = serde_json::from_slice(bytes)?;
    let not_empty = |text: Option<String>| text.filter(|text| !text.is_empty());
    let body = call.request_body.map(|text| decode(&text, "RequestBody")).transpose()?;
    let certificates = call.request_peer_certificates.unwrap_or_default();
    let pem = |text: &Text<'_>| {
        String::from_utf8(decode(text, "RequestPeerCertificates")?).map_err(|_| WireError::Certificate)
    };
    Ok(Call {
        method: not_empty(call.request_method).ok_or(WireError::Missing("RequestMethod"))?,
        uri: not_empty(call.request_uri).ok_or(WireError::Missing("RequestUri"))?,
        headers: call.request_headers.unwrap_or_default().into_iter().collect(),
        body: body.filter(|body| !body.is_empty()),
        user: not_empty(call.user),
        authentication: not_empty(call.authentication),
        certificates: certificates.iter().map(pem).collect::<Result<Vec<_>, _>>()?.into(),
    })
}

/// The body of an answer; the message is for the caller.
pub fn write_answer(allow: bool, message: &str) -> Vec<u8> {
    // Serialising a boolean and a text cannot fail; an empty answer would be an error to dockerd, never an allow.
    serde_json::to_vec(&Answer { allow, msg: message }).unwrap_or_default()
}

pub(crate) fn decode(text: &Text<'_>, field: &'static str) -> Result<Vec<u8>, WireError> {
    base64_simd::STANDARD.decode_to_vec(text.0.as_bytes()).map_err(|_| WireError::Base64(field))
}

// === impl Call ===

impl Call {
    /// A header, whatever the case of its name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}
