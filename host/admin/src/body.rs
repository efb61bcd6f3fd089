//! What callers send, within a time.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::BoxError;
use axum::body::{Body, Bytes, HttpBody};
use http_body_util::BodyExt;
use hyper::body::{Frame, SizeHint};
use thiserror::Error;
use tokio::time::{Instant, Sleep, sleep, timeout};

/// From one piece of a body to the next.
const PATIENCE: Duration = Duration::from_secs(30);
/// How much is read from those who are refused, and for how long: who is still sending would not read the answer.
const DISCARDED: usize = 4 << 20;
const DISCARDING: Duration = Duration::from_secs(2);

/// A body whose next piece must come in time.
#[derive(Debug)]
pub(crate) struct Punctual<B> {
    body: B,
    patience: Duration,
    until: Pin<Box<Sleep>>,
    is_waiting: bool,
}

#[derive(Debug, Error)]
pub(crate) enum BodyError {
    #[error("nothing more of it came within {} s", .0.as_secs())]
    Slow(Duration),
    #[error("{0}")]
    Broken(#[source] BoxError),
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

impl<B> Punctual<B> {
    pub(crate) fn new(body: B) -> Self {
        Self::within(body, PATIENCE)
    }

    fn within(body: B, patience: Duration) -> Self {
        Self { body, patience, until: Box::pin(sleep(patience)), is_waiting: false }
    }
}

impl<B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Unpin> HttpBody for Punctual<B> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(context) {
            this.is_waiting = false;
            return Poll::Ready(frame.map(|frame| frame.map_err(|error| BodyError::Broken(error.into()))));
        }
        if !this.is_waiting {
            this.is_waiting = true;
            this.until.as_mut().reset(Instant::now() + this.patience);
        }
        ready!(this.until.as_mut().poll(context));
        Poll::Ready(Some(Err(BodyError::Slow(this.patience))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One piece, and then nothing, ever.
    struct Stuck(bool);

    impl HttpBody for Stuck {
        type Data = Bytes;
        type Error = BoxError;

        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
            if std::mem::replace(&mut self.0, true) {
                return Poll::Pending;
            }
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"a")))))
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_body_of_which_nothing_more_comes_is_given_up() {
        let mut body = Punctual::within(Stuck(false), Duration::from_millis(10));
        assert!(body.frame().await.is_some_and(|frame| frame.is_ok()));
        assert!(matches!(body.frame().await, Some(Err(BodyError::Slow(_)))));
        discard(Body::new(Punctual::within(Stuck(false), Duration::from_millis(10)))).await;
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_body_that_comes_is_passed_on_whole() {
        let whole = Punctual::new(Body::from("all of it")).collect().await;
        assert_eq!(whole.ok().map(http_body_util::Collected::to_bytes), Some(Bytes::from_static(b"all of it")));
    }
}
