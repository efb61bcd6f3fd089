//! Asks a running host at its admin socket, or by TCP.

mod stream;

use std::error::Error;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::rt::{Read, Write};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use hyperlocal::UnixConnector;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tower_service::Service as _;

use crate::args::Host;
use crate::exit::Exit;
use crate::out::{self, fail};
use crate::patience::{Moved, Patience};
use crate::progress::{Upload, receive};
use crate::remote::{self, Remote};
use crate::setup::{admin_socket, runtime};

/// A call to the admin socket.
#[derive(Debug)]
pub(crate) struct Call {
    method: Method,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    /// Unless `--timeout` is given.
    patience: Patience,
}

impl Call {
    pub(crate) fn new(method: Method, path: impl Into<String>) -> Self {
        let patience = Patience::USUAL;
        Self { method, path: path.into(), headers: Vec::new(), body: Vec::new(), patience }
    }

    /// How long the host may take, unless the operator says otherwise.
    pub(crate) fn patience(mut self, patience: Patience) -> Self {
        self.patience = patience;
        self
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
        parse(&self.send(host)?)
    }

    /// The same; none where this caller may not ask it.
    pub(crate) fn json_if_allowed<T: DeserializeOwned>(self, host: &Host) -> Result<Option<T>, Exit> {
        let (status, body) = self.answer(host)?;
        if status == StatusCode::FORBIDDEN {
            return Ok(None);
        }
        parse(&succeeded(status, body)?).map(Some)
    }

    /// The answer's bytes. What goes wrong is told.
    pub(crate) fn send(self, host: &Host) -> Result<Bytes, Exit> {
        let (status, body) = self.answer(host)?;
        succeeded(status, body)
    }

    fn answer(self, host: &Host) -> Result<(StatusCode, Bytes), Exit> {
        self.attempt(host)?.map_err(|what| fail(Exit::Failed, what))
    }

    /// Whatever the host answers, or why it does not, which is not told yet.
    pub(crate) fn attempt(self, host: &Host) -> Result<Result<(StatusCode, Bytes), String>, Exit> {
        self.attempt_within(host, Duration::MAX)
    }

    /// The same, with less patience where there is less time left.
    pub(crate) fn attempt_within(
        mut self,
        host: &Host,
        limit: Duration,
    ) -> Result<Result<(StatusCode, Bytes), String>, Exit> {
        let way = Way::of(host)?;
        self.patience = self.patience.or(host.timeout).at_most(limit);
        let answer = runtime()?.block_on(self.exchange(&way));
        Ok(answer.map_err(|what| format!("{way}: {what}")))
    }

    /// Hands over each line of an answer that goes on until the host or `each` ends it. Between lines of one that
    /// `is_endless`, any time may pass. What goes wrong is told.
    pub(crate) fn lines(mut self, host: &Host, is_endless: bool, each: impl FnMut(&str) -> bool) -> Result<(), Exit> {
        let way = Way::of(host)?;
        let failed = |what: String| fail(Exit::Failed, format_args!("{way}: {what}"));
        self.patience = self.patience.or(host.timeout);
        let patience = self.patience;
        runtime()?.block_on(async {
            let answer = self.begin(&way).await.map_err(failed)?;
            if answer.status().is_success() {
                let patience = (!is_endless).then_some(patience);
                let lines = stream::lines(answer.into_body(), patience, each);
                return tokio::select! {
                    read = lines => read.map_err(failed),
                    () = out::closed(), if is_endless => Ok(()),
                };
            }
            let (status, body) = (answer.status(), receive(answer.into_body(), patience, |error| way.broken(error)));
            succeeded(status, body.await.map_err(failed)?).map(drop)
        })
    }

    async fn exchange(self, way: &Way) -> Result<(StatusCode, Bytes), String> {
        let patience = self.patience;
        let answer = self.begin(way).await?;
        let status = answer.status();
        let body = receive(answer.into_body(), patience, |error| way.broken(error)).await?;
        Ok((status, body))
    }

    async fn begin(self, way: &Way) -> Result<Response<Incoming>, String> {
        let (patience, moved) = (self.patience, Moved::default());
        let is_change = self.method != Method::GET;
        let answer = match way {
            Way::Socket(socket) => {
                let address = hyperlocal::Uri::new(socket, "/").into();
                let connecting = async { UnixConnector.call(address).await.map_err(|error| unreachable(&error)) };
                let stream = patience.connecting(connecting).await?;
                let answering = self.over(stream, "portcullis", &moved);
                patience.answering(&moved, answering).await.map(|done| done.map_err(|error| error.to_string()))
            }
            Way::Remote(remote) => {
                let stream = patience.connecting(remote.connect()).await?;
                let call = match remote.authorization() {
                    Some(authorization) => self.header("authorization", authorization),
                    None => self,
                };
                let answering = call.over(TokioIo::new(stream), remote.host(), &moved);
                patience.answering(&moved, answering).await.map(|done| done.map_err(|error| remote::broken(&*error)))
            }
        };
        let unknown = if is_change { "\n  note: whether the host does it all the same is not known" } else { "" };
        answer.unwrap_or_else(|late| Err(format!("{late}{unknown}")))
    }

    async fn over(
        self,
        stream: impl Read + Write + Unpin + Send + 'static,
        host: &str,
        moved: &Moved,
    ) -> Result<Response<Incoming>, Box<dyn Error + Send + Sync>> {
        let (mut sender, connection) = http1::handshake(stream).await?;
        let connection = tokio::spawn(connection);
        let mut request = Request::builder().method(self.method).uri(self.path).header("host", host);
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        match sender.send_request(request.body(Upload::new(self.body, moved.clone()))?).await {
            Ok(response) => Ok(response),
            // It ended before the call was sent, and only it knows why: a host can refuse a certificate so early.
            Err(unsent) if unsent.is_canceled() => match connection.await {
                Ok(Err(why)) => Err(why.into()),
                Ok(Ok(())) | Err(_) => Err(unsent.into()),
            },
            Err(error) => Err(error.into()),
        }
    }
}

pub(crate) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Exit> {
    let other = |error| fail(Exit::Failed, format_args!("the host's answer is of another version: {error}"));
    serde_json::from_slice(body).map_err(other)
}

pub(crate) fn succeeded(status: StatusCode, body: Bytes) -> Result<Bytes, Exit> {
    if status.is_success() {
        return Ok(body);
    }
    let error = serde_json::from_slice::<Value>(&body).ok();
    let error = error.as_ref().and_then(|error| error.get("error")?.as_str()).unwrap_or("no reason given");
    let hint = if status == StatusCode::UNAUTHORIZED {
        "\n  help: the host does not know this token or certificate, or none was given; `--admin-token-file`, \
         PORTCULLIS_ADMIN_TOKEN or `--admin-cert` name it"
    } else {
        ""
    };
    Err(fail(Exit::Failed, format_args!("{error} ({status}){hint}")))
}

/// How the host is reached.
enum Way {
    Socket(PathBuf),
    Remote(Box<Remote>),
}

// === impl Way ===

impl Way {
    fn of(host: &Host) -> Result<Self, Exit> {
        let remote = Remote::of(&host.remote).map_err(|what| fail(Exit::Usage, what))?;
        match (remote, &host.admin_socket) {
            (Some(remote), _) => Ok(Self::Remote(Box::new(remote))),
            (None, Some(socket)) => Ok(Self::Socket(socket.clone())),
            (None, None) => Ok(Self::Socket(admin_socket(&host.dir.config)?)),
        }
    }

    /// Why an answer broke off.
    fn broken(&self, error: &hyper::Error) -> String {
        match self {
            Self::Socket(_) => error.to_string(),
            Self::Remote(_) => remote::broken(error),
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(socket) => socket.display().fmt(f),
            Self::Remote(remote) => remote.fmt(f),
        }
    }
}

/// A name as a part of a path. What is no name is told by the host, and must not lead to another path.
pub(crate) fn escaped(name: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    name.bytes()
        .map(|byte| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
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
