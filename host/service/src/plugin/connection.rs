//! Accepts connections and serves them, until the host stops or the next host has the socket. No call is lost then.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use portcullis_config::{HostLimits, Listener};
use portcullis_decision_log::{Peer, Sender};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tracing::{error, warn};

use crate::accept::{Acceptor, Listen, ended};
use crate::body::BodyLimits;
use crate::decide::Authorizer;
use crate::plugin::endpoint::{self, Reply};
use crate::plugin::keep_alive::{self, KeepAlive, Noted};
use crate::socket::Bound;

/// The most that a connection holds of what it has not yet passed on, in bytes. A call's headers must fit.
const READ_BUFFER: usize = 64 << 10;

/// A connection on which no call came for so long is closed when the host stops.
const QUIET: Duration = Duration::from_millis(500);

/// Between the end of the connections that dockerd may hold and that of the socket: dockerd reads their end in this time.
const SETTLE: Duration = Duration::from_millis(50);

/// A connection with a call under way mostly ends with its answer; it is looked at again after this.
const AGAIN: Duration = Duration::from_millis(5);

/// Connections that wait to be handed over.
const KEPT: usize = 64;

/// What the host does with its sockets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    Serving,
    /// It ends, and nobody takes its place for now.
    Stopping,
    /// The next host has these sockets, and serves who waits there.
    HandedOver(Arc<[PathBuf]>),
}

/// What one plugin socket answers with.
#[derive(Debug)]
pub struct Front {
    pub listener: Listener,
    /// The listener's.
    name: Arc<str>,
    pub authorizer: Arc<Authorizer>,
    pub bodies: BodyLimits,
    limits: HostLimits,
}

impl Front {
    pub fn new(listener: Listener, authorizer: Arc<Authorizer>, bodies: BodyLimits, limits: &HostLimits) -> Self {
        let name = listener.name.as_str().into();
        Self { listener, name, authorizer, bodies, limits: limits.clone() }
    }

    fn admits(&self, peer: Option<Peer>) -> bool {
        peer.is_some_and(|peer| self.listener.allow_uids.contains(&peer.uid))
    }
}

/// Serves what comes at one socket.
struct Server {
    front: Arc<Front>,
    acceptor: Acceptor,
    phase: watch::Receiver<Phase>,
    /// For connections without a call under way, if the next host has the socket. Every connection holds one.
    kept: mpsc::Sender<UnixStream>,
}

/// Serves a socket, and connections that another host accepted there, until the host stops or the next host has the
/// socket. Gives the connections that the next host is to serve, too.
pub async fn serve(
    bound: Bound,
    accepted: Vec<UnixStream>,
    front: Arc<Front>,
    mut phase: watch::Receiver<Phase>,
) -> Vec<UnixStream> {
    let acceptor = Acceptor::new("plugin", front.limits.connections as usize);
    let (kept, idle) = mpsc::channel(KEPT);
    let server = Server { front, acceptor, phase: phase.clone(), kept };
    let mut connections = JoinSet::new();
    for stream in accepted {
        server.acceptor.adopt(server.connection(stream), &mut connections);
    }
    tokio::select! {
        () = server.accept(&bound.listener, &mut connections) => {}
        () = over(&mut phase) => {}
    }
    let next = phase.borrow().clone();
    if next.hands_over(bound.path()) {
        bound.leave();
        return server.leave(connections, idle).await;
    }
    drop(idle);
    server.stop(bound, connections).await;
    Vec::new()
}

/// Ready when the host does not serve any more, or is gone.
async fn over(phase: &mut watch::Receiver<Phase>) {
    // The guard that this gives must not live across an await.
    drop(phase.wait_for(|phase| *phase != Phase::Serving).await);
}

// === impl Phase ===

impl Phase {
    fn hands_over(&self, socket: &Path) -> bool {
        match self {
            Self::HandedOver(sockets) => sockets.iter().any(|handed_over| handed_over == socket),
            Self::Serving | Self::Stopping => false,
        }
    }
}

// === impl Server ===

impl Server {
    async fn accept(&self, listener: &impl Listen<Stream = UnixStream>, connections: &mut JoinSet<()>) {
        self.acceptor.accept(listener, |stream| self.connection(stream), connections).await;
    }

    fn connection(&self, stream: UnixStream) -> impl Future<Output = ()> + use<> {
        connection(stream, Arc::clone(&self.front), self.phase.clone(), self.kept.clone())
    }

    /// Ends without losing a call. As long as dockerd may hold a connection for its next call, it must be able to make
    /// another one; after that, it must not be able to. Who is refused by the kernel asks again, with the whole call.
    async fn stop(self, bound: Bound, mut connections: JoinSet<()>) {
        let grace = self.front.limits.shutdown_grace;
        let deadline = Instant::now() + grace;
        // Their answers end them.
        let mut late = JoinSet::new();
        let kept_end = async {
            ended(&mut connections).await;
            sleep(SETTLE.min(grace / 4)).await;
        };
        tokio::select! {
            () = self.accept(&bound.listener, &mut late) => {}
            _ = timeout(grace / 2, kept_end) => {}
        }
        let shut = bound.shut().inspect_err(|error| warn!(%error, "the plugin socket could not be shut"));
        let rest = async {
            if let Ok(shut) = shut {
                self.accept(&shut, &mut late).await;
            }
            ended(&mut late).await;
            ended(&mut connections).await;
        };
        if timeout_at(deadline, rest).await.is_err() {
            warn!(left = connections.len() + late.len(), "calls were still under way when the grace was over");
        }
    }

    /// Leaves the socket to the next host, and answers what is under way. Ready when no call can come any more; the
    /// next host is to have the connections that are left.
    async fn leave(self, connections: JoinSet<()>, mut idle: mpsc::Receiver<UnixStream>) -> Vec<UnixStream> {
        let Self { front, kept, .. } = self;
        drop(kept);
        let mut left = Vec::new();
        let all = async {
            while let Some(stream) = idle.recv().await {
                left.push(stream);
            }
        };
        if timeout(front.limits.shutdown_grace, all).await.is_err() {
            warn!(left = connections.len(), "calls were still under way when the grace was over");
        }
        left
    }
}

/// Serves a connection to its end, or until the next host is to have it.
async fn connection(
    stream: UnixStream,
    front: Arc<Front>,
    mut phase: watch::Receiver<Phase>,
    kept: mpsc::Sender<UnixStream>,
) {
    let peer = stream.peer_cred().ok().map(|peer| Peer { uid: peer.uid(), pid: peer.pid() });
    let admitted = front.admits(peer);
    if !admitted {
        warn!(listener = front.listener.name, ?peer, "refused a connection from a user who is not in `allow_uids`");
    }
    let caller = Caller { sender: Sender { listener: Arc::clone(&front.name), peer }, admitted, front: &front };
    let keep_alive = KeepAlive::default();
    let free = caller.free(&keep_alive, &mut phase);
    let Some(stream) = caller.serve(stream, &keep_alive, free).await else { return };
    if phase.borrow().hands_over(&front.listener.socket) {
        // An error means that the grace is over.
        let _ = kept.send(stream).await;
        return;
    }
    if keep_alive::is_unread(&stream) {
        let never = std::future::pending();
        caller.serve(stream, &keep_alive, never).await;
    }
}

/// Who is at the other end of a connection.
struct Caller<'f> {
    front: &'f Arc<Front>,
    sender: Sender,
    admitted: bool,
}

// === impl Caller ===

impl Caller<'_> {
    /// Ready when the host does not serve any more and can give up the connection. Until then, each answer ends it.
    async fn free(&self, keep_alive: &KeepAlive, phase: &mut watch::Receiver<Phase>) {
        over(phase).await;
        keep_alive.end_with_next();
        let is_handed_over = phase.borrow().hands_over(&self.front.listener.socket);
        if is_handed_over {
            while keep_alive.is_in_call() {
                sleep(AGAIN).await;
            }
        } else {
            keep_alive.quiet(QUIET.min(self.front.limits.shutdown_grace / 4)).await;
        }
    }

    /// Serves until the connection ends, or until `free`; then it gives the stream.
    async fn serve(
        &self,
        stream: UnixStream,
        keep_alive: &KeepAlive,
        free: impl Future<Output = ()>,
    ) -> Option<UnixStream> {
        let service = service_fn(|request| async move {
            let reply = if self.admitted {
                guarded(Arc::clone(self.front), request, self.sender.clone()).await
            } else {
                endpoint::refused_peer()
            };
            Ok::<_, Infallible>(keep_alive.answered(reply))
        });
        let mut http = http1::Builder::new();
        let idle = self.front.limits.idle_timeout;
        http.timer(TokioTimer::new()).header_read_timeout(idle).half_close(true).max_buf_size(READ_BUFFER);
        let mut connection = http.serve_connection(TokioIo::new(Noted::new(stream, keep_alive)), service);
        tokio::select! {
            biased;
            ended = &mut connection => {
                drop(ended);
                None
            }
            () = free => Some(connection.into_parts().io.into_inner().into_stream()),
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
