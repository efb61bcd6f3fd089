//! What the policies of one folder may have.

use portcullis_engine::Grants;
use portcullis_model::{Limits, TenantLimits};

/// What the policies of one folder may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quota {
    /// What a policy has whose file does not say otherwise.
    pub limits: Limits,
    /// Whether that is also the most that it can have.
    pub is_most: bool,
    pub grants: Grants,
    /// How many there may be, and the bytes of one file.
    pub policies: usize,
    pub policy_bytes: u64,
    /// Bytes of all documents.
    pub data_bytes: u64,
}

// === impl Quota ===

impl Quota {
    /// What the operator's own policies may have.
    pub fn of_host() -> Self {
        Self {
            limits: Limits::default(),
            is_most: false,
            grants: Grants::ALL,
            policies: 4096,
            policy_bytes: 256 << 20,
            data_bytes: 1 << 30,
        }
    }

    /// What the policies of a tenant may have who is not active.
    pub fn of_nobody() -> Self {
        Self::of_tenant(&TenantLimits::default(), Grants::default())
    }

    /// What a tenant's policies may have.
    pub fn of_tenant(limits: &TenantLimits, grants: Grants) -> Self {
        Self {
            limits: limits.policy.clone(),
            is_most: true,
            grants,
            policies: limits.policies,
            policy_bytes: limits.policy_bytes,
            data_bytes: limits.data_bytes,
        }
    }
}
