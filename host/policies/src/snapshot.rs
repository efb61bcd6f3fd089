//! Everything that is active at one time, and the pointer to it.

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use portcullis_config::TenantFile;
use portcullis_model::decision::Mode;
use portcullis_model::tenant::{Caller, Placement, Unplaced};
use portcullis_model::{Generation, TenantName};

use crate::issue::LoadIssues;
use crate::layer::Layer;
use crate::set::PolicySet;
use crate::tenant::Resources;

/// One generation. A request takes it once, and keeps it to its end.
#[derive(Debug)]
pub struct Snapshot {
    pub generation: Generation,
    /// Host-wide policies and data.
    pub host: Layer,
    /// Sorted by name.
    pub tenants: Vec<Arc<Tenant>>,
    /// By the place in `tenants`.
    pub(crate) placement: Arc<Placement>,
    /// Listeners that are bound to a tenant, with that tenant's place; none where there is no such tenant.
    pub bound: Vec<(String, Option<usize>)>,
    /// Where those belong who belong to no other tenant; or why that cannot be told.
    pub rest: Result<usize, Arc<str>>,
}

/// One tenant, as it is active.
#[derive(Debug)]
pub struct Tenant {
    pub name: TenantName,
    /// In which it last changed.
    pub generation: Generation,
    pub file: Arc<TenantFile>,
    /// Its own policies and data.
    pub layer: Layer,
    pub set: PolicySet,
    pub resources: Resources,
}

/// Why it cannot be told whose a call is. The text is for the operator.
#[derive(Debug, thiserror::Error)]
pub enum NotPlaced {
    #[error(transparent)]
    Unplaced(#[from] Unplaced),
    #[error("no tenant's match fits, and one tenant's cannot be read: {0}")]
    Closed(Arc<str>),
    #[error("the listener `{0}` is bound to a tenant that is not there")]
    Unbound(String),
}

/// What is active now, and what is not though it lies in a folder.
#[derive(Debug)]
pub struct Live {
    snapshot: ArcSwap<Snapshot>,
    issues: ArcSwap<LoadIssues>,
}

// === impl Live ===

impl Live {
    pub fn new(snapshot: Snapshot) -> Self {
        Self { snapshot: ArcSwap::from_pointee(snapshot), issues: ArcSwap::default() }
    }

    /// What is active, for the whole of one request.
    pub fn load(&self) -> Arc<Snapshot> {
        Guard::into_inner(self.snapshot.load())
    }

    pub fn issues(&self) -> Arc<LoadIssues> {
        self.issues.load_full()
    }

    /// Gives what was active.
    pub(crate) fn publish(&self, snapshot: Snapshot) -> Arc<Snapshot> {
        self.snapshot.swap(Arc::new(snapshot))
    }

    /// Replaces what is known of troubles.
    pub fn tell(&self, issues: LoadIssues) {
        self.issues.store(Arc::new(issues));
    }
}

// === impl Snapshot ===

impl Snapshot {
    /// Whether nobody else holds what of it is not active any more: no call that was under way goes on.
    pub(crate) fn is_retired(this: &Arc<Self>, now: &Self) -> bool {
        let is_active = |tenant: &Arc<Tenant>| {
            let at = now.tenants.binary_search_by(|other| other.name.cmp(&tenant.name)).ok();
            at.and_then(|at| now.tenants.get(at)).is_some_and(|other| Arc::ptr_eq(other, tenant))
        };
        let is_left = |tenant: &Arc<Tenant>| Arc::strong_count(tenant) == 1 || is_active(tenant);
        Arc::strong_count(this) == 1 && this.tenants.iter().all(is_left)
    }

    /// Whose a call is: exactly one tenant's.
    pub fn place(&self, caller: &dyn Caller) -> Result<&Arc<Tenant>, NotPlaced> {
        let listener = caller.listener();
        let unbound = || NotPlaced::Unbound(listener.to_owned());
        if let Some((_, tenant)) = self.bound.iter().find(|(bound, _)| bound == listener) {
            return tenant.and_then(|at| self.tenants.get(at)).ok_or_else(unbound);
        }
        let at = match self.placement.find(caller)? {
            Some(at) => at,
            None => self.rest.clone().map_err(NotPlaced::Closed)?,
        };
        self.tenants.get(at).ok_or_else(unbound)
    }
}

// === impl Tenant ===

impl Tenant {
    /// Whether its own policies and its default count.
    pub fn mode(&self) -> Mode {
        self.file.mode
    }
}

// === impl NotPlaced ===

impl NotPlaced {
    /// What the caller is told: nobody is named.
    pub fn public_message(&self) -> String {
        match self {
            Self::Unplaced(unplaced) => unplaced.public_message().to_owned(),
            Self::Closed(_) => "it cannot be told which tenant this call belongs to".to_owned(),
            Self::Unbound(_) => "the tenant of this socket is not there".to_owned(),
        }
    }
}
