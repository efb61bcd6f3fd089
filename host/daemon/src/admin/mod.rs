//! Answers the operator, on a unix socket of its own that only root and the host's own user can use:
//!
//! | call | answer |
//! |---|---|
//! | `GET /v1/status` | [`Status`] |

use std::sync::Arc;

use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::serve::IncomingStream;
use axum::{Json, Router};
use serde_json::json;
use tokio::net::UnixListener;
use tokio::sync::watch;
use tracing::{error, warn};

use crate::socket::Bound;
use crate::status::{Reporter, Status};

/// The user at the other end.
#[derive(Clone, Copy, Debug)]
struct Peer(Option<u32>);

impl Connected<IncomingStream<'_, UnixListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, UnixListener>) -> Self {
        Self(stream.io().peer_cred().ok().map(|peer| peer.uid()))
    }
}

/// Serves until it is told to stop.
pub(crate) async fn serve(bound: Bound, reporter: Arc<Reporter>, mut stop: watch::Receiver<bool>) {
    let routes = Router::new()
        .route("/v1/status", get(status))
        .fallback(unknown)
        .with_state(reporter)
        .layer(middleware::from_fn(for_the_operator));
    let (listener, _file) = bound.into_parts();
    let told = async move { drop(stop.wait_for(|stop| *stop).await) };
    let service = routes.into_make_service_with_connect_info::<Peer>();
    if let Err(error) = axum::serve(listener, service).with_graceful_shutdown(told).await {
        error!(%error, "the admin socket is no longer served");
    }
}

async fn status(State(reporter): State<Arc<Reporter>>) -> Json<Status> {
    Json(reporter.status())
}

async fn unknown() -> Response {
    failure(StatusCode::NOT_FOUND, "there is nothing at this path; `GET /v1/status` says what is in force")
}

/// The socket's mode keeps others out already; this holds should somebody change it.
async fn for_the_operator(ConnectInfo(Peer(user)): ConnectInfo<Peer>, request: Request, next: Next) -> Response {
    let own = rustix::process::geteuid().as_raw();
    if user.is_some_and(|user| user == 0 || user == own) {
        return next.run(request).await;
    }
    warn!(user, path = request.uri().path(), "a user that may not was refused at the admin socket");
    failure(StatusCode::FORBIDDEN, "only root and the user that runs the host may ask here")
}

fn failure(status: StatusCode, text: &str) -> Response {
    (status, Json(json!({ "error": text }))).into_response()
}
