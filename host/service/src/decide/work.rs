//! Work on a call that may be large.

use std::sync::Arc;
use std::time::Instant;

use portcullis_docker::DockerRequest;
use portcullis_engine::{Charge, LARGE_CALLS, TenantBudget, Undone};
use portcullis_model::{Fault, TenantName};

/// How a call is read.
#[derive(Clone, Copy)]
pub(super) struct Reading<'a> {
    /// Where it came in.
    pub(super) listener: &'a str,
    pub(super) tenant: &'a TenantName,
    /// What a large call's memory is charged to.
    pub(super) budget: &'a Arc<TenantBudget>,
    /// Whether that is left to a thread of its own.
    pub(super) is_large: bool,
    pub(super) deadline: Instant,
}

/// Why a call was not read.
pub(super) enum Unread {
    /// The thread that read it panicked.
    Lost,
    /// It took longer than a decision may take.
    Late,
    /// Its tenant has no memory left for it.
    TooMuch(Fault),
    /// All large calls together hold what they may, which is so many bytes.
    Full(usize),
}

/// What a large call's memory is charged to: its tenant, and the host, which bounds that of all tenants.
pub(super) struct Charges {
    tenant: Charge,
    host: Charge,
    bytes: usize,
}

/// Does some work; where it is large, on a thread for that, where all who have such work take turns.
pub(super) async fn work<T: Send + 'static>(
    whose: &str,
    is_large: bool,
    deadline: Instant,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Unread> {
    if !is_large {
        return Ok(work());
    }
    LARGE_CALLS.run(whose, deadline, work).await.map_err(Unread::from)
}

// === impl Charges ===

impl Charges {
    pub(super) fn new(tenant: &Arc<TenantBudget>, host: &Arc<TenantBudget>) -> Self {
        Self { tenant: Charge::new(Arc::clone(tenant)), host: Charge::new(Arc::clone(host)), bytes: 0 }
    }

    /// Charges a request's memory, beside what is charged already.
    pub(super) fn take(&mut self, request: &DockerRequest) -> Result<(), Unread> {
        let memory = request.memory();
        let more = memory.saturating_sub(self.bytes);
        self.tenant.take(more).map_err(Unread::TooMuch)?;
        self.host.take(more).map_err(|_| Unread::Full(self.host.limit()))?;
        self.bytes = memory.max(self.bytes);
        Ok(())
    }

    /// What is left of the request is dropped where large calls are read, and only then is its memory free again.
    pub(super) fn keep(self, request: &mut DockerRequest, tenant: &TenantName) {
        let tenant = tenant.clone();
        request.set_keeper(move |remains| LARGE_CALLS.discard(tenant.as_str(), (remains, self)));
    }
}

// === impl Unread ===

impl From<Undone> for Unread {
    fn from(undone: Undone) -> Self {
        match undone {
            Undone::Lost => Self::Lost,
            Undone::Late => Self::Late,
        }
    }
}
