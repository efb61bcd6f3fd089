//! Accepts connections and serves them until the host is told to stop.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::UnixStream;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::{error, warn};

use crate::config::{HostLimits, Listener};
use crate::decide::Decider;
use crate::decision_log::{Peer, Sender};
use crate::plugin::body::BodyLimits;
use crate::plugin::endpoint::{self, Reply};
use crate::socket::Bound;

/// Accepting can fail for want of file descriptors; it is tried again after this.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);

/// The most that a connection holds of what it has not yet passed on, in bytes. A call's headers must fit.
const READ_BUFFER: usize = 64 << 10;

/// What one plugin socket answers with.
#[derive(Debug)]
pub struct Front {
    pub(crate) listener: Listener,
    /// The listener's.
    name: Arc<str>,
    pub(crate) decider: Arc<Decider>,
    pub(crate) bodies: BodyLimits,
    limits: HostLimits,
}

impl Front {
    pub fn new(listener: Listener, decider: Arc<Decider>, bodies: BodyLimits, limits: &HostLimits) -> Self {
        let name = listener.name.as_str().into();
        Self { listener, name, decider, bodies, limits: limits.clone() }
    }

    fn admits(&self, peer: Option<Peer>) -> bool {
        peer.is_some_and(|peer| self.listener.allow_uids.contains(&peer.uid))
    }
}

/// Serves a socket. Ready when `stop` says so and every call that was under way is answered, or the grace is over.
pub async fn serve(bound: Bound, front: Arc<Front>, mut stop: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(front.limits.connections as usize));
    let mut connections = JoinSet::new();
    loop {
        let accept = async {
            // Who finds no place waits in the kernel's queue, and is not turned away: dockerd would ask again.
            let place = Arc::clone(&places).acquire_owned().await.ok()?;
            Some((place, bound.listener.accept().await))
        };
        let accepted = tokio::select! {
            accepted = accept => accepted,
            () = told(&mut stop) => break,
        };
        match accepted {
            Some((place, Ok((stream, _)))) => {
                let (front, stop) = (Arc::clone(&front), stop.clone());
                connections.spawn(async move {
                    let _place = place;
                    connection(stream, front, stop).await;
                });
            }
            Some((_, Err(error))) => {
                warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_AGAIN).await;
            }
            None => break,
        }
        while connections.try_join_next().is_some() {}
    }
    drop(bound);
    let grace = front.limits.shutdown_grace;
    if timeout(grace, async { while connections.join_next().await.is_some() {} }).await.is_err() {
        warn!(left = connections.len(), "calls were still under way when the grace was over");
    }
}

/// Ready when the host is told to stop, or is gone.
async fn told(stop: &mut watch::Receiver<bool>) {
    // The guard that this gives must not live across an await.
    drop(stop.wait_for(|stop| *stop).await);
}

async fn connection(stream: UnixStream, front: Arc<Front>, mut stop: watch::Receiver<bool>) {
    let peer = stream.peer_cred().ok().map(|peer| Peer { uid: peer.uid(), pid: peer.pid() });
    let admitted = front.admits(peer);
    if !admitted {
        warn!(listener = front.listener.name, ?peer, "a user that may not ask was refused");
    }
    let idle = front.limits.idle_timeout;
    let sender = Sender { listener: Arc::clone(&front.name), peer };
    let service = service_fn(move |request| {
        let (front, sender) = (Arc::clone(&front), sender.clone());
        async move {
            Ok::<_, Infallible>(if admitted { guarded(front, request, sender).await } else { endpoint::stranger() })
        }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(idle).half_close(true).max_buf_size(READ_BUFFER);
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        ended = connection.as_mut() => drop(ended),
        () = told(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            drop(connection.await);
        }
    }
}

/// A panic of the host's own is a denial too: the connection must not close without an answer.
async fn guarded(front: Arc<Front>, request: Request<Incoming>, sender: Sender) -> Reply {
    let is_question = endpoint::is_question(&request);
    let answer = AssertUnwindSafe(endpoint::answer(&front, request, &sender)).catch_unwind().await;
    if let Ok(answer) = answer {
        return answer;
    }
    error!("the host panicked while it answered a call");
    if !is_question {
        return endpoint::internal_error();
    }
    // The denial is logged, unless it is the log that panics.
    let logged = AssertUnwindSafe(endpoint::failed(&front, &sender)).catch_unwind().await;
    logged.unwrap_or_else(|_| endpoint::internal_error())
}
