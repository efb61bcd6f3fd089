//! `POST /v1/decide` and `POST /v1/tenants/{tenant}/decide`.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Extension, Path, State};
use axum::http::{Request, StatusCode};
use axum::response::Response;
use portcullis_config::Config;
use portcullis_docker::target::Target;
use portcullis_engine::LARGE_ANSWERS;
use portcullis_model::TenantName;
use portcullis_service::decide::Authorizer;
use portcullis_service::dry_run::{AskError, DryRunner, Manner, Question, Report};
use serde::Deserialize;

use crate::access::Principal;
use crate::error::Failure;
use crate::policies::receive;
use crate::{Admin, json};

/// Where questions are answered. Cheap to clone.
#[derive(Clone, Debug)]
pub struct DryRuns {
    authorizer: Arc<Authorizer>,
    dry_runner: Arc<DryRunner>,
    /// Of one question.
    most: usize,
}

/// Whose call it is taken for, whoever makes it.
#[derive(Debug, Deserialize)]
pub(crate) struct Which {
    tenant: Option<String>,
}

/// `?explain=true` shows the call as policies see it, `?listener=NAME` says where it is taken to come in.
pub(crate) async fn decide(
    State(admin): State<Admin>,
    Path(which): Path<Which>,
    Extension(principal): Extension<Principal>,
    request: Request<Body>,
) -> Result<Response, Failure> {
    let tenant = which.tenant.map(|name| TenantName::new(&name)).transpose();
    let tenant = tenant.map_err(|bad| Failure::bad_request(bad.to_string()))?;
    let manner = Manner { tenant, ..manner(request.uri().query().unwrap_or_default())? };
    let DryRuns { authorizer, dry_runner, most } = &admin.dry_runs;
    let bytes = receive(request, *most).await?;
    let question = LARGE_ANSWERS.finish("", move || Question::read(&bytes)).await.map_err(|_| Failure::panicked())?;
    let question = question.map_err(|error| Failure::bad_request(error.to_string()))?;
    let is_of_tenant = principal.is_of_tenant();
    let report = dry_runner.ask(authorizer.evaluator(), question, manner).await.map_err(|error| match error {
        // A listener can have another tenant's name.
        AskError::NoListener { name, .. } if is_of_tenant => {
            Failure::new(StatusCode::UNPROCESSABLE_ENTITY, format!("`{name}` is not a listener"))
        }
        AskError::NoListener { .. } | AskError::NoTenant { .. } | AskError::Busy(_) => error.into(),
    })?;
    json(move || -> Report {
        if is_of_tenant { report.for_tenant() } else { report }
    })
    .await
}

fn manner(query: &str) -> Result<Manner, Failure> {
    let target = Target::parse(&format!("/?{query}")).map_err(|error| Failure::bad_request(error.to_string()))?;
    let mut manner = Manner::default();
    for (name, value) in target.query {
        match (name.as_str(), value.as_str()) {
            ("explain", "" | "true") => manner.explain = true,
            ("explain", "false") => manner.explain = false,
            ("listener", _) => manner.listener = Some(value),
            _ => {
                let message =
                    format!("`{name}={value}` is not understood; there are `explain=true` and `listener=NAME`");
                return Err(Failure::bad_request(message));
            }
        }
    }
    Ok(manner)
}

// === impl DryRuns ===

impl DryRuns {
    /// With the limits of questions.
    pub fn new(config: &Config, authorizer: Arc<Authorizer>) -> Self {
        // What a call may have as dockerd posts it, it may have when it is described.
        let most = usize::try_from(config.limits.call_bytes).unwrap_or(usize::MAX);
        Self { authorizer, dry_runner: Arc::new(DryRunner::new(config)), most }
    }
}
