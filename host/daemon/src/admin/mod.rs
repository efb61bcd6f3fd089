//! Answers the operator, on a unix socket of its own that only root and the host's own user can use; and, where `[admin]` says
//! so, by TCP with TLS, whoever shows a token or a certificate that is known:
//!
//! | call | answer |
//! |---|---|
//! | `GET /v1/openapi.json` | the document that describes all of these |
//! | `GET /v1/health/live` | that the host answers; to whoever asks |
//! | `GET /v1/health/ready` | [`Readiness`](crate::health::Readiness), with 503 where it is not |
//! | `GET /v1/version` | [`Version`](crate::version::Version) |
//! | `GET /v1/status` | [`Status`] |
//! | `GET /v1/tenants/{tenant}/status` | [`TenantStatus`]: of that tenant, and nothing of others |
//! | `POST /v1/reload` | [`Reloaded`], when everything was read again |
//! | `GET /v1/policies` | the host-wide policies |
//! | `GET /v1/policies/{name}` | what is known of one; its bytes with `Accept: application/wasm` |
//! | `PUT /v1/policies/{name}` | puts a `.wasm`: 201 or 200 when it is in force, 422 with the reason otherwise |
//! | `DELETE /v1/policies/{name}` | removes it |
//! | `GET /v1/data` | all documents as one object; with `?list`, what there is |
//! | `GET /v1/data/{*pointer}` | the value at an RFC 6901 pointer, whose first token is the document |
//! | `PUT`, `PATCH`, `DELETE /v1/data/{*pointer}` | changes it: 200 or 201 with the generation in which that is in force |
//! | `GET`, `PUT`, `PATCH`, `DELETE /v1/policies/{name}/config` | what its `NAME.toml` says, as JSON |
//! | `PUT /v1/policies/{name}/mode`, `GET`, `PUT /v1/policies/{name}/settings` | parts of it |
//! | the same below `/v1/tenants/{tenant}` | of that tenant |
//! | `POST /v1/decide`, `POST /v1/tenants/{tenant}/decide` | what would be answered to a call: a [`Report`](crate::asking::Report) |
//! | `GET /v1/decisions`, `GET /v1/tenants/{tenant}/decisions` | decisions as they are made: server-sent events |
//! | `GET /v1/decisions/{id}`, `GET /v1/tenants/{tenant}/decisions/{id}` | one of them |
//! | `GET /v1/state`, `GET /v1/tenants/{tenant}/state` | what policies keep: tenant, policy, keys, bytes |
//! | `POST /v1/state/reset` | gives up a damaged store that was set aside |
//! | `DELETE /v1/tenants/{tenant}/state` | clears all that is kept for a tenant |
//! | `GET`, `DELETE /v1/tenants/{tenant}/state/{origin}/{policy}` | the keys of one policy for one tenant; clears them |
//! | `GET`, `DELETE …/keys/{key}` below that | the value of one key; clears it |
//! | `GET /metrics` | everything that is counted, in the OpenMetrics text format |
//!
//! ```text
//! socket ──> connection ──> head ──> access (who asks) ──> route (may they) ──> state, policies, …
//!            tls, gate, places, body, stall
//! ```

mod access;
mod body;
mod config;
mod connection;
mod data;
mod decide;
mod decisions;
mod end;
mod error;
mod gate;
mod head;
mod health;
pub mod keys;
mod openapi;
mod places;
mod policies;
mod route;
mod stall;
pub mod state;
mod tls;

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::middleware;
use axum::response::{IntoResponse, Response};
use portcullis_model::TenantName;
use tokio::sync::watch;
use tracing::info;

use crate::admin::access::{Doorkeeper, Principal, identify, unknown_caller};
use crate::admin::connection::{Listener, Server};
pub(crate) use crate::admin::decide::Desk;
pub(crate) use crate::admin::decisions::Decisions;
use crate::admin::error::Failure;
use crate::config::HostLimits;
use crate::listen::{Service, Unheard, listen};
use crate::manage::Manager;
use crate::metrics::{self, Metrics, requests};
use crate::reload::{Reloaded, Reloader};
use crate::socket::Bound;
use crate::state::Store;
use crate::status::{Reporter, Status, TenantStatus};

pub use access::Scope;
pub(crate) use end::End;
pub(crate) use gate::Gate;
pub use route::{Listed, routes};
pub(crate) use tls::load as load_tls;

/// What the routes need. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Admin {
    pub(crate) reporter: Arc<Reporter>,
    pub(crate) manager: Manager,
    pub(crate) store: Store,
    pub(crate) gate: Option<Arc<Gate>>,
    pub(crate) reloader: Arc<Reloader>,
    pub(crate) desk: Desk,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) decisions: Decisions,
}

/// Serves both until it is told to stop.
pub(crate) async fn serve(
    local: Bound,
    admin: Admin,
    unheard: Unheard,
    limits: HostLimits,
    mut stop: watch::Receiver<bool>,
) {
    let gate = admin.gate.clone();
    let requests = Arc::clone(admin.metrics.requests());
    let routes = route::router(&admin.manager)
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .with_state(admin)
        .layer(middleware::from_fn_with_state(Doorkeeper::new(gate.clone()), identify))
        .layer(middleware::from_fn_with_state(requests, requests::count));
    let server = Arc::new(Server::new(routes, limits.idle_timeout, limits.shutdown_grace));
    let (local, _file) = local.into_parts();
    let local = connection::serve(Listener::Local(local), Arc::clone(&server), stop.clone());
    let remote = async {
        let Some(gate) = gate else { return };
        let listener = tokio::select! {
            listener = listen(Service::Admin, gate.listen, &unheard) => listener,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        let address = listener.local_addr().unwrap_or(gate.listen);
        info!(%address, "the admin API is listening");
        connection::serve(Listener::Remote(listener, gate), server, stop).await;
    };
    tokio::join!(local, remote);
}

async fn status(State(admin): State<Admin>) -> Json<Status> {
    Json(admin.reporter.status())
}

/// A tenant's own part. What is wrong with its `tenant.toml` is the operator's to know: it can name other tenants.
async fn tenant_status(State(admin): State<Admin>, Path(tenant): Path<String>) -> Result<Json<TenantStatus>, Failure> {
    let name = TenantName::new(&tenant).map_err(|bad| Failure::bad_request(bad.to_string()))?;
    let status = admin.reporter.tenant(&name);
    let mut status =
        status.ok_or_else(|| Failure::new(StatusCode::NOT_FOUND, format!("no tenant `{name}` is in force")))?;
    for problem in status.problems.iter_mut().filter(|problem| problem.what == "tenant") {
        "its `tenant.toml` is not what is in force; the operator is told why".clone_into(&mut problem.problem);
    }
    Ok(Json(status))
}

async fn reload(State(admin): State<Admin>) -> Json<Reloaded> {
    Json(admin.reloader.reload().await)
}

async fn metrics(State(admin): State<Admin>) -> impl IntoResponse {
    ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], admin.metrics.page().await)
}

async fn unknown(request: Request) -> Response {
    let told = "there is nothing at this path; `GET /v1/status` says what is in force";
    to_known(&request, Failure::new(StatusCode::NOT_FOUND, told))
}

async fn wrong_method(request: Request) -> Response {
    let told = "this method is not of this path; the `Allow` header says which are";
    to_known(&request, Failure::new(StatusCode::METHOD_NOT_ALLOWED, told))
}

/// Which paths there are is nothing for strangers.
fn to_known(request: &Request, failure: Failure) -> Response {
    match request.extensions().get::<Principal>() {
        Some(_) => failure.into_response(),
        None => unknown_caller(),
    }
}
