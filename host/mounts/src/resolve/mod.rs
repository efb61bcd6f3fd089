//! Where the paths of bind mounts lead on this host.
//!
//! ```text
//! decide ── paths ──> Resolver ── a thread of the pool ──> walk: lstat, readlink
//!        <─ Paths ──           until the deadline
//! ```
//!
//! A file system that does not answer (FUSE, NFS, autofs) keeps whoever asks it, for as long as it likes. So nobody asks
//! on a thread that decides calls: paths are looked up by threads of their own, a few for each tenant, and what is not known in
//! time counts as not resolved.

mod pool;
mod walk;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use portcullis_docker::{DockerRequest, Resolve, Resolved};
use portcullis_model::{Span, TenantName};

use self::pool::Pool;
pub use self::pool::Stuck;

/// Most of the time that a decision has is the policies'.
const LONGEST: Duration = Duration::from_secs(1);

/// Looks up where paths lead, and waits no longer than it may. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Resolver {
    pool: Arc<Pool>,
    deadline: Duration,
}

/// No file system told where paths lead. For the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("where its mounts lead could not be looked up within {}: a file system does not answer", Span(*waited))]
pub struct TooSlow {
    waited: Duration,
}

/// Where paths lead; `None` where that could not be found out.
#[derive(Debug, Default)]
pub struct Paths(HashMap<String, Option<Resolved>>);

// === impl Resolver ===

impl Resolver {
    /// For decisions that may take so long.
    pub fn new(decision_timeout: Duration) -> Self {
        let deadline = LONGEST.min(decision_timeout / 2);
        Self { pool: Pool::start(deadline, Box::new(walk::resolve)), deadline }
    }

    /// Looks up the paths that a tenant's call names: all that [`DockerRequest::paths_to_resolve`] gave.
    pub async fn look_up(&self, paths: Vec<String>, tenant: &TenantName) -> Result<Paths, TooSlow> {
        if paths.is_empty() {
            return Ok(Paths::default());
        }
        let too_slow = TooSlow { waited: self.deadline };
        let answer = self.pool.submit(tenant, paths).ok_or(too_slow)?;
        let found = tokio::time::timeout(self.deadline, answer).await;
        found.ok().and_then(Result::ok).ok_or(too_slow)
    }

    /// The same for a request, which is told what was found. What could not be looked up counts as not resolved.
    pub async fn resolve(&self, request: &mut DockerRequest, tenant: &TenantName) -> Option<TooSlow> {
        let paths = request.paths_to_resolve();
        if paths.is_empty() {
            return None;
        }
        let looked_up = self.look_up(paths, tenant).await;
        let too_slow = looked_up.as_ref().err().copied();
        request.set_resolver(Arc::new(looked_up.unwrap_or_default()));
        too_slow
    }

    /// Every lookup that has not come back in time, and still holds a thread.
    pub fn stuck(&self) -> Vec<Stuck> {
        self.pool.stuck()
    }
}

// === impl Paths ===

impl Resolve for Paths {
    fn resolve(&self, path: &str) -> Option<Resolved> {
        self.0.get(path).cloned().flatten()
    }
}
