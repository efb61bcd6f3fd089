//! Asks a running host at its admin socket.

use std::path::{Path, PathBuf};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::args::Host;
use crate::commands::{read_config, runtime};
use crate::exit::{Exit, fail};

/// A host that is alive answers long before, unless a large policy is to be compiled.
const PATIENCE: Duration = Duration::from_secs(300);

/// A call to the admin socket.
#[derive(Debug)]
pub(crate) struct Call {
    method: Method,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Call {
    pub(crate) fn new(method: Method, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), headers: Vec::new(), body: Vec::new() }
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Only if what is there has this tag.
    pub(crate) fn if_match(self, tag: Option<&String>) -> Self {
        match tag {
            Some(tag) => self.header("if-match", format!("\"{tag}\"")),
            None => self,
        }
    }

    pub(crate) fn body(mut self, bytes: Vec<u8>) -> Self {
        self.body = bytes;
        self
    }

    /// The answer, as JSON of this shape. What goes wrong is told.
    pub(crate) fn json<T: DeserializeOwned>(self, host: &Host) -> Result<T, Exit> {
        let body = self.send(host)?;
        let other = |error| fail(Exit::Failed, format_args!("the host's answer is of another version: {error}"));
        serde_json::from_slice(&body).map_err(other)
    }

    /// The answer's bytes. What goes wrong is told.
    pub(crate) fn send(self, host: &Host) -> Result<Bytes, Exit> {
        let socket = socket(host)?;
        let failed = |what: String| fail(Exit::Failed, format_args!("{}: {what}", socket.display()));
        let answer = runtime()?.block_on(async {
            let answer = timeout(PATIENCE, self.exchange(&socket)).await;
            answer.unwrap_or_else(|_| Err(format!("no answer within {} s", PATIENCE.as_secs())))
        });
        let (status, body) = answer.map_err(failed)?;
        if status.is_success() {
            return Ok(body);
        }
        let error = serde_json::from_slice::<Value>(&body).ok();
        let error = error.as_ref().and_then(|error| error.get("error")?.as_str()).unwrap_or("no reason given");
        Err(fail(Exit::Failed, format_args!("{error} ({status})")))
    }

    async fn exchange(self, socket: &Path) -> Result<(StatusCode, Bytes), String> {
        let stream = UnixStream::connect(socket).await.map_err(|error| unreachable(&error))?;
        let handshake = http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.map_err(|error| error.to_string())?;
        tokio::spawn(connection);
        let mut request = Request::builder().method(self.method).uri(self.path).header("host", "portcullis");
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(Bytes::from(self.body))).map_err(|error| error.to_string())?;
        let answer = sender.send_request(request).await.map_err(|error| error.to_string())?;
        let status = answer.status();
        let body = answer.into_body().collect().await.map_err(|error| error.to_string())?;
        Ok((status, body.to_bytes()))
    }
}

/// A name as a part of a path. What is no name is told by the host, and must not lead to another path.
pub(crate) fn escaped(name: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    name.bytes()
        .map(|byte| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

fn socket(host: &Host) -> Result<PathBuf, Exit> {
    match &host.admin_socket {
        Some(socket) => Ok(socket.clone()),
        None => Ok(read_config(&host.dir.config)?.admin_socket),
    }
}

fn unreachable(error: &std::io::Error) -> String {
    use std::io::ErrorKind::{ConnectionRefused, NotFound, PermissionDenied};
    let hint = if matches!(error.kind(), NotFound | ConnectionRefused) {
        "; is the host running? `--admin-socket` or `--config` says which one is meant"
    } else if error.kind() == PermissionDenied {
        "; only root and the user that runs the host may ask"
    } else {
        ""
    };
    format!("the host cannot be reached: {error}{hint}")
}
