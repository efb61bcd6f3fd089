//! What each tenant makes the host remember, and what of it is forgotten first.
//!
//! Nobody has forgotten what another made: room is made by whoever holds most. Of theirs, the oldest large record is shown as a mount
//! that never resolves from then on; what mounts nothing goes without a trace. What then still goes is remembered as gone: whatever
//! this tenant names and is not known reads as a mount that never resolves, too. Volumes go last, for every name of a new one is not
//! known either.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use portcullis_model::view::Mount;
use tracing::warn;

use super::super::event::Owner;
use super::super::record::{Held, Mounts, lost, size_of_all};
use super::expected::Expected;
use super::pending::Pending;
use super::{Container, Registry, Unsure, Volume};

/// Bytes that all containers and volumes of one daemon may hold together.
pub(super) const BYTES: usize = 32 << 20;
/// As much counts each, however little it holds.
pub(super) const LEAST: usize = 512;
/// A record whose mounts are larger is forgotten in part before others are as a whole.
const LARGE: usize = 1 << 10;

/// What one tenant holds.
#[derive(Debug, Default)]
pub(super) struct Holder {
    pub(super) bytes: usize,
    /// By its class, the oldest first.
    order: BTreeMap<(Class, u64), Key>,
    /// What its containers without a name mount, without the targets: how many do, and since when.
    pub(super) loose: HashMap<Arc<Mount>, Loose>,
    /// When something was last added to those, by [`Registry::last`].
    pub(super) loosened: u64,
    /// How many containers have no name.
    pub(super) unnamed: usize,
    /// Volumes that its containers define without names. They can outlive the containers.
    pub(super) anonymous: Option<Volume>,
    pub(super) expected: VecDeque<Expected>,
    pub(super) expected_bytes: usize,
    /// Renames and removals that were allowed and are not answered.
    pub(super) pending: VecDeque<Pending>,
    /// How many names are its renames'.
    pub(super) unsure: usize,
    /// What every name may be that is not known, since there were more of those than are remembered.
    pub(super) every_unsure: Option<Unsure>,
    pub(super) lost: Lost,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Loose {
    pub(super) count: usize,
    pub(super) since: u64,
}

/// Whether something that mounts something was forgotten.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lost {
    pub(super) containers: bool,
    pub(super) volumes: bool,
}

/// In which order it is forgotten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    #[default]
    Large,
    /// What mounts nothing of the host.
    Empty,
    Container,
    Volume,
}

/// Where something stands among all that its tenant holds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place {
    at: u64,
    class: Class,
    size: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Key {
    Container(Arc<str>),
    Volume(Arc<str>),
    Anonymous,
}

// === impl Holder ===

impl Holder {
    /// The oldest first.
    pub(super) fn keys(&self) -> Vec<&Key> {
        let mut keys: Vec<_> = self.order.iter().map(|((_, at), key)| (at, key)).collect();
        keys.sort_unstable_by_key(|(at, _)| **at);
        keys.into_iter().map(|(_, key)| key).collect()
    }

    fn is_blank(&self) -> bool {
        let Lost { containers, volumes } = self.lost;
        let is_empty = self.order.is_empty() && self.expected.is_empty() && self.pending.is_empty() && self.unsure == 0;
        is_empty && self.every_unsure.is_none() && !containers && !volumes
    }
}

// === impl Place ===

impl Place {
    pub(super) fn at(self) -> u64 {
        self.at
    }

    pub(super) fn of_container(&mut self, id: &str, name: Option<&Arc<str>>, held: &Held) {
        let mounts = held.size();
        let known = mounts + if name.is_none() { mounts } else { 0 };
        self.size = LEAST.max(size_of::<Container>() + known + 3 * id.len() + 3 * name.map_or(0, |name| name.len()));
        self.class = match mounts {
            0 => Class::Empty,
            mounts if mounts > LARGE => Class::Large,
            _ => Class::Container,
        };
    }

    pub(super) fn of_volume(&mut self, key: &Key, binds: &[Arc<Mount>]) {
        let name = if let Key::Volume(name) = key { name.len() } else { 0 };
        let mounts = size_of_all(binds);
        self.size = LEAST.max(size_of::<Volume>() + 3 * name + mounts);
        self.class = match mounts {
            0 => Class::Empty,
            mounts if mounts > LARGE => Class::Large,
            _ => Class::Volume,
        };
    }
}

// === impl Registry ===

impl Registry {
    pub(super) fn next_place(&mut self) -> Place {
        self.last += 1;
        Place { at: self.last, ..Place::default() }
    }

    pub(super) fn enlist(&mut self, tenant: &Owner, key: &Key, place: Place) {
        let holder = self.holders.entry(tenant.clone()).or_default();
        holder.order.insert((place.class, place.at), key.clone());
        self.resize(tenant, 0, place.size);
    }

    pub(super) fn delist(&mut self, tenant: &Owner, place: Place) {
        if let Some(holder) = self.holders.get_mut(tenant) {
            holder.order.remove(&(place.class, place.at));
        }
        self.resize(tenant, place.size, 0);
    }

    fn resize(&mut self, tenant: &Owner, less: usize, more: usize) {
        let Some(holder) = self.holders.get_mut(tenant) else { return };
        let before = holder.bytes;
        holder.bytes = (before + more).saturating_sub(less);
        self.largest.remove(&(before, tenant.clone()));
        if holder.bytes > 0 {
            self.largest.insert((holder.bytes, tenant.clone()));
        }
        self.bytes = (self.bytes + more).saturating_sub(less);
    }

    /// Lets go of a tenant of which nothing is known any more.
    pub(super) fn forget_blank(&mut self, tenant: &Owner) {
        if self.holders.get(tenant).is_some_and(Holder::is_blank) {
            self.holders.remove(tenant);
        }
    }

    /// What a container without a name mounts.
    pub(super) fn add_loose(&mut self, tenant: &Owner, held: &Held) {
        self.last += 1;
        let since = self.last;
        let holder = self.holders.entry(tenant.clone()).or_default();
        holder.unnamed += 1;
        if !held.is_empty() {
            holder.loosened = since;
        }
        for mount in held.all() {
            holder.loose.entry(untargeted(mount)).or_insert(Loose { count: 0, since }).count += 1;
        }
    }

    pub(super) fn remove_loose(&mut self, tenant: &Owner, held: &Held) {
        let Some(holder) = self.holders.get_mut(tenant) else { return };
        holder.unnamed = holder.unnamed.saturating_sub(1);
        for mount in held.all().map(untargeted) {
            let left = holder.loose.get_mut(&mount).map(|loose| {
                loose.count = loose.count.saturating_sub(1);
                loose.count
            });
            if left == Some(0) {
                holder.loose.remove(&mount);
            }
        }
    }

    pub(super) fn remove(&mut self, key: &Key) {
        self.remove_of(key, &None);
    }

    /// `tenant` is only asked where it is part of the name.
    pub(super) fn remove_of(&mut self, key: &Key, tenant: &Owner) {
        let (tenant, place) = match key {
            Key::Container(id) => {
                let Some(container) = self.containers.remove(id) else { return };
                self.forget_sight(container.seen.as_deref());
                match container.name.as_ref() {
                    Some(name) if self.names.get(name) == Some(id) => drop(self.names.remove(name)),
                    Some(_) => {}
                    None => self.remove_loose(&container.tenant, &container.held),
                }
                (container.tenant, container.place)
            }
            Key::Volume(name) => {
                let Some(volume) = self.volumes.remove(name) else { return };
                (volume.tenant, volume.place)
            }
            Key::Anonymous => {
                let holder = self.holders.get_mut(tenant);
                let Some(volume) = holder.and_then(|holder| holder.anonymous.take()) else { return };
                (volume.tenant, volume.place)
            }
        };
        self.delist(&tenant, place);
        self.forget_blank(&tenant);
    }

    pub(super) fn lose(&mut self, tenant: &Owner, containers: bool, volumes: bool) {
        let lost = &mut self.holders.entry(tenant.clone()).or_default().lost;
        let is_news = containers && !lost.containers || volumes && !lost.volumes;
        lost.containers |= containers;
        lost.volumes |= volumes;
        if is_news {
            let tenant = tenant.as_ref().map(portcullis_model::TenantName::as_str);
            warn!(
                tenant,
                containers,
                volumes,
                "more was created than is remembered; what this tenant names and the host does not know never resolves"
            );
        }
    }

    /// Forgets of whoever holds most.
    pub(super) fn make_room(&mut self) {
        while self.bytes > BYTES {
            let Some((_, tenant)) = self.largest.last().cloned() else { return };
            let first = self.holders.get(&tenant).and_then(|holder| holder.order.first_key_value());
            let Some(((class, _), key)) = first.map(|(at, key)| (*at, key.clone())) else {
                // It is not among those that hold something.
                self.largest.pop_last();
                continue;
            };
            match class {
                Class::Large => self.shrink(&key, &tenant),
                Class::Empty => self.remove_of(&key, &tenant),
                Class::Container => {
                    self.lose(&tenant, true, false);
                    self.remove(&key);
                }
                Class::Volume => {
                    self.lose(&tenant, false, true);
                    self.remove_of(&key, &tenant);
                }
            }
        }
    }

    /// Forgets what something mounts, and not that it is there.
    fn shrink(&mut self, key: &Key, tenant: &Owner) {
        let lost: Arc<Mounts> = Arc::new(vec![lost()]);
        let of_volume = |volume: &mut Volume| {
            let before = volume.place;
            volume.binds = lost;
            volume.place.of_volume(key, &volume.binds);
            (before, volume.place)
        };
        let places = match key {
            Key::Container(id) => {
                let Some(container) = self.containers.get_mut(id) else { return };
                let (before, old) = (container.place, std::mem::replace(&mut container.held, Arc::new(Held::lost())));
                container.place.of_container(id, container.name.as_ref(), &container.held);
                let (after, new) = (container.place, Arc::clone(&container.held));
                if container.name.is_none() {
                    self.remove_loose(tenant, &old);
                    self.add_loose(tenant, &new);
                }
                Some((before, after))
            }
            Key::Volume(name) => self.volumes.get_mut(name).map(of_volume),
            Key::Anonymous => {
                let holder = self.holders.get_mut(tenant);
                holder.and_then(|holder| holder.anonymous.as_mut()).map(of_volume)
            }
        };
        if let Some((before, after)) = places {
            self.delist(tenant, before);
            self.enlist(tenant, key, after);
        }
    }
}

/// A mount of any of several containers: where it is mounted in each is no matter.
fn untargeted(mount: &Arc<Mount>) -> Arc<Mount> {
    if mount.target.is_empty() {
        Arc::clone(mount)
    } else {
        Arc::new(Mount { target: String::new(), ..Mount::clone(mount) })
    }
}
