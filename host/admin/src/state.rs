//! `/v1/state` and `/v1/tenants/{tenant}/state`: what policies keep.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use portcullis_model::decision::Origin;
use portcullis_model::fault::StateFault;
use portcullis_model::{PolicyName, TenantName};
use portcullis_state::{SpaceName, Store, Usage};
use serde::{Deserialize, Serialize};

use crate::Admin;
use crate::error::Failure;

/// All spaces are read for some answers.
const READ_WITHIN: Duration = Duration::from_secs(10);

/// The answer to `GET /v1/state`, and to that of one tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateStatus {
    /// Why nothing of it is to be had.
    pub problem: Option<String>,
    /// Transactions that went to the disk since the host started: changes that come together share one.
    pub commits: u64,
    pub spaces: Vec<SpaceStatus>,
}

/// What one policy keeps for one tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpaceStatus {
    pub tenant: String,
    /// `host` or `tenant`: whose the policy is.
    pub origin: String,
    pub policy: String,
    pub keys: u32,
    pub bytes: u64,
}

/// What was cleared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cleared {
    pub keys: u32,
    pub bytes: u64,
}

/// What became of a store that was set aside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reset {
    /// The files that the operator gave up, by the names that they have now.
    pub given_up: Vec<String>,
}

/// Whose space.
#[derive(Debug, Deserialize)]
pub struct Which {
    tenant: String,
    origin: String,
    policy: String,
}

pub async fn list(State(admin): State<Admin>) -> Result<Json<StateStatus>, Failure> {
    spaces(&admin, None).await
}

pub(crate) async fn list_tenant(
    State(admin): State<Admin>,
    Path(tenant): Path<String>,
) -> Result<Json<StateStatus>, Failure> {
    spaces(&admin, Some(tenant_name(&tenant)?)).await
}

/// All spaces, or a tenant's.
async fn spaces(admin: &Admin, of: Option<TenantName>) -> Result<Json<StateStatus>, Failure> {
    let status = reading(&admin.store, move |store| match store.problem() {
        Some(problem) => Ok(StateStatus { problem: Some(problem), commits: store.commits(), spaces: Vec::new() }),
        None => {
            let spaces = store.spaces()?.into_iter();
            let spaces =
                spaces.filter(|space| of.as_ref().is_none_or(|of| space.tenant == *of)).map(|space| SpaceStatus {
                    tenant: space.tenant.to_string(),
                    origin: space.origin.as_str().to_owned(),
                    policy: space.policy.to_string(),
                    keys: space.usage.keys,
                    bytes: space.usage.bytes,
                });
            Ok(StateStatus { problem: None, commits: store.commits(), spaces: spaces.collect() })
        }
    });
    status.await.map(Json)
}

pub async fn clear(State(admin): State<Admin>, Path(which): Path<Which>) -> Result<Json<Cleared>, Failure> {
    cleared(admin.store.clear(which.space()?).await)
}

/// Everything of a tenant's.
pub(crate) async fn clear_tenant(
    State(admin): State<Admin>,
    Path(tenant): Path<String>,
) -> Result<Json<Cleared>, Failure> {
    cleared(admin.store.clear_tenant(tenant_name(&tenant)?).await)
}

/// Gives up a damaged store, which stays beside the one that is made.
pub async fn reset(State(admin): State<Admin>) -> Result<Json<Reset>, Failure> {
    let store: Store = admin.store;
    // It takes as long as the store's file is large.
    let given_up = tokio::task::spawn_blocking(move || store.reset()).await;
    let given_up = given_up.map_err(|_| Failure::panicked())?.map_err(unavailable)?;
    Ok(Json(Reset { given_up }))
}

/// The store reads from the disk, which may not answer.
pub(crate) async fn reading<T: Send + 'static>(
    store: &Store,
    read: impl FnOnce(Store) -> Result<T, StateFault> + Send + 'static,
) -> Result<T, Failure> {
    store.reading("", READ_WITHIN, read).await.map_err(unavailable)
}

pub fn cleared(cleared: Result<Usage, StateFault>) -> Result<Json<Cleared>, Failure> {
    let Usage { keys, bytes } = cleared.map_err(unavailable)?;
    Ok(Json(Cleared { keys, bytes }))
}

fn unavailable(fault: StateFault) -> Failure {
    let is_asked_wrongly = matches!(fault, StateFault::KeyTooLong { .. });
    let status = if is_asked_wrongly { StatusCode::BAD_REQUEST } else { StatusCode::SERVICE_UNAVAILABLE };
    Failure::new(status, fault.to_string())
}

fn tenant_name(name: &str) -> Result<TenantName, Failure> {
    TenantName::new(name).map_err(|bad| Failure::bad_request(bad.to_string()))
}

// === impl Which ===

impl Which {
    pub fn space(&self) -> Result<SpaceName, Failure> {
        let origin = match self.origin.as_str() {
            "host" => Origin::Host,
            "tenant" => Origin::Tenant,
            other => return Err(Failure::bad_request(format!("`{other}` is neither `host` nor `tenant`"))),
        };
        let policy = PolicyName::new(&self.policy).map_err(|bad| Failure::bad_request(bad.to_string()))?;
        Ok(SpaceName::new(&tenant_name(&self.tenant)?, origin, &policy))
    }
}
