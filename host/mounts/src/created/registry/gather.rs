//! What containers and volumes mount, by way of each other too, each once.

use std::collections::HashSet;
use std::sync::Arc;

use portcullis_model::view::{Mount, MountKind};

use super::super::event::Owner;
use super::super::record::{Held, lost};
use super::expected::Expected;
use super::{
    Container, HIDDEN, PREFIXED, Registry, SHORT_ID, SHOWN, Unsure, is_chosen_by_daemon, is_whole_id, may_be_hidden,
    may_be_id,
};

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
    /// Who asks.
    tenant: &'a Owner,
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
    pub(super) fn new(registry: &'a Registry, tenant: &'a Owner) -> Self {
        Self {
            registry,
            tenant,
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
        let tenant = self.tenant;
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
        let (registry, asking, called) = (self.registry, self.tenant, called.trim_start_matches('/'));
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
            self.after(container, called, read_only);
            return Found::Known;
        }
        if let Some(container) = registry.sighted(called).and_then(|id| registry.containers.get(id)) {
            self.stored(container, read_only);
            return Found::Known;
        }
        let mut is_found = self.prefixed(called, read_only);
        let unsure = registry.unsure.get(called);
        let has_lost = registry.has_lost_containers(asking);
        if is_found && unsure.is_none() {
            // One that was forgotten may begin so, and this one be gone.
            self.is_too_much |= has_lost && called.len() < SHORT_ID;
            if called.len() < SHORT_ID {
                self.hidden(called, read_only);
            }
            return Found::Known;
        }
        is_found |= self.hidden(called, read_only);
        let holder = registry.holders.get(asking);
        // One that is just being created may be known by its answer later. Those are shown already where one of them leads here.
        if !is_nested {
            for expected in holder.into_iter().flat_map(|holder| &holder.expected) {
                is_found = true;
                self.held(&expected.record.held, asking, read_only, true);
            }
            self.is_too_much |= registry.others_expect(called, asking);
        }
        let every = holder.and_then(|holder| holder.every_unsure);
        let may_be = unsure.map(|name| name.unsure).max(every);
        let is_anyones = may_be >= Some(Unsure::Unnamed) || unsure.is_none() && is_chosen_by_daemon(called);
        self.is_too_much |= has_lost || may_be == Some(Unsure::Any);
        // What another tenant renamed is one of theirs, and what theirs mount is not for this one to see.
        let is_another = |tenant: &Owner| tenant != asking && registry.has_loose(tenant);
        self.is_too_much |= unsure.is_some_and(|name| is_another(&name.tenant));
        if is_anyones || may_be.is_some() {
            is_found |= self.unnamed(read_only);
        }
        if may_be >= Some(Unsure::Unnamed) {
            is_found |= self.prefixed(HIDDEN, read_only);
        }
        if is_anyones {
            self.is_too_much |= registry.holders.keys().any(is_another);
        }
        if !is_found && unsure.is_some() { Found::Lost } else { Found::Known }
    }

    /// Those whose IDs begin so. Some may be gone: which of several is meant cannot be told.
    fn prefixed(&mut self, called: &str, read_only: bool) -> bool {
        let found: Vec<_> = self.registry.prefixed(called).map(|(_, container)| container).take(PREFIXED + 1).collect();
        let is_one = found.len() == 1 && called != HIDDEN;
        self.is_too_much |= found.len() > PREFIXED;
        for container in &found {
            // What another tenant's mount is shown only where that one is meant.
            if is_one || container.tenant == *self.tenant {
                self.stored(container, read_only);
            } else {
                self.is_too_much |= !container.held.is_empty();
            }
        }
        !found.is_empty()
    }

    /// What has the name of a container that may be gone without a call: one whose ID begins so, or one that got no name since then.
    fn after(&mut self, gone: &Container, called: &str, read_only: bool) {
        if !gone.is_fleeting || is_whole_id(called) {
            return;
        }
        if may_be_id(called) {
            self.prefixed(called, read_only);
            self.hidden(called, read_only);
        }
        if is_chosen_by_daemon(called) {
            self.unnamed(read_only);
            let mut others = self.registry.holders.iter().filter(|(owner, _)| *owner != self.tenant);
            self.is_too_much |= others.any(|(_, holder)| holder.loosened > gone.place.at());
        }
    }

    /// Those whose IDs nobody knows, if it can be one of them.
    fn hidden(&mut self, called: &str, read_only: bool) -> bool {
        may_be_hidden(called) && self.prefixed(HIDDEN, read_only)
    }

    /// All that this tenant made without a name, and whether there is one.
    fn unnamed(&mut self, read_only: bool) -> bool {
        if let Some((_, is_found)) = self.unnamed.iter().find(|(done, _)| *done == read_only) {
            return *is_found;
        }
        let tenant = self.tenant;
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

    /// What a volume mounts. The daemon names anonymous ones like containers' IDs: one that is not known may be any that containers and
    /// services define, whoever made those.
    fn volume(&mut self, volume: &'a Arc<Mount>, read_only: bool, tenant: &'a Owner) {
        let (registry, asking, name) = (self.registry, self.tenant, &*volume.source);
        if let Some(known) = registry.volumes.get(name) {
            return known.binds.iter().for_each(|bind| self.bind(bind, read_only, Some(volume)));
        }
        for owner in [Some(tenant), Some(asking).filter(|own| *own != tenant)].into_iter().flatten() {
            self.is_too_much |= registry.has_lost_volumes(owner);
            let Some(holder) = registry.holders.get(owner) else { continue };
            if let Some(anonymous) = holder.anonymous.as_ref().filter(|_| is_whole_id(name) && owner == tenant) {
                anonymous.binds.iter().for_each(|bind| self.bind(bind, read_only, Some(volume)));
            }
            for expected in &holder.expected {
                let its = expected.record.volumes.iter().filter(|(defined, _)| defined == name);
                its.flat_map(|(_, binds)| binds).for_each(|bind| self.bind(bind, read_only, Some(volume)));
            }
        }
        let others = registry.holders.iter().filter(|(owner, _)| *owner != tenant && *owner != asking);
        let mut theirs = others.flat_map(|(_, holder)| &holder.expected).flat_map(|expected| &expected.record.volumes);
        self.is_too_much |= theirs.any(|(defined, _)| defined == name);
        self.is_too_much |= is_whole_id(name) && registry.has_anonymous_of_others(tenant);
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
    /// Whether somebody else's containers may have made volumes without names that are more than a folder of the daemon's own.
    fn has_anonymous_of_others(&self, tenant: &Owner) -> bool {
        self.holders.iter().any(|(owner, holder)| owner != tenant && holder.anonymous.is_some())
    }

    /// Whether it can be one that is just being created for somebody else, and mounts something.
    fn others_expect(&self, called: &str, tenant: &Owner) -> bool {
        let (is_chosen, may_be_id) = (is_chosen_by_daemon(called), may_be_hidden(called));
        let is_it = |expected: &Expected| {
            let is_named = match &expected.name {
                Some(name) => **name == *called,
                None => is_chosen,
            };
            !expected.record.is_volume && !expected.record.held.is_empty() && (is_named || may_be_id)
        };
        let others = self.holders.iter().filter(|(owner, _)| *owner != tenant);
        others.flat_map(|(_, holder)| &holder.expected).any(is_it)
    }

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
