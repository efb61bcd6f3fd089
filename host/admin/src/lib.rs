//! Answers the operator, on a unix socket of its own that only root and the host's own user can use; and, where `[admin]` says
//! so, by TCP with TLS, whoever shows a token or a certificate that is known:
//!
//! | call | answer |
//! |---|---|
//! | `GET /v1/openapi.json` | the document that describes all of these |
//! | `GET /v1/health/live` | that the host answers; to whoever asks |
//! | `GET /v1/health/ready` | [`Readiness`](portcullis_status::health::Readiness), with 503 where it is not |
//! | `GET /v1/version` | [`Version`](crate::version::Version) |
//! | `GET /v1/status` | [`Status`] |
//! | `GET /v1/tenants/{tenant}/status` | [`TenantStatus`]: of that tenant, and nothing of others |
//! | `POST /v1/reload` | [`Reloaded`], when everything was read again |
//! | `GET /v1/policies` | the host-wide policies |
//! | `GET /v1/policies/{name}` | what is known of one; its bytes with `Accept: application/wasm` |
//! | `PUT /v1/policies/{name}` | puts a `.wasm`: 201 or 200 when it is active, 422 with the reason otherwise |
//! | `DELETE /v1/policies/{name}` | removes it |
//! | `GET /v1/data` | all documents as one object; with `?list`, what there is |
//! | `GET /v1/data/{*pointer}` | the value at an RFC 6901 pointer, whose first token is the document |
//! | `PUT`, `PATCH`, `DELETE /v1/data/{*pointer}` | changes it: 200 or 201 with the generation in which that is active |
//! | `GET`, `PUT`, `PATCH`, `DELETE /v1/policies/{name}/config` | what its `NAME.toml` says, as JSON |
//! | `PUT /v1/policies/{name}/mode`, `GET`, `PUT /v1/policies/{name}/settings` | parts of it |
//! | the same below `/v1/tenants/{tenant}` | of that tenant |
//! | `POST /v1/decide`, `POST /v1/tenants/{tenant}/decide` | what would be answered to a call: a [`Report`](portcullis_service::asking::Report) |
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
//! unix socket ─┐
//!              ├─> connection ─> head ─> access ─> route ─> state, policies, data, …
//! TCP with TLS ┘   places                who       may they
//! ```
//!
//! `connection` accepts at both. `status::gate` has the certificate and the callers that are known by TCP, read again at a
//! reload. `head` refuses what is for another host or from a browser, `access` finds out who asks and logs what they change,
//! and `route` is the one table of all routes with the scope that each needs: the check is made from it. `openapi/` describes
//! every route, and `build.rs` makes one document of it.
//!
//! [`manage`] carries out changes without HTTP. A policy is checked, compiled and probed, then written beside its place,
//! synced and renamed, and the observer is told to look. What lies beside a policy is changed as text
//! (`config::policy_edit`), so that comments stay. Changes of data of one folder wait in one queue, and whoever holds its lock
//! makes all of them: in memory one after the other, each with its own precondition, and then each file is written once. The
//! tag of a document is its file's fingerprint. The loader takes what is in memory instead of parsing the file again, if the
//! fingerprint is that very one. [`reload`] reads `portcullis.toml` and the certificates again, has the rest of the host take
//! what needs no restart, and says what was refused.

mod access;
mod body;
mod config;
mod connection;
mod connection_limits;
mod data;
mod decide;
mod decisions;
mod error;
mod head;
mod health;
pub mod keys;
pub mod manage;
mod openapi;
mod policies;
pub mod reload;
mod route;
mod stall;
pub mod state;
pub mod version;

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Json, middleware};
use portcullis_model::TenantName;
use serde::Serialize;
use tokio::sync::watch;
use tracing::info;

use crate::access::{Doorkeeper, Principal, identify, unknown_caller};
use crate::connection::{Listener, Server};
use crate::error::Failure;
use crate::manage::Manager;
use crate::reload::{Reloaded, Reloader};
use portcullis_config::HostLimits;
use portcullis_engine::LARGE_ANSWERS;
use portcullis_service::socket::Bound;
use portcullis_state::Store;
use portcullis_status::gate::Gate;
use portcullis_status::listen::{Service, Unheard, listen};
use portcullis_status::metrics::{self, Metrics, requests};
use portcullis_status::status::{Reporter, Status, TenantStatus};

pub use decide::DryRuns;
pub use decisions::Decisions;
pub use route::{Listed, routes};

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// What the routes need. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Admin {
    pub reporter: Arc<Reporter>,
    pub manager: Manager,
    pub store: Store,
    pub gate: Option<Arc<Gate>>,
    pub reloader: Arc<Reloader>,
    pub dry_runs: DryRuns,
    pub metrics: Arc<Metrics>,
    pub decisions: Decisions,
}

/// Serves both until it is told to stop.
pub async fn serve(local: Bound, admin: Admin, unheard: Unheard, limits: HostLimits, mut stop: watch::Receiver<bool>) {
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

async fn status(State(admin): State<Admin>) -> Result<Response, Failure> {
    json(move || -> Status { admin.reporter.status() }).await
}

/// An answer that can be large: it is made, and written, where nobody waits for it who answers calls.
async fn json<T: Serialize>(make: impl FnOnce() -> T + Send + 'static) -> Result<Response, Failure> {
    let made = LARGE_ANSWERS.finish("", move || serde_json::to_vec(&make())).await.map_err(|_| Failure::panicked())?;
    let bytes = made.map_err(|error| Failure::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    Ok(([(CONTENT_TYPE, JSON)], bytes).into_response())
}

/// A tenant's own part. What is wrong with its `tenant.toml` is the operator's to know: it can name other tenants.
async fn tenant_status(State(admin): State<Admin>, Path(tenant): Path<String>) -> Result<Json<TenantStatus>, Failure> {
    let name = TenantName::new(&tenant).map_err(|bad| Failure::bad_request(bad.to_string()))?;
    let status = admin.reporter.tenant(&name);
    let mut status =
        status.ok_or_else(|| Failure::new(StatusCode::NOT_FOUND, format!("no tenant `{name}` is active")))?;
    for problem in status.problems.iter_mut().filter(|problem| problem.what == "tenant") {
        "its `tenant.toml` is not what is active; the operator is told why".clone_into(&mut problem.problem);
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
    let message = "there is nothing at this path; `GET /v1/status` says what is active";
    to_known(&request, Failure::new(StatusCode::NOT_FOUND, message))
}

async fn wrong_method(request: Request) -> Response {
    let message = "this method is not of this path; the `Allow` header says which are";
    to_known(&request, Failure::new(StatusCode::METHOD_NOT_ALLOWED, message))
}

/// Which paths there are is nothing for strangers.
fn to_known(request: &Request, failure: Failure) -> Response {
    match request.extensions().get::<Principal>() {
        Some(_) => failure.into_response(),
        None => unknown_caller(),
    }
}
