//! `/v1/health`: for whoever watches the host.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use portcullis_status::health::Readiness;
use serde_json::{Value, json};

use crate::Admin;
use crate::version::Version;

/// It answers, and that is all.
pub(crate) async fn live() -> Json<Value> {
    Json(json!({ "is_live": true }))
}

/// 503 where calls are denied that no policy denies.
pub(crate) async fn ready(State(admin): State<Admin>) -> (StatusCode, Json<Readiness>) {
    let readiness = admin.reporter.readiness();
    let status = if readiness.is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(readiness))
}

pub(crate) async fn version() -> Json<Version> {
    Json(Version::own())
}
