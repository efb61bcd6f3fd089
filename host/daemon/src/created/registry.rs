//! The containers and volumes of one daemon, by all that they can be called by.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::{Duration, Instant};

use portcullis_docker::answer::Change;
use portcullis_model::TenantName;
use portcullis_model::view::{Mount, MountKind};
use tracing::warn;

use super::record::{Record, size_of_all};

/// Containers and volumes of one daemon.
const RECORDS: usize = 16_384;
/// Bytes that they may hold together.
const BYTES: usize = 32 << 20;
/// As much counts each, however little it holds: then that many are within the bound of bytes.
const LEAST: usize = BYTES / RECORDS;
/// Creates whose answer has not come.
const EXPECTED: usize = 1024;
/// Of a create that another plugin denied, no answer comes.
const ANSWERED_WITHIN: Duration = Duration::from_secs(300);
/// Mounts that one call is shown; no container has as many.
const SHOWN: usize = 1024;
/// Containers that one prefix of an ID can mean.
const PREFIXED: usize = 16;

#[derive(Debug, Default)]
pub(super) struct Registry {
    /// By their IDs.
    containers: BTreeMap<String, Container>,
    /// Names that callers gave, to IDs.
    names: HashMap<String, String>,
    /// Aliases of links, to IDs.
    aliases: HashMap<String, Vec<String>>,
    volumes: HashMap<String, Volume>,
    expected: VecDeque<Expected>,
    /// What each tenant holds, the oldest first.
    holders: HashMap<Option<TenantName>, Holder>,
    bytes: usize,
}

#[derive(Debug)]
struct Container {
    tenant: Option<TenantName>,
    /// None where the daemon chose one.
    name: Option<String>,
    record: Record,
}

#[derive(Debug)]
struct Volume {
    tenant: Option<TenantName>,
    binds: Vec<Mount>,
}

/// A create that was allowed and is not answered.
#[derive(Debug)]
struct Expected {
    uri: String,
    tenant: TenantName,
    record: Record,
    since: Instant,
}

#[derive(Debug, Default)]
struct Holder {
    bytes: usize,
    /// Some of them may be gone.
    order: VecDeque<Key>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Key {
    Container(String),
    Volume(String),
}

// === impl Registry ===

impl Registry {
    pub(super) fn is_empty(&self) -> bool {
        self.containers.is_empty() && self.volumes.is_empty() && self.expected.is_empty()
    }

    /// What a container mounts from the host, by whatever it is called. One that is not known may be one that is just being created, or
    /// one whose name the daemon chose: then all of those are shown that this tenant made.
    pub(super) fn of_container(&self, called: &str, tenant: &TenantName, now: Instant) -> Vec<Mount> {
        let called = called.trim_start_matches('/');
        let known = self.find(called);
        if !known.is_empty() {
            return self.shown(known.iter().map(|container| &container.record));
        }
        let expected = self.expected.iter().filter(|expected| expected.tenant == *tenant && expected.is_fresh(now));
        let is_its = |container: &&Container| container.name.is_none() && container.tenant.as_ref() == Some(tenant);
        let unnamed = self.containers.values().filter(|_| is_chosen_by_daemon(called)).filter(is_its);
        self.shown(expected.map(|expected| &expected.record).chain(unnamed.map(|container| &container.record)))
    }

    /// What those of a call's mounts lead to that name volumes or containers.
    pub(super) fn of_named(&self, named: &[Mount]) -> Vec<Mount> {
        let record = Record { others: named.to_vec(), ..Record::default() };
        self.shown([&record])
    }

    pub(super) fn expect(&mut self, uri: &str, tenant: &TenantName, record: Record, now: Instant) {
        self.expected.retain(|expected| expected.is_fresh(now));
        if self.expected.len() >= EXPECTED {
            self.expected.pop_front();
        }
        self.expected.push_back(Expected { uri: uri.to_owned(), tenant: tenant.clone(), record, since: now });
    }

    /// Takes in what became of a call.
    pub(super) fn settle(&mut self, uri: &str, record: Record, change: Change) {
        let is_it = |expected: &Expected| expected.uri == uri && expected.record == record;
        let expected = self.expected.iter().position(is_it).and_then(|at| self.expected.remove(at));
        let tenant = expected.map(|expected| expected.tenant);
        match change {
            Change::Container { id, name } => self.add_container(id, name, tenant, record),
            Change::Volume { name } => {
                let binds = record.volumes.into_iter().flat_map(|(_, binds)| binds).collect();
                self.add_volume(name, tenant, binds);
            }
            Change::Renamed { container, name } => self.rename(&container, name),
            Change::ContainersRemoved(containers) => containers.iter().for_each(|called| {
                if let Some(id) = self.id_of(called) {
                    self.remove(&Key::Container(id));
                }
            }),
            Change::VolumesRemoved(names) => names.into_iter().for_each(|name| self.remove(&Key::Volume(name))),
            Change::Nothing => {}
        }
        self.make_room();
    }

    fn add_container(&mut self, id: String, name: Option<String>, tenant: Option<TenantName>, record: Record) {
        for (volume, binds) in &record.volumes {
            if !volume.is_empty() {
                self.add_volume(volume.clone(), tenant.clone(), binds.clone());
            }
        }
        for (container, alias) in &record.links {
            if let Some(linked) = self.id_of(container) {
                self.link(alias, linked);
            }
        }
        self.remove(&Key::Container(id.clone()));
        let container = Container { tenant: tenant.clone(), name: None, record };
        self.hold(tenant, Key::Container(id.clone()), container.size(&id));
        self.containers.insert(id.clone(), container);
        if let Some(name) = name {
            self.give_name(&id, name);
        }
    }

    /// One that is there already stays as it is, whatever it is asked to be: then both are shown.
    fn add_volume(&mut self, name: String, tenant: Option<TenantName>, binds: Vec<Mount>) {
        if binds.is_empty() {
            return;
        }
        let mut binds = binds;
        let key = Key::Volume(name.clone());
        if let Some(there) = self.volumes.get(&name) {
            binds.retain(|bind| !there.binds.contains(bind));
            binds.splice(0..0, there.binds.iter().take(SHOWN).cloned());
            self.remove(&key);
        }
        let volume = Volume { tenant: tenant.clone(), binds };
        self.hold(tenant, key, volume.size(&name));
        self.volumes.insert(name, volume);
    }

    /// A name is one container's alone.
    fn give_name(&mut self, id: &str, name: String) {
        if let Some(before) = self.names.insert(name.clone(), id.to_owned()).filter(|before| before != id) {
            self.set_name(&before, None);
        }
        let old = self.set_name(id, Some(name.clone())).filter(|old| *old != name);
        if let Some(old) = old {
            self.names.remove(&old);
        }
    }

    /// Gives the name that it had.
    fn set_name(&mut self, id: &str, name: Option<String>) -> Option<String> {
        let container = self.containers.get_mut(id)?;
        let before = container.size(id);
        let old = std::mem::replace(&mut container.name, name);
        let (after, tenant) = (container.size(id), container.tenant.clone());
        self.bytes = (self.bytes + after).saturating_sub(before);
        if let Some(holder) = self.holders.get_mut(&tenant) {
            holder.bytes = (holder.bytes + after).saturating_sub(before);
        }
        old
    }

    fn link(&mut self, alias: &str, container: String) {
        if self.aliases.len() < RECORDS || self.aliases.contains_key(alias) {
            let linked = self.aliases.entry(alias.to_owned()).or_default();
            if linked.len() < PREFIXED && !linked.contains(&container) {
                linked.push(container);
            }
        }
    }

    fn rename(&mut self, called: &str, name: String) {
        if let Some(id) = self.id_of(called) {
            self.give_name(&id, name);
        }
    }

    fn remove(&mut self, key: &Key) {
        let (tenant, size) = match key {
            Key::Container(id) => {
                let Some(container) = self.containers.remove(id) else { return };
                if let Some(name) = container.name.as_ref().filter(|name| self.names.get(*name) == Some(id)) {
                    self.names.remove(name);
                }
                self.aliases.retain(|_, linked| {
                    linked.retain(|linked| linked != id);
                    !linked.is_empty()
                });
                (container.tenant.clone(), container.size(id))
            }
            Key::Volume(name) => {
                let Some(volume) = self.volumes.remove(name) else { return };
                (volume.tenant.clone(), volume.size(name))
            }
        };
        self.bytes = self.bytes.saturating_sub(size);
        if let Some(holder) = self.holders.get_mut(&tenant) {
            holder.bytes = holder.bytes.saturating_sub(size);
            if holder.bytes == 0 {
                self.holders.remove(&tenant);
            }
        }
    }

    fn hold(&mut self, tenant: Option<TenantName>, key: Key, size: usize) {
        self.bytes += size;
        let holder = self.holders.entry(tenant).or_default();
        holder.bytes += size;
        holder.order.push_back(key);
        // What is gone is not kept in the order for ever.
        if holder.order.len() > 2 * RECORDS {
            let (containers, volumes) = (&self.containers, &self.volumes);
            holder.order.retain(|key| match key {
                Key::Container(id) => containers.contains_key(id),
                Key::Volume(name) => volumes.contains_key(name),
            });
        }
    }

    /// Forgets the oldest of whoever holds most: nobody can have what another made forgotten.
    fn make_room(&mut self) {
        while self.bytes > BYTES {
            let Some(holder) = self.holders.values_mut().max_by_key(|holder| holder.bytes) else { return };
            match holder.order.pop_front() {
                Some(key) => {
                    warn!(
                        ?key,
                        "more containers and volumes than are remembered; what the oldest mount is not looked up again"
                    );
                    self.remove(&key);
                }
                None => holder.bytes = 0,
            }
        }
    }

    fn id_of(&self, called: &str) -> Option<String> {
        let called = called.trim_start_matches('/');
        if self.containers.contains_key(called) {
            return Some(called.to_owned());
        }
        self.names.get(called).cloned().or_else(|| {
            let mut prefixed = self.prefixed(called);
            let only = prefixed.next().filter(|_| prefixed.next().is_none());
            only.map(|(id, _)| id.clone())
        })
    }

    /// As the daemon finds a container (moby's `GetContainer`): by its whole ID, its name, the alias of a link (`PARENT/ALIAS`), or the
    /// beginning of its ID.
    fn find(&self, called: &str) -> Vec<&Container> {
        let by_id = self.containers.get(called);
        let exact = by_id.or_else(|| self.containers.get(self.names.get(called)?));
        if let Some(container) = exact {
            return vec![container];
        }
        if let Some((_, alias)) = called.rsplit_once('/') {
            let linked = self.aliases.get(alias).into_iter().flatten();
            return linked.filter_map(|id| self.containers.get(id)).collect();
        }
        self.prefixed(called).map(|(_, container)| container).take(PREFIXED).collect()
    }

    fn prefixed<'a>(&'a self, prefix: &str) -> impl Iterator<Item = (&'a String, &'a Container)> + use<'a> {
        let prefix = prefix.to_owned();
        let from = self.containers.range(prefix.clone()..);
        from.take_while(move |(id, _)| !prefix.is_empty() && id.starts_with(&*prefix))
    }

    /// What all these mount from the host, each once.
    fn shown<'a>(&'a self, records: impl IntoIterator<Item = &'a Record>) -> Vec<Mount> {
        let mut shown: Vec<Mount> = Vec::new();
        let mut show = |mount: Mount| {
            if shown.len() < SHOWN && !shown.contains(&mount) {
                shown.push(mount);
            }
        };
        for record in records {
            record.binds.iter().cloned().for_each(&mut show);
            for other in &record.others {
                match other.kind {
                    MountKind::Volume => self.volume_as(other).into_iter().for_each(&mut show),
                    MountKind::Container => {
                        for container in self.find(other.source.trim_start_matches('/')) {
                            let inherited = container.record.binds.iter().cloned();
                            let others = container.record.others.iter().flat_map(|other| self.volume_as(other));
                            let as_here =
                                |mount: Mount| Mount { read_only: mount.read_only || other.read_only, ..mount };
                            inherited.chain(others).map(as_here).for_each(&mut show);
                        }
                    }
                    MountKind::Bind
                    | MountKind::Tmpfs
                    | MountKind::FileSystem
                    | MountKind::Image
                    | MountKind::Cluster
                    | MountKind::Npipe
                    | MountKind::Other => {}
                }
            }
        }
        shown
    }

    /// What a volume mounts, where a container mounts it.
    fn volume_as(&self, named: &Mount) -> Vec<Mount> {
        let volume = Some(named).filter(|named| named.kind == MountKind::Volume);
        let binds = volume.and_then(|named| self.volumes.get(&named.source)).map(|volume| &volume.binds);
        let as_here = |bind: &Mount| Mount {
            target: named.target.clone(),
            read_only: bind.read_only || named.read_only,
            ..bind.clone()
        };
        binds.into_iter().flatten().map(as_here).collect()
    }
}

/// Whether a name is of those that the daemon makes up: `ADJECTIVE_SURNAME`, and a digit (moby's `pkg/namesgenerator`).
fn is_chosen_by_daemon(name: &str) -> bool {
    let name = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
    name.split_once('_').is_some_and(|(adjective, surname)| is_word(adjective) && is_word(surname))
}

// === impl Container, Volume, Expected ===

impl Container {
    fn size(&self, id: &str) -> usize {
        let name = self.name.as_ref().map_or(0, String::len);
        LEAST.max(size_of::<Self>() + self.record.size() + 2 * id.len() + 2 * name)
    }
}

impl Volume {
    fn size(&self, name: &str) -> usize {
        LEAST.max(size_of::<Self>() + 2 * name.len() + size_of_all(&self.binds))
    }
}

impl Expected {
    fn is_fresh(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) < ANSWERED_WITHIN
    }
}

#[cfg(test)]
mod tests;
