//! What containers and volumes were created with, so that it can be looked up again when they are mounted.
//!
//! A policy sees a path when a container is created. dockerd follows it when the container is started, restarted, or copied from
//! while it stands still, and follows it anew each time; the call for that names only the container. So the host remembers, for
//! each listener, which paths of the host a container or a volume was created with, and shows them to policies again.
//!
//! ```text
//! create, allowed ──> expected ──┐
//! its answer, with the ID ───────┼──> registry <── start, restart, archive; a volume by its name
//! lists, with chosen names ──────┘       │
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
use tokio::sync::oneshot::Receiver;
use tokio::time::timeout;

use self::event::Event;
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
        let shown = if is_mounting(operation) {
            let Some(container) = request.parameter("id") else { return Vec::new() };
            self.shards.of(listener).locked().of_container(container, tenant)
        } else if NAMING.contains(&operation) {
            let shard = self.shards.of(listener);
            if shard.locked().is_empty() {
                return Vec::new();
            }
            let named = request.named_mounts().into_iter().chain(request.volumes_by_name());
            let named: Vec<_> = named.map(Arc::new).collect();
            shard.locked().of_named(&named, tenant)
        } else {
            return Vec::new();
        };
        shown.into_iter().map(Shown::mount).collect()
    }

    /// A tenant's call was allowed: what it creates may be there before its answer is.
    pub fn expect(&self, listener: &str, tenant: &TenantName, request: &DockerRequest) {
        if matches!(request.operation(), "ContainerCreate" | "VolumeCreate") {
            let (record, name) = (Record::of(request), name_of(request));
            let shard = self.shards.of(listener);
            let mut registry = shard.locked();
            let events = registry.expect(request.uri(), name, tenant, record, Instant::now());
            // Nobody waits for it: it is kept by the time that the daemon has created anything.
            drop(self.keep(shard.name(), events));
        }
        if let Some(names) = touched(request) {
            let shard = self.shards.of(listener);
            shard.locked().pend(request.uri(), &names, tenant, Instant::now());
        }
    }

    /// Must be called under the registry's lock: events are kept in their order. Answers when the last one is kept.
    fn keep(&self, listener: &Arc<str>, events: Vec<(u64, Event)>) -> Option<Receiver<()>> {
        let journal = self.journal.as_ref()?;
        events.into_iter().map(|event| journal.keep(listener, event)).last().flatten()
    }

    /// A tenant's call was carried out, or failed. Ready when it is kept, or cannot be in time.
    pub async fn settle(&self, listener: &str, tenant: Option<&TenantName>, request: &DockerRequest, change: Change) {
        let record = Record::of(request);
        let kept = {
            let shard = self.shards.of(listener);
            let mut registry = shard.locked();
            let events = registry.settle(&tenant.cloned(), request.uri(), record, change);
            self.keep(shard.name(), events)
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
    given_name(request).filter(|name| !name.is_empty()).map(Into::into)
}

fn given_name(request: &DockerRequest) -> Option<&str> {
    let name = request.query().iter().find(|(name, _)| name == "name");
    name.map(|(_, value)| value.trim_start_matches('/'))
}

/// The names of containers that a rename or a removal takes away or gives; none for what is neither.
fn touched(request: &DockerRequest) -> Option<Vec<&str>> {
    let called = || request.parameter("id").map(|called| called.trim_start_matches('/'));
    match request.operation() {
        "ContainerRename" => Some(called().into_iter().chain(given_name(request)).collect()),
        "ContainerDelete" => Some(called().into_iter().collect()),
        "ContainerPrune" | "VolumeDelete" | "VolumePrune" => Some(Vec::new()),
        _ => None,
    }
}
