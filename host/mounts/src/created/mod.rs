//! What containers and volumes were created with, so that it can be looked up again when they are mounted.
//!
//! A policy sees a path when a container is created. dockerd follows it when the container is started, restarted, or copied from
//! while it stands still, and follows it anew each time; the call for that names only the container. So the host remembers, for
//! each listener, which paths of the host a container or a volume was created with, and shows them to policies again.
//!
//! ```text
//! create, allowed ──> expected ──┐
//! its answer, with the ID ───────┴──> registry <── start, restart, archive; a volume by its name
//! ```

mod record;
mod registry;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use portcullis_docker::DockerRequest;
use portcullis_docker::answer::Change;
use portcullis_model::view::Mount;
use portcullis_model::{Request as _, TenantName};

use self::record::Record;
use self::registry::Registry;

/// Operations that mount what a container was created with. Of moby: `containerStart` and `containerRestart`, and
/// `openContainerFS` in `daemon/archive_unix.go`, which mounts the volumes of a container that does not run.
const MOUNTING: [&str; 5] =
    ["ContainerStart", "ContainerRestart", "ContainerArchive", "ContainerArchiveInfo", "PutContainerArchive"];
/// Operations that mount volumes by name, or what another container has.
const NAMING: [&str; 3] = ["ContainerCreate", "ServiceCreate", "ServiceUpdate"];

/// What was created by way of each listener, which stands for one daemon.
#[derive(Debug, Default)]
pub struct Created(Mutex<HashMap<String, Registry>>);

/// Whether an operation mounts what a container was created with.
pub fn is_mounting(operation: &str) -> bool {
    MOUNTING.contains(&operation)
}

// === impl Created ===

impl Created {
    /// What a call mounts beside the mounts that it names itself.
    pub fn mounts(&self, listener: &str, tenant: &TenantName, request: &DockerRequest) -> Vec<Mount> {
        let operation = request.operation();
        if is_mounting(operation) {
            let Some(container) = request.parameter("id") else { return Vec::new() };
            return self.with(listener, |registry| registry.of_container(container, tenant, Instant::now()));
        }
        if NAMING.contains(&operation) && self.with(listener, |registry| !registry.is_empty()) {
            let named = request.named_mounts();
            return self.with(listener, |registry| registry.of_named(&named, tenant, Instant::now()));
        }
        Vec::new()
    }

    /// A tenant's call was allowed: what it creates may be there before its answer is.
    pub fn expect(&self, listener: &str, tenant: &TenantName, request: &DockerRequest) {
        if matches!(request.operation(), "ContainerCreate" | "VolumeCreate") {
            let record = Record::of(request);
            self.with(listener, |registry| registry.expect(request.uri(), tenant, record, Instant::now()));
        }
    }

    /// A call was carried out, or failed.
    pub fn settle(&self, listener: &str, request: &DockerRequest, change: Change) {
        let record = Record::of(request);
        self.with(listener, |registry| registry.settle(request.uri(), record, change, Instant::now()));
    }

    fn with<T>(&self, listener: &str, work: impl FnOnce(&mut Registry) -> T) -> T {
        let mut registries = self.lock();
        match registries.get_mut(listener) {
            Some(registry) => work(registry),
            // There are as many as the configuration has listeners.
            None => work(registries.entry(listener.to_owned()).or_default()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Registry>> {
        // What is done under it does not panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
