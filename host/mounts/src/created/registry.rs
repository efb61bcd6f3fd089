//! The containers and volumes of one daemon, by all that they can be called by.

mod gather;

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

use portcullis_docker::answer::Change;
use portcullis_model::TenantName;
use portcullis_model::view::{Mount, MountKind};
use tracing::warn;

use self::gather::{Asking, Gathered};
use super::record::{MOST, Record, size_of_all, too_much};

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
/// Names of containers of which nothing else is known.
const UNSURE: usize = 4096;

#[derive(Debug, Default)]
pub(super) struct Registry {
    /// By their IDs.
    containers: BTreeMap<String, Container>,
    /// Names that callers gave, to IDs.
    names: HashMap<String, String>,
    /// Names that renames gave to containers whose old names are not known.
    unsure: HashMap<String, Unsure>,
    /// What every name may be that is not known, since there were more of those than are remembered.
    every_unsure: Option<Unsure>,
    volumes: HashMap<String, Volume>,
    /// Volumes that a tenant's containers define without names. They can outlive the containers.
    anonymous: HashMap<Option<TenantName>, Volume>,
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

enum Meant {
    Known(String),
    Unknown,
    Unsure(Unsure),
}

/// Which container a name may stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Unsure {
    /// One that was created without a name, or that is not known.
    Unnamed,
    /// Any one.
    Any,
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

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Container(String),
    Volume(String),
    Anonymous(Option<TenantName>),
}

// === impl Registry ===

impl Registry {
    pub(super) fn is_empty(&self) -> bool {
        let is_none = self.containers.is_empty() && self.volumes.is_empty() && self.anonymous.is_empty();
        is_none && self.expected.is_empty() && self.unsure.is_empty()
    }

    /// What a container mounts from the host, by whatever it is called. One that is not known may be one that is just being created, or
    /// one whose name the daemon chose: then all of those are shown that this tenant made.
    pub(super) fn of_container(&self, called: &str, tenant: &TenantName, now: Instant) -> Vec<Mount> {
        let mut gathered = Gathered::new(self, Asking { tenant: Some(tenant), now });
        gathered.container(called);
        gathered.shown()
    }

    /// What those of a call's mounts lead to that name volumes or containers.
    pub(super) fn of_named(&self, named: &[Mount], tenant: &TenantName, now: Instant) -> Vec<Mount> {
        let mut gathered = Gathered::new(self, Asking { tenant: Some(tenant), now });
        gathered.others(named);
        gathered.shown()
    }

    pub(super) fn expect(&mut self, uri: &str, tenant: &TenantName, record: Record, now: Instant) {
        self.expected.retain(|expected| expected.is_fresh(now));
        if self.expected.len() >= EXPECTED {
            self.expected.pop_front();
        }
        // Its volumes are told with its answer, and can be many.
        let record = Record { volumes: Vec::new(), ..record };
        self.expected.push_back(Expected { uri: uri.to_owned(), tenant: tenant.clone(), record, since: now });
    }

    /// Takes in what became of a call.
    pub(super) fn settle(&mut self, uri: &str, record: Record, change: Change, now: Instant) {
        let is_it = |expected: &Expected| expected.uri == uri && expected.record.mounts_like(&record);
        let expected = self.expected.iter().position(is_it).and_then(|at| self.expected.remove(at));
        let tenant = expected.map(|expected| expected.tenant);
        match change {
            Change::Container { id, name } => self.add_container(id, name, tenant, record, now),
            Change::Volume { name } => {
                let binds = record.volumes.into_iter().flat_map(|(_, binds)| binds).collect();
                self.add_volume(Key::Volume(name), tenant, binds);
            }
            Change::Renamed { container, name } => self.rename(&container, name),
            Change::ContainersRemoved(containers) => containers.iter().for_each(|called| self.remove_container(called)),
            Change::VolumesRemoved(names) => names.into_iter().for_each(|name| self.remove(&Key::Volume(name))),
            // Volumes are made one by one, and stay when a later part of the create fails.
            Change::Nothing => self.add_volumes_of(&record, tenant.as_ref()),
        }
        self.make_room();
    }

    fn add_container(
        &mut self,
        id: String,
        name: Option<String>,
        tenant: Option<TenantName>,
        record: Record,
        now: Instant,
    ) {
        self.add_volumes_of(&record, tenant.as_ref());
        let record = self.inherit(record, tenant.as_ref(), now);
        self.remove(&Key::Container(id.clone()));
        let container = Container { tenant: tenant.clone(), name: None, record };
        self.hold(tenant, Key::Container(id.clone()), container.size(&id));
        self.containers.insert(id.clone(), container);
        if let Some(name) = name {
            self.give_name(&id, name);
        }
    }

    /// The daemon copies what other containers mount when it creates one: what becomes of those later is no matter. So a record that is
    /// kept names no other containers.
    fn inherit(&self, record: Record, tenant: Option<&TenantName>, now: Instant) -> Record {
        let (containers, mut others): (Vec<_>, Vec<_>) =
            record.others.into_iter().partition(|other| other.kind == MountKind::Container);
        let mut gathered = Gathered::new(self, Asking { tenant, now });
        gathered.others(&containers);
        let (inherited, volumes) = gathered.finished();
        let mut binds = record.binds;
        binds.extend(inherited);
        others.extend(volumes);
        // Its volumes are kept by themselves.
        Record { binds, others, volumes: Vec::new() }.within_bounds()
    }

    fn add_volumes_of(&mut self, record: &Record, tenant: Option<&TenantName>) {
        for (name, binds) in &record.volumes {
            let key = if name.is_empty() { Key::Anonymous(tenant.cloned()) } else { Key::Volume(name.clone()) };
            self.add_volume(key, tenant.cloned(), binds.clone());
        }
    }

    /// One that is there already stays as it is, whatever it is asked to be: then both are shown.
    fn add_volume(&mut self, key: Key, tenant: Option<TenantName>, mut binds: Vec<Mount>) {
        if binds.is_empty() {
            return;
        }
        let there = match &key {
            Key::Volume(name) => self.volumes.get(name),
            Key::Anonymous(tenant) => self.anonymous.get(tenant),
            Key::Container(_) => None,
        };
        if let Some(there) = there {
            binds.retain(|bind| !there.binds.contains(bind));
            binds.splice(0..0, there.binds.iter().cloned());
            self.remove(&key);
        }
        if size_of_all(&binds) > MOST {
            binds = vec![too_much()];
        }
        let volume = Volume { tenant: tenant.clone(), binds };
        self.hold(tenant, key.clone(), volume.size(&key));
        match key {
            Key::Volume(name) => drop(self.volumes.insert(name, volume)),
            Key::Anonymous(tenant) => drop(self.anonymous.insert(tenant, volume)),
            Key::Container(_) => {}
        }
    }

    /// A name is one container's alone.
    fn give_name(&mut self, id: &str, name: String) {
        self.unsure.remove(&name);
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

    fn rename(&mut self, called: &str, name: String) {
        let unsure = match self.meant(called) {
            Meant::Known(id) => return self.give_name(&id, name),
            Meant::Unknown => None,
            Meant::Unsure(unsure) => Some(unsure),
        };
        self.unsure.remove(called);
        self.unsure.remove(&name);
        // Whose it was is gone, or is called otherwise by now.
        if let Some(before) = self.names.remove(&name) {
            self.set_name(&before, None);
        }
        let Some(unsure) = unsure else { return };
        if self.unsure.len() < UNSURE {
            self.unsure.insert(name, unsure);
        } else if self.every_unsure < Some(unsure) {
            warn!(
                ?unsure,
                "more names are not known than are remembered; every name that is not known is taken for one of those"
            );
            self.every_unsure = Some(unsure);
        }
    }

    fn remove_container(&mut self, called: &str) {
        if let Meant::Known(id) = self.meant(called) {
            self.remove(&Key::Container(id));
        }
        self.unsure.remove(called);
    }

    fn remove(&mut self, key: &Key) {
        let (tenant, size) = match key {
            Key::Container(id) => {
                let Some(container) = self.containers.remove(id) else { return };
                if let Some(name) = container.name.as_ref().filter(|name| self.names.get(*name) == Some(id)) {
                    self.names.remove(name);
                }
                (container.tenant.clone(), container.size(id))
            }
            Key::Volume(name) => {
                let Some(volume) = self.volumes.remove(name) else { return };
                (volume.tenant.clone(), volume.size(key))
            }
            Key::Anonymous(tenant) => {
                let Some(volume) = self.anonymous.remove(tenant) else { return };
                (volume.tenant.clone(), volume.size(key))
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
        // What is gone is not kept in the order for ever, nor is what was added again.
        if holder.order.len() > 2 * RECORDS {
            let mut seen = HashSet::new();
            let newest = holder.order.back().cloned();
            let is_there = |key: &Key| match key {
                // It is about to be there.
                key if newest.as_ref() == Some(key) => true,
                Key::Container(id) => self.containers.contains_key(id),
                Key::Volume(name) => self.volumes.contains_key(name),
                Key::Anonymous(tenant) => self.anonymous.contains_key(tenant),
            };
            let mut kept = VecDeque::new();
            while let Some(key) = holder.order.pop_back() {
                if is_there(&key) && seen.insert(key.clone()) {
                    kept.push_front(key);
                }
            }
            holder.order = kept;
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

    /// What a call that was carried out calls this.
    fn meant(&self, called: &str) -> Meant {
        let called = called.trim_start_matches('/');
        if self.containers.contains_key(called) {
            return Meant::Known(called.to_owned());
        }
        if let Some(id) = self.names.get(called) {
            return Meant::Known(id.clone());
        }
        let (tracked, mut prefixed) = (self.unsure.get(called).copied(), self.prefixed(called));
        match (tracked, prefixed.next(), prefixed.next()) {
            (None, Some((id, _)), None) => Meant::Known(id.clone()),
            // The beginning of several, of which some may be gone, or of one that something else was called like.
            (_, Some(_), _) => Meant::Unsure(Unsure::Any),
            (Some(unsure), None, _) => Meant::Unsure(unsure),
            // An alias: which container it is cannot be told.
            (None, None, _) if called.contains('/') => Meant::Unsure(Unsure::Any),
            // It would be known if it was created by way of this listener.
            (None, None, _) if is_whole_id(called) && self.every_unsure.is_none() => Meant::Unknown,
            (None, None, _) => Meant::Unsure(self.every_unsure.unwrap_or(Unsure::Unnamed)),
        }
    }

    fn unsure_of(&self, called: &str) -> Option<Unsure> {
        self.unsure.get(called).copied().max(self.every_unsure)
    }

    fn exact(&self, called: &str) -> Option<&Container> {
        self.containers.get(called).or_else(|| self.containers.get(self.names.get(called)?))
    }

    /// The daemon names anonymous volumes like containers' IDs: one that is not known may be any that the tenant's containers define.
    fn binds_of_volume(&self, name: &str, tenant: Option<&TenantName>) -> &[Mount] {
        let anonymous = || self.anonymous.get(&tenant.cloned()).filter(|_| is_whole_id(name));
        self.volumes.get(name).or_else(anonymous).map(|volume| &*volume.binds).unwrap_or_default()
    }

    fn prefixed<'a>(&'a self, prefix: &str) -> impl Iterator<Item = (&'a String, &'a Container)> + use<'a> {
        let prefix = prefix.to_owned();
        let from = self.containers.range(prefix.clone()..);
        from.take_while(move |(id, _)| !prefix.is_empty() && id.starts_with(&*prefix))
    }
}

fn is_whole_id(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
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
    fn size(&self, key: &Key) -> usize {
        let name = if let Key::Volume(name) = key { name.len() } else { 0 };
        LEAST.max(size_of::<Self>() + 2 * name + size_of_all(&self.binds))
    }
}

impl Expected {
    fn is_fresh(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) < ANSWERED_WITHIN
    }
}

#[cfg(test)]
mod tests;
