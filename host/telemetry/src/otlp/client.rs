//! One call to a collector.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue, USER_AGENT};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustix::io::Errno;
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::otlp::Endpoint;

/// From connecting to the answer's end.
const AT_MOST: Duration = Duration::from_secs(10);
/// An answer is a few numbers and perhaps a sentence.
const MAX_ANSWER: usize = 64 << 10;
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const AGENT: HeaderValue = HeaderValue::from_static(concat!("portcullis/", env!("CARGO_PKG_VERSION")));

/// Why a batch did not arrive.
#[derive(Debug, Error)]
pub(crate) enum SendError {
    #[error("{address} cannot be reached: {source}{}", network_hint(source))]
    Connect { address: String, source: io::Error },
    #[error("the call broke off: {0}")]
    Http(#[from] hyper::Error),
    #[error("no answer within {} s", AT_MOST.as_secs())]
    TimedOut,
    #[error("answered with {0}")]
    Refused(StatusCode),
}

/// Sends a body. How many of its items the collector did not take is the answer.
pub(super) async fn send(endpoint: &Endpoint, body: Bytes) -> Result<u64, SendError> {
    timeout(AT_MOST, post(endpoint, body)).await.unwrap_or(Err(SendError::TimedOut))
}

async fn post(endpoint: &Endpoint, body: Bytes) -> Result<u64, SendError> {
    let address = endpoint.address();
    let stream = TcpStream::connect(&address).await.map_err(|source| SendError::Connect { address, source })?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = Method::POST;
    // A path that came out of a URL is one.
    *request.uri_mut() = endpoint.path().parse().unwrap_or_default();
    let headers = request.headers_mut();
    // An authority that came out of a URL is a value.
    headers.insert(HOST, HeaderValue::from_str(endpoint.authority()).unwrap_or(HeaderValue::from_static("")));
    headers.insert(CONTENT_TYPE, JSON);
    headers.insert(USER_AGENT, AGENT);
    let exchange = async {
        let response = sender.send_request(request).await?;
        let status = response.status();
        // What cannot be read of it does not matter: the status says whether it arrived.
        let answer = Limited::new(response.into_body(), MAX_ANSWER).collect().await;
        let answer = answer.map(|answer| answer.to_bytes()).unwrap_or_default();
        if status.is_success() { Ok(rejected(&answer)) } else { Err(SendError::Refused(status)) }
    };
    // Who drives the connection ends when the answer is there.
    tokio::select! {
        answered = exchange => answered,
        () = async { drop(connection.await); std::future::pending::<()>().await } => Err(SendError::TimedOut),
    }
}

/// `{"partialSuccess": {"rejectedSpans": "3"}}`: 64-bit numbers are text in JSON, and some write them as numbers.
fn rejected(answer: &[u8]) -> u64 {
    let answer: serde_json::Value = serde_json::from_slice(answer).unwrap_or_default();
    let part =
        ["rejectedSpans", "rejectedLogRecords"].into_iter().find_map(|name| answer.get("partialSuccess")?.get(name));
    part.and_then(|count| count.as_u64().or_else(|| count.as_str()?.parse().ok())).unwrap_or_default()
}

/// What to do about EAFNOSUPPORT, which is what `RestrictAddressFamilies` of the shipped unit answers with.
pub fn network_hint(error: &io::Error) -> &'static str {
    if error.raw_os_error() == Some(Errno::AFNOSUPPORT.raw_os_error()) {
        "; portcullis.service has no network until \
         /etc/systemd/system/portcullis.service.d/network.conf gives it one (examples/systemd/README.md)"
    } else {
        ""
    }
}

// === impl SendError ===

impl SendError {
    /// Whether the same may work a moment later (the OTLP specification, "Retryable Response Codes").
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Connect { .. } | Self::Http(_) | Self::TimedOut => true,
            Self::Refused(status) => matches!(status.as_u16(), 429 | 502 | 503 | 504),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_rejected_in_part_is_counted() {
        for (answer, count) in [
            ("", 0),
            ("{}", 0),
            (r#"{"partialSuccess": {}}"#, 0),
            (r#"{"partialSuccess": {"rejectedSpans": "3", "errorMessage": "x"}}"#, 3),
            (r#"{"partialSuccess": {"rejectedLogRecords": 4}}"#, 4),
            (r#"{"partialSuccess": {"rejectedSpans": "many"}}"#, 0),
        ] {
            assert_eq!(rejected(answer.as_bytes()), count, "{answer}");
        }
    }
}
