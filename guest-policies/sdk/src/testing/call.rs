//! One call, as a test writes it.

use std::collections::BTreeMap;

use portcullis_docker::wire;
use serde::Deserialize;
use serde_json::Value;

/// One call of the Docker Engine API, as a test writes it.
///
/// Headers that every client sends are filled in: `Content-Type: application/json` and `Content-Length` with a body,
/// `Content-Length: 0` with a POST or PUT that has none.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    pub method: String,
    /// As it is written in the request line: `/v1.41/containers/create?name=web`.
    pub target: String,
    /// The common name of the caller's TLS certificate.
    pub user: Option<String>,
    /// None takes away a header that would be filled in.
    #[serde(default)]
    pub headers: BTreeMap<String, Option<String>>,
    /// JSON; a string is sent as it is.
    pub body: Option<Value>,
    /// The certificates of the caller as PEM, its own first.
    #[serde(default)]
    pub certificates: Vec<String>,
}

impl Call {
    pub fn new(method: &str, target: &str) -> Self {
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            user: None,
            headers: BTreeMap::new(),
            body: None,
            certificates: Vec::new(),
        }
    }

    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    pub fn post(target: &str) -> Self {
        Self::new("POST", target)
    }

    pub fn delete(target: &str) -> Self {
        Self::new("DELETE", target)
    }

    /// The caller's TLS certificate has this common name.
    #[must_use]
    pub fn user(self, name: &str) -> Self {
        Self { user: Some(name.to_owned()), ..self }
    }

    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(name.to_owned(), Some(value.to_owned()));
        self
    }

    /// JSON; a string is sent as it is.
    #[must_use]
    pub fn body(self, body: impl Into<Value>) -> Self {
        Self { body: Some(body.into()), ..self }
    }

    /// As dockerd asks about it.
    pub(super) fn wire(&self) -> wire::Call {
        wire::Call {
            method: self.method.clone(),
            uri: self.target.clone(),
            headers: self.all_headers(),
            body: self.body_bytes().filter(|body| !body.is_empty()),
            user: self.user.clone(),
            authentication: self.user.as_ref().map(|_| "TLS".to_owned()),
            certificates: self.certificates.clone().into(),
        }
    }

    /// The bytes of the body.
    fn body_bytes(&self) -> Option<Vec<u8>> {
        self.body.as_ref().map(|body| match body {
            Value::String(text) => text.clone().into_bytes(),
            json => json.to_string().into_bytes(),
        })
    }

    /// What the test gives, and what every client sends.
    fn all_headers(&self) -> Vec<(String, String)> {
        let given = |name: &str| self.headers.keys().any(|given| given.eq_ignore_ascii_case(name));
        let mut headers = Vec::new();
        let mut fill_in = |name: &str, value: String| {
            if !given(name) {
                headers.push((name.to_owned(), value));
            }
        };
        match self.body_bytes() {
            Some(body) => {
                fill_in("Content-Type", "application/json".to_owned());
                fill_in("Content-Length", body.len().to_string());
            }
            None if matches!(&*self.method, "POST" | "PUT") => fill_in("Content-Length", "0".to_owned()),
            None => {}
        }
        let given = self.headers.iter().filter_map(|(name, value)| Some((name.clone(), value.clone()?)));
        headers.extend(given);
        headers
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn headers_that_every_client_sends_are_filled_in() {
        let with_body = Call::post("/x").body(json!({"a": 1}));
        let mut chunked = with_body.clone();
        chunked.headers.insert("content-length".to_owned(), None);
        let cases = [
            ("a body", with_body.clone(), "Content-Type: application/json, Content-Length: 7"),
            ("text", Call::post("/x").body("{ }"), "Content-Type: application/json, Content-Length: 3"),
            ("no body", Call::post("/x"), "Content-Length: 0"),
            ("a GET", Call::get("/x"), ""),
            (
                "another type",
                with_body.header("content-type", "text/plain"),
                "Content-Length: 7, content-type: text/plain",
            ),
            ("a header taken away", chunked, "Content-Type: application/json"),
        ];
        for (note, call, expected) in cases {
            let headers: Vec<_> = call.all_headers().iter().map(|(name, value)| format!("{name}: {value}")).collect();
            assert_eq!(headers.join(", "), expected, "{note}");
        }
    }
}
