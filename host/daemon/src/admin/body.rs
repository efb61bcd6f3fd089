//! What callers send, within a time.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use http_body_util::BodyExt;
use hyper::body::{Frame, Incoming, SizeHint};
use thiserror::Error;
use tokio::time::{Instant, Sleep, sleep, timeout};

/// From one piece of a body to the next.
const PATIENCE: Duration = Duration::from_secs(30);
/// How much is read from those who are refused, and for how long: who is still sending would not read the answer.
const DISCARDED: usize = 4 << 20;
const DISCARDING: Duration = Duration::from_secs(2);

/// A body whose next piece must come in time.
#[derive(Debug)]
pub(crate) struct Punctual {
    body: Incoming,
    until: Pin<Box<Sleep>>,
    is_waiting: bool,
}

#[derive(Debug, Error)]
pub(crate) enum BodyError {
    #[error("nothing more of it came within {} s", PATIENCE.as_secs())]
    Slow,
    #[error(transparent)]
    Broken(#[from] hyper::Error),
}

/// Reads some of what nobody wants.
pub(crate) async fn discard(mut body: Body) {
    let mut read = 0;
    let reading = async {
        while let Some(Ok(frame)) = body.frame().await {
            read += frame.data_ref().map_or(0, Bytes::len);
            if read > DISCARDED {
                break;
            }
        }
    };
    let _ = timeout(DISCARDING, reading).await;
}

// === impl Punctual ===

impl Punctual {
    pub(crate) fn new(body: Incoming) -> Self {
        Self { body, until: Box::pin(sleep(PATIENCE)), is_waiting: false }
    }
}

impl HttpBody for Punctual {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(context) {
            this.is_waiting = false;
            return Poll::Ready(frame.map(|frame| frame.map_err(BodyError::from)));
        }
        if !this.is_waiting {
            this.is_waiting = true;
            this.until.as_mut().reset(Instant::now() + PATIENCE);
        }
        ready!(this.until.as_mut().poll(context));
        Poll::Ready(Some(Err(BodyError::Slow)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
