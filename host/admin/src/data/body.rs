//! Large bodies, in both directions, with no more of them in memory than needed.

use std::io;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_LENGTH;
use axum::http::{Request, StatusCode};
use futures_util::stream::poll_fn;
use http_body_util::BodyExt;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::timeout;

use crate::Admin;
use crate::error::Failure;

/// An answer of up to so many bytes is written whole; a larger one piece by piece, from a thread.
const WHOLE: usize = 256 << 10;
/// Pieces that wait for the caller.
const PIECES: usize = 4;
/// How long a caller may take for one piece, in either direction.
const STALLED: Duration = Duration::from_secs(30);

/// Where an answer goes.
pub(super) enum Out {
    /// Fails when it gets too large.
    Whole(Vec<u8>),
    Pieces {
        sender: mpsc::Sender<io::Result<Bytes>>,
        runtime: Handle,
    },
}

/// Has an answer written. A large one is written twice: the first time only up to where it is seen to be large.
pub(super) async fn write<F>(admin: &Admin, value: F) -> Result<Body, Failure>
where
    F: Fn(&mut Out) -> io::Result<()> + Send + 'static,
{
    let mut out = Out::Whole(Vec::new());
    if let (Ok(()), Out::Whole(bytes)) = (value(&mut out), out) {
        return Ok(Body::from(bytes));
    }
    let turn = admin.manager.write_queues().download().await?;
    let (sender, mut receiver) = mpsc::channel(PIECES);
    let runtime = Handle::current();
    tokio::task::spawn_blocking(move || {
        let _turn: OwnedSemaphorePermit = turn;
        let mut out = Out::Pieces { sender: sender.clone(), runtime };
        if let Err(error) = value(&mut out) {
            // So that what is cut off does not look whole. The caller may be gone.
            let _ = sender.try_send(Err(error));
        }
    });
    Ok(Body::from_stream(poll_fn(move |context| receiver.poll_recv(context))))
}

/// A whole body, if it is not too large, and what is made of it.
pub(super) async fn receive<T: Send + 'static>(
    admin: &Admin,
    request: Request<Body>,
    most: u64,
    make: impl FnOnce(Vec<u8>) -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let too_large = || Failure::new(StatusCode::PAYLOAD_TOO_LARGE, format!("at most {most} bytes are taken"));
    let length = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > most) {
        return Err(too_large());
    }
    let _room = admin.manager.write_queues().upload(length.unwrap_or(most)).await?;
    let mut bytes = Vec::with_capacity(usize::try_from(length.unwrap_or_default()).unwrap_or_default());
    let mut body = request.into_body();
    loop {
        let stalled = |_| Failure::new(StatusCode::REQUEST_TIMEOUT, "the body does not go on");
        let Some(frame) = timeout(STALLED, body.frame()).await.map_err(stalled)? else { break };
        let frame = frame.map_err(|error| Failure::bad_request(format!("the body broke off: {error}")))?;
        let Ok(piece) = frame.into_data() else { continue };
        if (bytes.len() + piece.len()) as u64 > most {
            return Err(too_large());
        }
        bytes.extend_from_slice(&piece);
    }
    let made = tokio::task::spawn_blocking(move || make(bytes)).await;
    made.unwrap_or_else(|_| Err(Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "the host failed; its log says how")))
}

// === impl Out ===

impl io::Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Whole(held) if held.len() + bytes.len() > WHOLE => return Err(io::ErrorKind::FileTooLarge.into()),
            Self::Whole(held) => held.extend_from_slice(bytes),
            Self::Pieces { sender, runtime } => {
                let piece = Ok(Bytes::copy_from_slice(bytes));
                let sent = runtime.block_on(async { timeout(STALLED, sender.send(piece)).await });
                sent.map_err(|_| io::ErrorKind::TimedOut)?.map_err(|_| io::ErrorKind::BrokenPipe)?;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
