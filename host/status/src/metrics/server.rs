//! `GET /metrics` by TCP, for a scraper that cannot reach the admin socket. Nothing else is answered, and nobody is asked who
//! they are: the address is a private one, or something that asks stands before it.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use portcullis_service::accept::{Acceptor, stopped};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::{info, warn};

use crate::listen::{Service, Unheard, listen};
use crate::metrics::scrape::{self, Metrics};

/// One more waits in the kernel's queue.
const CONNECTIONS: usize = 16;
/// From a connection's beginning to its end, and for the head of its call.
const AT_MOST: Duration = Duration::from_secs(30);
const HEAD: Duration = Duration::from_secs(5);
/// What a call's head may take: a scraper's is far smaller. hyper takes no less.
const BUFFER: usize = 8 << 10;

/// Serves until it is told to stop; a scrape that is under way is then cut off.
pub async fn serve(address: SocketAddr, unheard: Unheard, metrics: Arc<Metrics>, mut stop: watch::Receiver<bool>) {
    let listener = tokio::select! {
        listener = listen(Service::Metrics, address, &unheard) => listener,
        () = stopped(&mut stop) => return,
    };
    // The one that the kernel chose, where the port was 0.
    let address = listener.local_addr().unwrap_or(address);
    info!(%address, "serving metrics");
    if !address.ip().is_loopback() {
        warn!(%address, "metrics are for everybody who reaches this address: they name tenants and policies");
    }
    let serve = |(stream, _)| {
        let metrics = Arc::clone(&metrics);
        // Who takes longer is cut off, and asks again.
        async move { drop(timeout(AT_MOST, connection(stream, metrics)).await) }
    };
    let (acceptor, mut connections) = (Acceptor::new("metrics", CONNECTIONS), JoinSet::new());
    tokio::select! {
        () = acceptor.accept(&listener, serve, &mut connections) => {}
        () = stopped(&mut stop) => {}
    }
}

async fn connection(stream: TcpStream, metrics: Arc<Metrics>) {
    let service = service_fn(move |request| {
        let metrics = Arc::clone(&metrics);
        async move { Ok::<_, Infallible>(answer(&request, &metrics).await) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD).keep_alive(false).max_buf_size(BUFFER);
    // What went wrong on the way is the scraper's to tell.
    let _ = http.serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(request: &Request<Incoming>, metrics: &Metrics) -> Response<Full<Bytes>> {
    match (request.uri().path(), request.method()) {
        ("/metrics", &Method::GET | &Method::HEAD) => {
            let content_type = HeaderValue::from_static(scrape::CONTENT_TYPE);
            reply(StatusCode::OK, (CONTENT_TYPE, content_type), metrics.page().await)
        }
        ("/metrics", _) => {
            let allow = (ALLOW, HeaderValue::from_static("GET, HEAD"));
            reply(StatusCode::METHOD_NOT_ALLOWED, allow, "only GET and HEAD\n")
        }
        _ => {
            let text = (CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
            reply(StatusCode::NOT_FOUND, text, "there is only /metrics here\n")
        }
    }
}

fn reply(
    status: StatusCode,
    (name, value): (hyper::header::HeaderName, HeaderValue),
    body: impl Into<Bytes>,
) -> Response<Full<Bytes>> {
    let mut reply = Response::new(Full::new(body.into()));
    *reply.status_mut() = status;
    reply.headers_mut().insert(name, value);
    reply
}
