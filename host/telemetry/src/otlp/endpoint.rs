//! Where a collector listens.

use std::str::FromStr;

use hyper::Uri;
use hyper::http::uri::Scheme;

const DEFAULT_PORT: u16 = 80;

/// An `http://` URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    uri: Uri,
}

/// Why a text is no endpoint. It continues a sentence that names the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadEndpoint {
    #[error("which is not a URL")]
    NotAUrl,
    #[error("which is not `http://`: a collector on this machine, or in a private network, sends it on by TLS")]
    NotHttp,
    #[error("which holds a user or a password")]
    Credentials,
}

// === impl Endpoint ===

impl Endpoint {
    /// `host:port`, to connect to.
    pub fn address(&self) -> String {
        let host = self.uri.host().unwrap_or_default();
        format!("{host}:{}", self.uri.port_u16().unwrap_or(DEFAULT_PORT))
    }

    /// For the head of a call.
    pub fn authority(&self) -> &str {
        self.uri.authority().map_or("", |authority| authority.as_str())
    }

    /// Where to post to, with the query.
    pub fn path(&self) -> &str {
        self.uri.path_and_query().map_or("/", |path| path.as_str())
    }
}

impl FromStr for Endpoint {
    type Err = BadEndpoint;

    fn from_str(text: &str) -> Result<Self, BadEndpoint> {
        let uri: Uri = text.parse().map_err(|_| BadEndpoint::NotAUrl)?;
        let authority = uri.authority().ok_or(BadEndpoint::NotAUrl)?;
        if authority.as_str().contains('@') {
            return Err(BadEndpoint::Credentials);
        }
        if uri.scheme() != Some(&Scheme::HTTP) {
            return Err(BadEndpoint::NotHttp);
        }
        Ok(Self { uri })
    }
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.uri.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        for (text, address, path) in [
            ("http://127.0.0.1:4318/v1/traces", "127.0.0.1:4318", "/v1/traces"),
            ("http://collector/x?y=1", "collector:80", "/x?y=1"),
            ("http://[::1]:4318", "[::1]:4318", "/"),
        ] {
            let endpoint: Endpoint = text.parse().expect("an endpoint");
            assert_eq!((endpoint.address().as_str(), endpoint.path()), (address, path), "{text}");
        }
        for (text, expected) in [
            ("", BadEndpoint::NotAUrl),
            ("/v1/traces", BadEndpoint::NotAUrl),
            ("http:// x", BadEndpoint::NotAUrl),
            ("https://collector/", BadEndpoint::NotHttp),
            ("grpc://collector:4317/", BadEndpoint::NotHttp),
            ("http://me:secret@collector/", BadEndpoint::Credentials),
        ] {
            assert_eq!(text.parse::<Endpoint>(), Err(expected), "{text}");
        }
    }
}
