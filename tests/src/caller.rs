//! Who calls the daemon, as dockerd tells a plugin of it.

use std::path::Path;

use serde_json::{Map, Value, json};

use crate::error::Result;
use crate::plugin::{self, Reply};

/// A caller, with what dockerd knows of it.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    user: Option<String>,
    headers: Map<String, Value>,
    /// PEM texts, its own first.
    certificates: Vec<String>,
}

// === impl Caller ===

impl Caller {
    /// Somebody of whom nothing is known.
    pub fn anybody() -> Self {
        Self::default()
    }

    /// Somebody whose certificate has this common name.
    pub fn named(user: &str) -> Self {
        Self::anybody().user(user)
    }

    #[must_use]
    pub fn user(self, user: &str) -> Self {
        Self { user: Some(user.to_owned()), ..self }
    }

    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(name.to_owned(), value.into());
        self
    }

    /// One more certificate; the first is the caller's own.
    #[must_use]
    pub fn certificate(mut self, pem: &str) -> Self {
        self.certificates.push(pem.to_owned());
        self
    }

    /// Asks to list containers.
    pub fn list(&self, socket: &Path) -> Result<Reply> {
        plugin::ask(socket, &self.listing())
    }

    /// Asks to create a container of an image.
    pub fn create(&self, socket: &Path, image: &str) -> Result<Reply> {
        let body = json!({ "Image": image }).to_string();
        let caller = self.clone().header("Content-Type", "application/json");
        let caller = caller.header("Content-Length", &body.len().to_string());
        plugin::ask(socket, &caller.call("POST", "/v1.44/containers/create", body.as_bytes()))
    }

    /// The plugin call for [`Self::list`].
    pub fn listing(&self) -> Vec<u8> {
        self.call("GET", "/v1.44/containers/json", b"")
    }

    /// What dockerd has nothing for is absent, or empty, which is the same.
    pub fn call(&self, method: &str, target: &str, body: &[u8]) -> Vec<u8> {
        let base64 = |bytes: &[u8]| base64_simd::STANDARD.encode_to_string(bytes);
        let certificates: Vec<_> = self.certificates.iter().map(|pem| base64(pem.as_bytes())).collect();
        let call = json!({
            "RequestMethod": method,
            "RequestUri": target,
            "RequestHeaders": self.headers,
            "RequestBody": base64(body),
            "RequestPeerCertificates": certificates,
            "User": self.user,
            "UserAuthNMethod": self.user.as_ref().map(|_| "TLS"),
        });
        call.to_string().into_bytes()
    }
}
