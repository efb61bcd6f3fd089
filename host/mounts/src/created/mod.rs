//! What containers and volumes were created with, so that it can be looked up again when they are mounted.
//!
//! A policy sees a path when a container is created. dockerd follows it when the container is started, restarted, or copied from
//! while it stands still, and follows it anew each time; the call for that names only the container. So the host remembers, for
//! each listener, which paths of the host a container or a volume was created with, and shows them to policies again.
//!
//! ```text
//! create, allowed ──> expected ──┐
//! its answer, with the ID ───────┴──> registry <── start, restart, archive; a volume by its name
//!                                        │
//!                                     journal ──> a file, from which the next host has it
//! ```

mod event;
mod journal;
mod record;
mod registry;
mod shards;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use portcullis_docker::DockerRequest;
use portcullis_docker::answer::Change;
use portcullis_model::view::Mount;
use portcullis_model::{Request as _, TenantName};
use tokio::time::timeout;

use self::journal::Journal;
use self::record::Record;
use self::registry::Shown;
use self::shards::Shards;

/// Operations that mount what a container was created with. Of moby: `containerStart` and `containerRestart`, and
/// `openContainerFS` in `daemon/archive_unix.go`, which mounts the volumes of a container that does not run.
const MOUNTING: [&str; 5] =
    ["ContainerStart", "ContainerRestart", "ContainerArchive", "ContainerArchiveInfo", "PutContainerArchive"];
/// Operations that mount volumes by name, or what another container has.
const NAMING: [&str; 3] = ["ContainerCreate", "ServiceCreate", "ServiceUpdate"];
/// How long who made something waits for it to be kept: until the kernel has it, so that it outlives this process.
const KEPT_WITHIN: Duration = Duration::from_millis(50);

/// What was created by way of each listener, which stands for one daemon. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Created {
    shards: Arc<Shards>,
    /// None where nothing outlives the process.
    journal: Option<Journal>,
}

/// Whether an operation mounts what a container was created with.
pub fn is_mounting(operation: &str) -> bool {
    MOUNTING.contains(&operation)
}

// === impl Created ===

impl Created {
    /// What the host before has kept in this folder; what comes is kept there, too. Must be called when that host keeps nothing
    /// any more.
    pub fn open(dir: &Path) -> Self {
        let shards = Arc::new(Shards::default());
        let journal = Journal::open(dir, Arc::clone(&shards));
        Self { shards, journal: Some(journal) }
    }

    /// What a call mounts beside the mounts that it names itself.
    pub fn mounts(&self, listener: &str, tenant: &TenantName, request: &DockerRequest) -> Vec<Mount> {
        let operation = request.operation();
        let now = Instant::now();
        let shown = if is_mounting(operation) {
            let Some(container) = request.parameter("id") else { return Vec::new() };
            self.shards.of(listener).locked().of_container(container, tenant, now)
        } else if NAMING.contains(&operation) {
            let shard = self.shards.of(listener);
            if shard.locked().is_empty() {
                return Vec::new();
            }
            let named: Vec<_> = request.named_mounts().into_iter().map(Arc::new).collect();
            shard.locked().of_named(&named, tenant, now)
        } else {
            return Vec::new();
        };
        shown.into_iter().map(Shown::mount).collect()
    }

    /// A tenant's call was allowed: what it creates may be there before its answer is.
    pub fn expect(&self, listener: &str, tenant: &TenantName, request: &DockerRequest) {
        if matches!(request.operation(), "ContainerCreate" | "VolumeCreate") {
            let (record, name) = (Record::of(request), name_of(request));
            self.shards.of(listener).locked().expect(request.uri(), name, tenant, record, Instant::now());
        }
    }

    /// A tenant's call was carried out, or failed. Ready when it is kept, or cannot be in time.
    pub async fn settle(&self, listener: &str, tenant: Option<&TenantName>, request: &DockerRequest, change: Change) {
        let record = Record::of(request);
        let kept = {
            let shard = self.shards.of(listener);
            let mut registry = shard.locked();
            let event = registry.settle(&tenant.cloned(), request.uri(), record, change, Instant::now());
            // Under the same lock: they are kept in their order.
            event.zip(self.journal.as_ref()).and_then(|(event, journal)| journal.keep(shard.name(), event))
        };
        if let Some(kept) = kept {
            // What is not kept by then, or cannot be, the journal tells of.
            let _ = timeout(KEPT_WITHIN, kept).await;
        }
    }

    /// What is wrong with what is kept, for the operator, each with a name.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        self.journal.as_ref().map(Journal::problems).unwrap_or_default()
    }

    /// Keeps what is left, and leaves the file to the next host.
    pub fn close(&self) {
        if let Some(journal) = &self.journal {
            journal.close();
        }
    }
}

/// The name that a create gives to its container.
fn name_of(request: &DockerRequest) -> Option<Arc<str>> {
    let name = request.query().iter().find(|(name, _)| name == "name").map(|(_, value)| value.trim_start_matches('/'));
    name.filter(|name| !name.is_empty()).map(Into::into)
}
