//! How what went wrong is answered: a status, and a sentence.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use portcullis_service::dry_run::AskError;
use serde_json::json;

use crate::manage::ManageError;

/// What is answered where something went wrong: `{"error": "…"}`.
#[derive(Debug)]
pub struct Failure {
    pub status: StatusCode,
    pub error: String,
}

impl Failure {
    pub fn new(status: StatusCode, error: impl Into<String>) -> Self {
        Self { status, error: error.into() }
    }

    pub fn panicked() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "the host panicked; its log says how")
    }

    pub(crate) fn bad_request(error: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error)
    }
}

impl From<ManageError> for Failure {
    fn from(error: ManageError) -> Self {
        let status = match &error {
            ManageError::NotFound { .. } | ManageError::Missing(_) => StatusCode::NOT_FOUND,
            ManageError::Malformed(_) => StatusCode::BAD_REQUEST,
            ManageError::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            ManageError::Precondition { .. } => StatusCode::PRECONDITION_FAILED,
            ManageError::NoRoom(_) => StatusCode::INSUFFICIENT_STORAGE,
            ManageError::NotInForce(_) | ManageError::Conflict(_) => StatusCode::CONFLICT,
            ManageError::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            ManageError::Busy(_) => StatusCode::SERVICE_UNAVAILABLE,
            ManageError::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, error.to_string())
    }
}

impl From<AskError> for Failure {
    fn from(error: AskError) -> Self {
        let status = match &error {
            AskError::NoListener { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            AskError::NoTenant { .. } => StatusCode::NOT_FOUND,
            AskError::Busy(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self::new(status, error.to_string())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (self.status, Json(json!({ "error": self.error }))).into_response()
    }
}
