//! Asks a running host at its admin socket.

use std::path::{Path, PathBuf};
use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::args::Host;
use crate::commands::{read_config, runtime};
use crate::exit::{Exit, fail};

/// A host that is alive answers long before.
const PATIENCE: Duration = Duration::from_secs(30);

/// `GET` of a path, as JSON of this shape. What goes wrong is told.
pub(crate) fn get<T: DeserializeOwned>(host: &Host, path: &str) -> Result<T, Exit> {
    let socket = socket(host)?;
    let failed = |what: String| fail(Exit::Failed, format_args!("{}: {what}", socket.display()));
    let answer = runtime()?.block_on(async {
        let answer = timeout(PATIENCE, send(&socket, path)).await;
        answer.unwrap_or_else(|_| Err(format!("no answer within {} s", PATIENCE.as_secs())))
    });
    let (status, body) = answer.map_err(failed)?;
    if !status.is_success() {
        let error = serde_json::from_slice::<Value>(&body).ok();
        let error = error.as_ref().and_then(|error| error.get("error")?.as_str()).unwrap_or("no reason given");
        return Err(failed(format!("{status}: {error}")));
    }
    serde_json::from_slice(&body).map_err(|error| failed(format!("an answer of another version: {error}")))
}

fn socket(host: &Host) -> Result<PathBuf, Exit> {
    match &host.admin_socket {
        Some(socket) => Ok(socket.clone()),
        None => Ok(read_config(&host.dir.config)?.admin_socket),
    }
}

async fn send(socket: &Path, path: &str) -> Result<(StatusCode, Bytes), String> {
    let stream = UnixStream::connect(socket).await.map_err(|error| unreachable(&error))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    tokio::spawn(connection);
    let request = Request::get(path).header("host", "portcullis").body(Empty::<Bytes>::new());
    let request = request.map_err(|error| error.to_string())?;
    let answer = sender.send_request(request).await.map_err(|error| error.to_string())?;
    let status = answer.status();
    let body = answer.into_body().collect().await.map_err(|error| error.to_string())?;
    Ok((status, body.to_bytes()))
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
