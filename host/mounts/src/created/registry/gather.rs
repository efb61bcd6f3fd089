//! What containers and volumes mount, by way of each other too, each once.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use portcullis_model::view::{Mount, MountKind};

use super::super::event::Owner;
use super::super::record::{Held, lost};
use super::{Container, PREFIXED, Registry, SHORT_ID, SHOWN, Unsure, is_chosen_by_daemon, is_whole_id};

/// Who asks, and when.
#[derive(Clone, Copy)]
pub(super) struct Asking<'a> {
    pub(super) tenant: &'a Owner,
    pub(super) now: Instant,
}

/// A mount that is shown, made when nobody waits for it.
#[derive(Debug)]
pub(in super::super) struct Shown {
    mount: Arc<Mount>,
    read_only: bool,
    /// Of a volume: the mount by which it is mounted.
    at: Option<Arc<Mount>>,
}

pub(super) struct Gathered<'a> {
    registry: &'a Registry,
    asking: Asking<'a>,
    seen: HashSet<Telling<'a>>,
    binds: Vec<Shown>,
    /// Who had them mounted, since anonymous ones are looked for among theirs.
    volumes: Vec<(&'a Arc<Mount>, bool, &'a Owner)>,
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

#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    Known,
    /// It is known to be there, and nothing of it is.
    Lost,
}

pub(super) fn is_container(mount: &Arc<Mount>) -> bool {
    mount.kind == MountKind::Container
}

// === impl Shown ===

impl Shown {
    fn lost() -> Self {
        Self { mount: lost(), read_only: false, at: None }
    }

    pub(in super::super) fn mount(self) -> Mount {
        let Self { mount, read_only, at } = self;
        let target = at.map(|at| at.target.clone());
        let mount = Arc::unwrap_or_clone(mount);
        Mount { read_only, target: target.unwrap_or(mount.target), ..mount }
    }

    /// Copied only where it is another mount than that one.
    pub(super) fn shared(self) -> Arc<Mount> {
        if self.at.is_none() && self.read_only == self.mount.read_only { self.mount } else { Arc::new(self.mount()) }
    }
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
    pub(super) fn shown(mut self) -> Vec<Shown> {
        for (volume, read_only, tenant) in std::mem::take(&mut self.volumes) {
            self.volume(volume, read_only, tenant);
        }
        self.finished().0
    }

    /// Paths of the host, and volumes by name.
    pub(super) fn finished(mut self) -> (Vec<Shown>, Vec<Shown>) {
        if self.is_too_much {
            self.binds.push(Shown::lost());
        }
        let volume =
            |(mount, read_only, _): (&Arc<Mount>, bool, _)| Shown { mount: Arc::clone(mount), read_only, at: None };
        (self.binds, self.volumes.into_iter().map(volume).collect())
    }

    /// A container that is started or copied from.
    pub(super) fn container(&mut self, called: &'a str) {
        self.find(called, false, false);
    }

    /// What those of a call's mounts lead to that name volumes or containers.
    pub(super) fn others(&mut self, others: &'a [Arc<Mount>]) {
        let tenant = self.asking.tenant;
        others.iter().for_each(|other| self.other(other, tenant, false, false));
    }

    fn held(&mut self, held: &'a Held, tenant: &'a Owner, read_only: bool, is_nested: bool) {
        held.binds.iter().for_each(|bind| self.bind(bind, read_only, None));
        held.others.iter().for_each(|other| self.other(other, tenant, read_only, is_nested));
    }

    fn other(&mut self, other: &'a Arc<Mount>, tenant: &'a Owner, read_only: bool, is_nested: bool) {
        let read_only = read_only || other.read_only;
        match other.kind {
            MountKind::Bind => self.bind(other, read_only, None),
            MountKind::Volume if !other.source.is_empty() && self.is_new(other, read_only) => {
                self.volumes.push((other, read_only, tenant));
            }
            MountKind::Container => {
                if self.find(&other.source, read_only, is_nested) == Found::Lost {
                    self.is_too_much = true;
                }
            }
            MountKind::Volume
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
        let (registry, asking, called) = (self.registry, self.asking, called.trim_start_matches('/'));
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
        let mut is_found = self.prefixed(called, read_only);
        let unsure = registry.unsure.get(called);
        let has_lost = registry.has_lost_containers(asking.tenant);
        if is_found && unsure.is_none() {
            // One that was forgotten may begin so, and this one be gone.
            self.is_too_much |= has_lost && called.len() < SHORT_ID;
            return Found::Known;
        }
        let holder = registry.holders.get(asking.tenant);
        // One that is just being created may be known by its answer later. Those are shown already where one of them leads here.
        if !is_nested {
            for expected in holder.into_iter().flat_map(|holder| &holder.expected) {
                if expected.is_fresh(asking.now) {
                    is_found = true;
                    self.held(&expected.record.held, asking.tenant, read_only, true);
                }
            }
            self.is_too_much |= holder.is_some_and(|holder| holder.has_unexpected(asking.now));
        }
        let every = holder.and_then(|holder| holder.every_unsure);
        self.is_too_much |= has_lost || unsure.map(|name| name.unsure).max(every) == Some(Unsure::Any);
        // What another tenant renamed is one of theirs, and what theirs mount is not for this one to see.
        self.is_too_much |=
            unsure.is_some_and(|name| name.tenant != *asking.tenant && registry.has_loose(&name.tenant));
        if unsure.is_some() || every.is_some() || is_chosen_by_daemon(called) {
            is_found |= self.unnamed(read_only);
        }
        if !is_found && unsure.is_some() { Found::Lost } else { Found::Known }
    }

    /// Those whose IDs begin so. Some may be gone: which of several is meant cannot be told.
    fn prefixed(&mut self, called: &str, read_only: bool) -> bool {
        let found: Vec<_> = self.registry.prefixed(called).map(|(_, container)| container).take(PREFIXED + 1).collect();
        let is_one = found.len() == 1;
        self.is_too_much |= found.len() > PREFIXED;
        for container in &found {
            // What another tenant's mount is shown only where that one is meant.
            if is_one || container.tenant == *self.asking.tenant {
                self.stored(container, read_only);
            } else {
                self.is_too_much |= !container.held.is_empty();
            }
        }
        !found.is_empty()
    }

    /// All that this tenant made without a name, and whether there is one.
    fn unnamed(&mut self, read_only: bool) -> bool {
        if let Some((_, is_found)) = self.unnamed.iter().find(|(done, _)| *done == read_only) {
            return *is_found;
        }
        let tenant = self.asking.tenant;
        let holder = self.registry.holders.get(tenant);
        let is_found = holder.is_some_and(|holder| holder.unnamed > 0);
        self.unnamed.push((read_only, is_found));
        let Some(holder) = holder else { return is_found };
        if holder.loose.len() > SHOWN {
            self.is_too_much = true;
            return is_found;
        }
        let mut loose: Vec<_> = holder.loose.iter().collect();
        loose.sort_unstable_by_key(|(_, loose)| loose.since);
        loose.into_iter().for_each(|(mount, _)| self.other(mount, tenant, read_only, true));
        is_found
    }

    fn stored(&mut self, container: &'a Container, read_only: bool) {
        self.held(&container.held, &container.tenant, read_only, true);
    }

    /// What a volume mounts. The daemon names anonymous ones like containers' IDs: one that is not known may be any that the tenant's
    /// containers define.
    fn volume(&mut self, volume: &'a Arc<Mount>, read_only: bool, tenant: &'a Owner) {
        let (registry, asking, name) = (self.registry, self.asking, &*volume.source);
        if let Some(known) = registry.volumes.get(name) {
            return known.binds.iter().for_each(|bind| self.bind(bind, read_only, Some(volume)));
        }
        for owner in [Some(tenant), Some(asking.tenant).filter(|own| *own != tenant)].into_iter().flatten() {
            self.is_too_much |= registry.has_lost_volumes(owner);
            let Some(holder) = registry.holders.get(owner) else { continue };
            if let Some(anonymous) = holder.anonymous.as_ref().filter(|_| is_whole_id(name) && owner == tenant) {
                anonymous.binds.iter().for_each(|bind| self.bind(bind, read_only, Some(volume)));
            }
            self.is_too_much |= holder.has_unexpected(asking.now);
            for expected in holder.expected.iter().filter(|expected| expected.is_fresh(asking.now)) {
                let its = expected.record.volumes.iter().filter(|(defined, _)| defined == name);
                its.flat_map(|(_, binds)| binds).for_each(|bind| self.bind(bind, read_only, Some(volume)));
            }
        }
    }

    fn bind(&mut self, bind: &'a Arc<Mount>, read_only: bool, at: Option<&Arc<Mount>>) {
        let read_only = read_only || bind.read_only;
        if self.is_new(bind, read_only) {
            self.binds.push(Shown { mount: Arc::clone(bind), read_only, at: at.map(Arc::clone) });
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

// === impl Registry ===

impl Registry {
    /// Whether a container of this tenant's without a name may mount something.
    fn has_loose(&self, tenant: &Owner) -> bool {
        self.has_lost_containers(tenant) || self.holders.get(tenant).is_some_and(|holder| !holder.loose.is_empty())
    }
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
