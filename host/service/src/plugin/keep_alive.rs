//! A connection that dockerd keeps for its next call, and when it can end without that call being lost.
//!
//! dockerd's client (moby's pkg/plugins/client.go) repeats a call that failed, but by then it has read the call's body:
//! what it sends again is empty, or the rest of it, and is denied. Only if it cannot connect, it has read nothing yet. So
//! a connection must not end while dockerd may write on it. Go's net/http would take another connection by itself if
//! nothing could be written (`nothingWrittenError` in transport.go), but not if the body is larger than its buffer of
//! 4 KiB (`bodyReadError` in transfer.go), and not if it sees the end of the connection before it writes
//! (`errServerClosedIdle`).
//!
//! What ends a connection safely is an answer that says so. Another host can take a connection on which no call is
//! under way. What is left is to close one on which no call came for a while: dockerd uses the connection that it used
//! last, so one that stays idle while calls come is soon used, too.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::header::{CONNECTION, HeaderValue};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;
use tokio::time::sleep;

use crate::plugin::endpoint::Reply;

const CLOSE: HeaderValue = HeaderValue::from_static("close");

/// How far a connection is with its calls. All of it is read and written by the connection's own task.
#[derive(Debug, Default)]
pub(super) struct KeepAlive {
    /// Pieces that were read.
    reads: AtomicU64,
    /// Something of a call was read, and its answer is not sent yet.
    is_in_call: AtomicBool,
    /// There is an answer, which is to be sent.
    is_answered: AtomicBool,
    /// The next answer is the last one, and says so.
    is_last: AtomicBool,
}

/// A stream that notes how far the connection is.
#[derive(Debug)]
pub(crate) struct Noted<'k> {
    stream: UnixStream,
    keep_alive: &'k KeepAlive,
}

/// Whether something waits to be read.
pub(super) fn is_unread(stream: &UnixStream) -> bool {
    SockRef::from(stream).peek(&mut [MaybeUninit::uninit()]).is_ok_and(|bytes| bytes > 0)
}

// === impl KeepAlive ===

impl KeepAlive {
    /// Ready when no call came within such a time, and none is under way.
    pub(crate) async fn quiet(&self, time: Duration) {
        loop {
            let before = self.reads.load(Ordering::Relaxed);
            sleep(time).await;
            if self.reads.load(Ordering::Relaxed) == before && !self.is_in_call() {
                return;
            }
        }
    }

    pub(crate) fn is_in_call(&self) -> bool {
        self.is_in_call.load(Ordering::Relaxed)
    }

    /// The next answer ends the connection.
    pub(crate) fn end_with_next(&self) {
        self.is_last.store(true, Ordering::Relaxed);
    }

    /// A call was answered.
    pub(super) fn answered(&self, mut reply: Reply) -> Reply {
        self.is_answered.store(true, Ordering::Relaxed);
        if self.is_last.load(Ordering::Relaxed) {
            reply.headers_mut().insert(CONNECTION, CLOSE);
        }
        reply
    }
}

// === impl Noted ===

impl<'k> Noted<'k> {
    pub(super) fn new(stream: UnixStream, keep_alive: &'k KeepAlive) -> Self {
        Self { stream, keep_alive }
    }

    pub(crate) fn into_stream(self) -> UnixStream {
        self.stream
    }
}

impl AsyncRead for Noted<'_> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        if buffer.filled().len() > before {
            self.keep_alive.is_in_call.store(true, Ordering::Relaxed);
            self.keep_alive.reads.fetch_add(1, Ordering::Relaxed);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Noted<'_> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// Comes when all of an answer was written.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        if self.keep_alive.is_answered.swap(false, Ordering::Relaxed) {
            self.keep_alive.is_in_call.store(false, Ordering::Relaxed);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
