//! What the operator changes while the host runs: the same files that could be written by hand, through the same swap. A change is
//! checked before it is written, on the disk before it is answered, and active by then.

mod config;
mod data;
mod policies;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use portcullis_config::fs::{AtomicDir, Containment, Root};
use portcullis_config::{Config, Quota, TENANTS};
use portcullis_model::TenantName;
use portcullis_policies::{Layer, Live, LoadContext, Watch};
use tokio::sync::OwnedMutexGuard;
use tokio::time::timeout;

pub use portcullis_policies::Scope;

pub use config::{ConfigChange, PolicyConfig};
pub(crate) use data::{DocumentPath, Edit, Given};
pub use policies::{PolicyChange, Precondition};

/// A disk that takes longer than this to read or write a file does not answer.
const DISK_ANSWERS: Duration = Duration::from_secs(60);

/// Changes policies and data of a host that runs. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Manager(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    dir: PathBuf,
    watch: Arc<Watch>,
    live: Arc<Live>,
    context: LoadContext,
    /// One writer for each folder at a time.
    locks: Mutex<HashMap<Scope, Arc<tokio::sync::Mutex<()>>>>,
    write_queues: data::WriteQueues,
}

/// Why something was not changed, or is not to be had. The text is for whoever asked.
#[derive(Debug, thiserror::Error)]
pub enum ManageError {
    #[error("there is no {what} `{name}`")]
    NotFound { what: &'static str, name: String },
    /// There is no such place in it.
    #[error("{0}")]
    Missing(String),
    /// What was asked is not well formed, whatever is there.
    #[error("{0}")]
    Malformed(String),
    /// It is not what it should be; nothing was changed.
    #[error("{0}")]
    Invalid(String),
    /// Somebody else changed it meanwhile, or it is there already.
    #[error("{what} is not what the caller takes it for: it is {is}")]
    Precondition { what: String, is: String },
    /// It does not go with what is there.
    #[error("{0}")]
    Conflict(String),
    #[error("{0}")]
    TooLarge(String),
    #[error("{0}")]
    Busy(String),
    #[error("there is no room for it: {0}")]
    NoRoom(String),
    /// It is written, and not active.
    #[error("it is written, and not active: {0}")]
    NotInForce(String),
    #[error("{0}")]
    Failed(String),
}

// === impl Manager ===

impl Manager {
    pub fn new(config: &Config, watch: Arc<Watch>, live: Arc<Live>, context: LoadContext) -> Self {
        let (dir, locks, write_queues) = (config.dir.clone(), Mutex::default(), data::WriteQueues::default());
        Self(Arc::new(Inner { dir, watch, live, context, locks, write_queues }))
    }

    /// Whoever writes holds it until the disk has answered, also when nobody waits for that any more.
    async fn lock(&self, scope: &Scope) -> Result<OwnedMutexGuard<()>, ManageError> {
        let lock = {
            let mut locks = self.0.locks.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(locks.entry(scope.clone()).or_default())
        };
        timeout(DISK_ANSWERS, lock.lock_owned()).await.map_err(|_| ManageError::silent(DISK_ANSWERS))
    }

    /// Waits for a tenant whose folder was made just now, so that whoever made it can go on at once.
    pub(crate) async fn await_tenant(&self, name: &str) {
        let Ok(name) = TenantName::new(name) else { return };
        if self.0.live.load().tenants.iter().any(|tenant| tenant.name == name) {
            return;
        }
        let folder = self.0.dir.join(TENANTS).join(name.as_str());
        let is_there = tokio::task::spawn_blocking(move || folder.is_dir()).await;
        if is_there.unwrap_or_default() {
            self.0.watch.look(Some(name)).await;
        }
    }

    fn layer(&self, scope: &Scope) -> Result<Layer, ManageError> {
        let snapshot = self.0.live.load();
        let Some(name) = scope else { return Ok(snapshot.host.clone()) };
        let tenant = snapshot.tenants.iter().find(|tenant| tenant.name == *name);
        tenant.map(|tenant| tenant.layer.clone()).ok_or_else(|| no_tenant(name))
    }

    /// What the policies of a folder may have.
    fn quota(&self, scope: &Scope) -> Result<Quota, ManageError> {
        let Some(name) = scope else { return Ok(Quota::of_host()) };
        let snapshot = self.0.live.load();
        let tenant = snapshot.tenants.iter().find(|tenant| tenant.name == *name);
        tenant.map(|tenant| tenant.file.quota()).ok_or_else(|| no_tenant(name))
    }

    fn root(&self, scope: &Scope) -> Result<Root, ManageError> {
        let (path, containment) = match scope {
            None => (self.0.dir.clone(), Containment::Open),
            Some(name) => (self.0.dir.join(TENANTS).join(name.as_str()), Containment::Beneath),
        };
        Root::open(&path, containment).map_err(|error| match (scope, error.kind()) {
            // The default tenant is there without one.
            (Some(name), std::io::ErrorKind::NotFound) => {
                ManageError::Missing(format!("tenant `{name}` has no folder: make {} first", path.display()))
            }
            _ => ManageError::from_io(&path, &error),
        })
    }

    fn atomic_dir(&self, scope: &Scope, folder: &str) -> Result<AtomicDir, ManageError> {
        let root = self.root(scope)?;
        AtomicDir::open(&root, folder).map_err(|error| ManageError::from_io(&root.path(folder), &error))
    }

    /// Why what lies in a folder is not active.
    fn issue(&self, scope: &Scope, what: &str, name: &str) -> Option<String> {
        let issues = self.0.live.issues();
        let issue = issues.get(scope)?.iter().find(|issue| issue.what == what && issue.name == name)?;
        Some(issue.problem.to_string())
    }
}

/// Does work that blocks on a thread that may. A disk that does not answer keeps that thread, and not whoever asked.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ManageError> + Send + 'static,
) -> Result<T, ManageError> {
    blocking_for(DISK_ANSWERS, work).await
}

async fn blocking_for<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> Result<T, ManageError> + Send + 'static,
) -> Result<T, ManageError> {
    match timeout(limit, tokio::task::spawn_blocking(work)).await {
        Ok(done) => done.unwrap_or_else(|_| Err(ManageError::Failed("the host panicked; its log says how".into()))),
        Err(_) => Err(ManageError::silent(limit)),
    }
}

fn no_tenant(name: &TenantName) -> ManageError {
    ManageError::NotFound { what: "tenant", name: name.to_string() }
}

// === impl ManageError ===

impl ManageError {
    /// The folder's disk has not answered for so long.
    fn silent(waited: Duration) -> Self {
        let seconds = waited.as_secs();
        Self::Busy(format!(
            "the folder's disk has not answered for {seconds} s; what was asked may still be done later"
        ))
    }

    fn from_io(path: &std::path::Path, error: &std::io::Error) -> Self {
        use std::io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        let text = format!("{}: {error}", path.display());
        if matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge) {
            Self::NoRoom(text)
        } else {
            Self::Failed(text)
        }
    }
}
