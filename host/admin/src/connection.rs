//! Accepts connections at the unix socket and at the TCP address, and serves them until the host is told to stop.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use portcullis_policies::tenant::LineBudget;
use portcullis_service::accept::{Acceptor, Listen, ended, stopped};
use portcullis_status::gate::{Gate, Shown};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tracing::{debug, error, warn};

use crate::access::Peer;
use crate::body::Punctual;
use crate::connection_limits::ConnectionLimits;
use crate::error::Failure;
use crate::stall::Unstalled;
use crate::{body, head};

/// Connections at each of the two; one more waits in the kernel's queue.
const CONNECTIONS: usize = 256;
/// Of them from one address; one more is closed.
const CONNECTIONS_OF_ONE: u32 = 32;
/// For TLS to be agreed on.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// For the head of a call. At the unix socket, a connection may be idle for as long as that of a plugin.
const HEAD: Duration = Duration::from_secs(10);
/// While nothing of an answer is taken.
const STALLED: Duration = Duration::from_secs(30);
/// The most that a call's head has, and that a connection holds of what it has not yet passed on.
const READ_BUFFER: usize = 32 << 10;
const MAX_HEADERS: usize = 64;
/// Lines a second about connections that come to nothing.
const FAILURES_LOGGED: u32 = 5;

pub(crate) enum Listener {
    Local(UnixListener),
    Remote(TcpListener, Arc<Gate>),
}

pub(crate) enum Accepted {
    Local(UnixStream),
    Remote(TcpStream, SocketAddr, Arc<Gate>),
}

/// What every connection needs.
pub(crate) struct Server {
    pub(crate) routes: Router,
    pub(crate) idle: Duration,
    pub(crate) grace: Duration,
    addresses: ConnectionLimits,
    lines: LineBudget,
}

/// Ready when `stop` says so and every call that was under way is answered, or the grace is over.
pub(crate) async fn serve(listener: Listener, server: Arc<Server>, stop: watch::Receiver<bool>) {
    let serve_one = |accepted| {
        let (server, stop) = (Arc::clone(&server), stop.clone());
        async move {
            match accepted {
                Accepted::Local(stream) => server.local(stream, stop).await,
                Accepted::Remote(stream, address, gate) => server.remote(stream, address, &gate, stop).await,
            }
        }
    };
    let (acceptor, mut connections) = (Acceptor::new("admin", CONNECTIONS), JoinSet::new());
    let mut stopping = stop.clone();
    tokio::select! {
        () = acceptor.accept(&listener, serve_one, &mut connections) => {}
        () = stopped(&mut stopping) => {}
    }
    drop(listener);
    if timeout(server.grace, ended(&mut connections)).await.is_err() {
        warn!(left = connections.len(), "admin calls were still under way when the grace was over");
    }
}

// === impl Listener ===

impl Listen for Listener {
    type Stream = Accepted;

    async fn accept(&self) -> io::Result<Option<Accepted>> {
        Ok(Some(match self {
            Self::Local(listener) => Accepted::Local(listener.accept().await?.0),
            Self::Remote(listener, gate) => {
                let (stream, address) = listener.accept().await?;
                Accepted::Remote(stream, address, Arc::clone(gate))
            }
        }))
    }
}

// === impl Server ===

impl Server {
    pub(crate) fn new(routes: Router, idle: Duration, grace: Duration) -> Self {
        let (addresses, lines) = (ConnectionLimits::new(CONNECTIONS_OF_ONE), LineBudget::new(FAILURES_LOGGED));
        Self { routes, idle, grace, addresses, lines }
    }

    async fn local(&self, stream: UnixStream, stop: watch::Receiver<bool>) {
        let peer = Peer::Local(stream.peer_cred().ok().map(|peer| peer.uid()));
        let mut http = builder();
        http.header_read_timeout(self.idle).half_close(true);
        self.http(&http, stream, peer, stop).await;
    }

    async fn remote(&self, stream: TcpStream, address: SocketAddr, gate: &Gate, mut stop: watch::Receiver<bool>) {
        let Some(_place) = self.addresses.take(address.ip()) else {
            return self.log_failure(address, &"this address has too many connections");
        };
        let _ = stream.set_nodelay(true);
        let handshake = timeout(HANDSHAKE, TlsAcceptor::from(gate.tls()).accept(stream));
        let stream = tokio::select! {
            done = handshake => match done {
                Ok(Ok(stream)) => stream,
                Ok(Err(error)) => return self.log_failure(address, &error),
                Err(_) => return self.log_failure(address, &"the handshake took too long"),
            },
            () = stopped(&mut stop) => return,
        };
        let peer = peer_of(&stream, address);
        // One call a connection: nothing that follows a call can be taken for another one.
        let mut http = builder();
        http.header_read_timeout(HEAD).keep_alive(false);
        self.http(&http, stream, peer, stop).await;
    }

    fn log_failure(&self, address: SocketAddr, problem: &dyn std::fmt::Display) {
        if self.lines.take(1) > 0 {
            warn!(%address, %problem, "a connection to the admin API came to nothing");
        }
    }

    async fn http<S>(&self, http: &http1::Builder, stream: S, peer: Peer, mut stop: watch::Receiver<bool>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let service = service_fn(|request| {
            let (routes, peer) = (self.routes.clone(), peer.clone());
            async move { Ok::<_, Infallible>(guarded(routes, peer, request).await) }
        });
        let stream = TokioIo::new(Unstalled::new(stream, STALLED));
        let mut connection = pin!(http.serve_connection(stream, service));
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = stopped(&mut stop) => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            debug!(%peer, %error, "a connection to the admin API broke");
        }
    }
}

fn builder() -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).max_buf_size(READ_BUFFER).max_header_size(READ_BUFFER).max_headers(MAX_HEADERS);
    http
}

fn peer_of(stream: &TlsStream<TcpStream>, address: SocketAddr) -> Peer {
    let (_, tls) = stream.get_ref();
    let own = tls.peer_certificates().and_then(<[_]>::first);
    Peer::Remote {
        address,
        certificate: own.map(|certificate| Arc::new(Shown::of(certificate))),
        server_name: tls.server_name().map(Into::into),
    }
}

/// A panic is answered: a caller who hears nothing does not know what was done.
async fn guarded(routes: Router, peer: Peer, request: Request<Incoming>) -> Response {
    let answer = AssertUnwindSafe(answer(routes, peer, request)).catch_unwind().await;
    answer.unwrap_or_else(|_| {
        error!("the host panicked while it answered the admin API");
        Failure::panicked().into_response()
    })
}

async fn answer(routes: Router, peer: Peer, request: Request<Incoming>) -> Response {
    let mut request = request.map(|body| Body::new(Punctual::new(body)));
    if let Err(refused) = head::check(&request, &peer) {
        body::discard(request.into_body()).await;
        return *refused;
    }
    request.extensions_mut().insert(peer);
    match TowerToHyperService::new(routes).call(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

#[cfg(test)]
mod tests {
    use axum::middleware::from_fn_with_state;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;
    use crate::access::{Doorkeeper, identify};

    async fn broken() -> Response {
        assert!(std::env::args().len() == 0, "the handler panics");
        Response::default()
    }

    /// What is answered to this call by a server whose handler panics.
    async fn answered(call: &str, routes: Router) -> String {
        let server = Server::new(routes, HEAD, HEAD);
        let (mut caller, stream) = duplex(1 << 16);
        let (_stop, stopped) = watch::channel(false);
        let own = rustix::process::geteuid().as_raw();
        let http = builder();
        let serving = server.http(&http, stream, Peer::Local(Some(own)), stopped);
        let asking = async {
            caller.write_all(call.as_bytes()).await.expect("written");
            let mut answer = String::new();
            caller.read_to_string(&mut answer).await.expect("an answer");
            answer
        };
        tokio::join!(serving, asking).1
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_panic_is_answered() {
        let panics = || Router::new().route("/", get(broken).put(broken));
        let keeper = || from_fn_with_state(Doorkeeper::new(None), identify);
        for (method, routes) in
            [("GET", panics()), ("GET", panics().layer(keeper())), ("PUT", panics().layer(keeper()))]
        {
            let call = format!("{method} / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
            let answer = answered(&call, routes).await;
            assert!(answer.starts_with("HTTP/1.1 500 "), "{method}: {answer}");
            assert!(answer.ends_with(r#"{"error":"the host panicked; its log says how"}"#), "{method}: {answer}");
        }
    }
}
