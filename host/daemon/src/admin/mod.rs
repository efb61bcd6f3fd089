//! Answers the operator, on a unix socket of its own that only root and the host's own user can use:
//!
//! | call | answer |
//! |---|---|
//! | `GET /v1/openapi.json` | the document that describes all of these |
//! | `GET /v1/status` | [`Status`] |
//! | `POST /v1/reload` | when everything was read again |
//! | `GET /v1/policies` | the host-wide policies |
//! | `GET /v1/policies/{name}` | what is known of one; its bytes with `Accept: application/wasm` |
//! | `PUT /v1/policies/{name}` | puts a `.wasm`: 201 or 200 when it is in force, 422 with the reason otherwise |
//! | `DELETE /v1/policies/{name}` | removes it |
//! | `GET /v1/data` | all documents as one object; with `?list`, what there is |
//! | `GET /v1/data/{*pointer}` | the value at an RFC 6901 pointer, whose first token is the document |
//! | `PUT`, `PATCH`, `DELETE /v1/data/{*pointer}` | changes it: 200 or 201 with the generation in which that is in force |
//! | the same below `/v1/tenants/{tenant}` | of that tenant |
//! | `GET /v1/state` | what policies keep: tenant, policy, keys, bytes |
//! | `POST /v1/state/reset` | gives up a damaged store that was set aside |
//! | `DELETE /v1/tenants/{tenant}/state` | clears all that is kept for a tenant |
//! | `GET`, `DELETE /v1/tenants/{tenant}/state/{origin}/{policy}` | the keys of one policy for one tenant; clears them |

mod access;
mod data;
mod error;
mod openapi;
mod policies;
mod route;
pub mod state;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::extract::connect_info::Connected;
use axum::http::StatusCode;
use axum::middleware;
use axum::serve::IncomingStream;
use tokio::net::UnixListener;
use tokio::sync::watch;
use tracing::error;

use crate::admin::error::Failure;
use crate::manage::Manager;
use crate::socket::Bound;
use crate::state::Store;
use crate::status::{Reporter, Status};

/// The user at the other end.
#[derive(Clone, Copy, Debug)]
struct Peer(Option<u32>);

impl Connected<IncomingStream<'_, UnixListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, UnixListener>) -> Self {
        Self(stream.io().peer_cred().ok().map(|peer| peer.uid()))
    }
}

/// What the routes need. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Admin {
    pub(crate) reporter: Arc<Reporter>,
    pub(crate) manager: Manager,
    pub(crate) store: Store,
}

/// Serves until it is told to stop.
pub(crate) async fn serve(bound: Bound, admin: Admin, mut stop: watch::Receiver<bool>) {
    let routes = route::router()
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .with_state(admin)
        .layer(middleware::from_fn(access::identify));
    let (listener, _file) = bound.into_parts();
    let told = async move { drop(stop.wait_for(|stop| *stop).await) };
    let service = routes.into_make_service_with_connect_info::<Peer>();
    if let Err(error) = axum::serve(listener, service).with_graceful_shutdown(told).await {
        error!(%error, "the admin socket is no longer served");
    }
}

async fn status(State(admin): State<Admin>) -> Json<Status> {
    Json(admin.reporter.status())
}

async fn reload(State(admin): State<Admin>) -> StatusCode {
    admin.manager.reload().await;
    StatusCode::NO_CONTENT
}

async fn unknown() -> Failure {
    Failure::new(StatusCode::NOT_FOUND, "there is nothing at this path; `GET /v1/status` says what is in force")
}

async fn wrong_method() -> Failure {
    Failure::new(StatusCode::METHOD_NOT_ALLOWED, "this method is not of this path; the `Allow` header says which are")
}
