//! What containers and volumes mount, by way of each other too, each once.

use std::collections::HashSet;
use std::time::Instant;

use portcullis_model::TenantName;
use portcullis_model::view::{Mount, MountKind};

use super::{Container, Registry, SHOWN, Unsure, is_chosen_by_daemon};
use crate::created::record::{Record, too_much};

/// Who asks, and when.
#[derive(Clone, Copy)]
pub(super) struct Asking<'a> {
    pub(super) tenant: Option<&'a TenantName>,
    pub(super) now: Instant,
}

pub(super) struct Gathered<'a> {
    registry: &'a Registry,
    asking: Asking<'a>,
    seen: HashSet<Telling<'a>>,
    binds: Vec<Mount>,
    /// Who had them mounted, since anonymous ones are looked for among theirs.
    volumes: Vec<(Mount, Option<&'a TenantName>)>,
    /// Containers that were looked for, and whether only to be read.
    containers: HashSet<(&'a str, bool)>,
    /// The same of all containers without a name, and whether there was one.
    unnamed: Vec<(bool, bool)>,
    is_too_much: bool,
}

/// All of a mount by which a decision can differ. Its target was decided when it was created.
#[derive(PartialEq, Eq, Hash)]
struct Telling<'a> {
    source: &'a str,
    kind: MountKind,
    read_only: bool,
    read_only_recursive: bool,
    makes_source: bool,
    makes_volume: bool,
    optional: [Option<&'a str>; 4],
    options: &'a [String],
}

// === impl Gathered ===

impl<'a> Gathered<'a> {
    pub(super) fn new(registry: &'a Registry, asking: Asking<'a>) -> Self {
        Self {
            registry,
            asking,
            seen: HashSet::new(),
            binds: Vec::new(),
            volumes: Vec::new(),
            containers: HashSet::new(),
            unnamed: Vec::new(),
            is_too_much: false,
        }
    }

    /// All of it as paths of the host.
    pub(super) fn shown(mut self) -> Vec<Mount> {
        let (registry, volumes) = (self.registry, std::mem::take(&mut self.volumes));
        let mut gathered = Gathered { is_too_much: self.is_too_much, ..Gathered::new(registry, self.asking) };
        gathered.binds = self.binds;
        gathered.seen = self.seen;
        for (volume, tenant) in &volumes {
            for bind in registry.binds_of_volume(&volume.source, *tenant) {
                gathered.bind(bind, volume.read_only, Some(&volume.target));
            }
        }
        gathered.finished().0
    }

    /// Paths of the host, and volumes by name.
    pub(super) fn finished(mut self) -> (Vec<Mount>, Vec<Mount>) {
        if self.is_too_much {
            self.binds.push(too_much());
        }
        (self.binds, self.volumes.into_iter().map(|(volume, _)| volume).collect())
    }

    /// A container that is started or copied from.
    pub(super) fn container(&mut self, called: &'a str) {
        self.find(called, false, false);
    }

    /// What those of a call's mounts lead to that name volumes or containers.
    pub(super) fn others(&mut self, others: &'a [Mount]) {
        let tenant = self.asking.tenant;
        others.iter().for_each(|other| self.other(other, tenant, false, false));
    }

    fn record(&mut self, record: &'a Record, tenant: Option<&'a TenantName>, read_only: bool, is_nested: bool) {
        record.binds.iter().for_each(|bind| self.bind(bind, read_only, None));
        record.others.iter().for_each(|other| self.other(other, tenant, read_only, is_nested));
    }

    fn other(&mut self, other: &'a Mount, tenant: Option<&'a TenantName>, read_only: bool, is_nested: bool) {
        let read_only = read_only || other.read_only;
        match other.kind {
            MountKind::Volume if !other.source.is_empty() && self.is_new(other, read_only) => {
                self.volumes.push((Mount { read_only, ..other.clone() }, tenant));
            }
            MountKind::Container => {
                if self.find(&other.source, read_only, is_nested) == Found::Lost {
                    self.is_too_much = true;
                }
            }
            MountKind::Volume
            | MountKind::Bind
            | MountKind::Tmpfs
            | MountKind::FileSystem
            | MountKind::Image
            | MountKind::Cluster
            | MountKind::Npipe
            | MountKind::Other => {}
        }
    }

    /// As the daemon finds a container (moby's `GetContainer`): by its whole ID, its name, the alias of a link (`PARENT/ALIAS`), or the
    /// beginning of its ID.
    fn find(&mut self, called: &'a str, read_only: bool, is_nested: bool) -> Found {
        let (registry, called) = (self.registry, called.trim_start_matches('/'));
        if !self.containers.insert((called, read_only)) {
            return Found::Known;
        }
        // Renames and removals change what an alias stands for, and no answer tells how.
        if called.contains('/') {
            self.is_too_much = true;
            return Found::Known;
        }
        if let Some(container) = registry.exact(called) {
            self.stored(container, read_only);
            return Found::Known;
        }
        // Some may be gone: which of them is meant cannot be told.
        let mut is_found = false;
        for (_, container) in registry.prefixed(called) {
            is_found = true;
            self.stored(container, read_only);
            if self.is_too_much {
                break;
            }
        }
        let unsure = registry.unsure_of(called);
        if is_found && unsure.is_none() {
            return Found::Known;
        }
        // One that is just being created may be known by its answer later. Those are shown already where one of them leads here.
        if !is_nested {
            for expected in &registry.expected {
                if self.asking.tenant == Some(&expected.tenant) && expected.is_fresh(self.asking.now) {
                    is_found = true;
                    self.record(&expected.record, Some(&expected.tenant), read_only, true);
                }
            }
        }
        self.is_too_much |= unsure == Some(Unsure::Any);
        if unsure.is_some() || is_chosen_by_daemon(called) {
            is_found |= self.unnamed(read_only);
        }
        if !is_found && registry.unsure.contains_key(called) { Found::Lost } else { Found::Known }
    }

    /// All that this tenant made without a name, and whether there is one.
    fn unnamed(&mut self, read_only: bool) -> bool {
        if let Some((_, is_found)) = self.unnamed.iter().find(|(done, _)| *done == read_only) {
            return *is_found;
        }
        let (registry, tenant) = (self.registry, self.asking.tenant);
        let is_its = |container: &&Container| container.name.is_none() && container.tenant.as_ref() == tenant;
        let mut is_found = false;
        for container in registry.containers.values().filter(is_its) {
            is_found = true;
            self.stored(container, read_only);
            if self.is_too_much {
                break;
            }
        }
        self.unnamed.push((read_only, is_found));
        is_found
    }

    fn stored(&mut self, container: &'a Container, read_only: bool) {
        self.record(&container.record, container.tenant.as_ref(), read_only, true);
    }

    fn bind(&mut self, bind: &'a Mount, read_only: bool, target: Option<&str>) {
        let read_only = read_only || bind.read_only;
        if self.is_new(bind, read_only) {
            let target = target.unwrap_or(&bind.target).to_owned();
            self.binds.push(Mount { target, read_only, ..bind.clone() });
        }
    }

    /// Whether it is to be shown, too. What is more than that is not silently left out.
    fn is_new(&mut self, mount: &'a Mount, read_only: bool) -> bool {
        if self.is_too_much || !self.seen.insert(Telling::of(mount, read_only)) {
            return false;
        }
        self.is_too_much = self.binds.len() + self.volumes.len() >= SHOWN;
        !self.is_too_much
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    Known,
    /// It is known to be there, and nothing of it is.
    Lost,
}

// === impl Telling ===

impl<'a> Telling<'a> {
    fn of(mount: &'a Mount, read_only: bool) -> Self {
        Self {
            source: &mount.source,
            kind: mount.kind,
            read_only,
            read_only_recursive: mount.read_only_recursive,
            makes_source: mount.makes_source,
            makes_volume: mount.makes_volume,
            optional: [&mount.propagation, &mount.driver, &mount.file_system, &mount.subpath].map(Option::as_deref),
            options: &mount.options,
        }
    }
}
