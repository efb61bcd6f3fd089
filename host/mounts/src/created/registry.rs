//! The containers and volumes of one daemon, by all that they can be called by.
//!
//! What a call means is looked up in `gather`; `change` takes in what calls came to; `holders` bounds what each tenant makes the host
//! remember, and `expected` has what was allowed and is not answered. All of it is done under one lock: nothing here is copied but
//! counts of references, and no loop is longer than what is shown.

mod change;
mod expected;
mod gather;
mod holders;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Instant;

use portcullis_docker::answer::Change;
use portcullis_model::TenantName;
use portcullis_model::view::{Mount, MountKind};

pub(super) use self::gather::Shown;
use self::gather::{Asking, Gathered};
use self::holders::{Holder, Place};
use super::event::{Defined, Event, Owner};
use super::record::{Held, Mounts, Record};

/// Mounts that one call is shown; no container has as many.
const SHOWN: usize = 1024;
/// Containers whose IDs begin alike. The daemon refuses what is the beginning of two.
const PREFIXED: usize = 64;
/// Nobody finds two IDs that begin with as many digits.
const SHORT_ID: usize = 12;

#[derive(Debug, Default)]
pub(super) struct Registry {
    /// By their IDs.
    containers: BTreeMap<Arc<str>, Container>,
    /// Names that callers gave, to IDs.
    names: HashMap<Arc<str>, Arc<str>>,
    /// Names that renames gave to containers whose old names are not known.
    unsure: HashMap<Arc<str>, UnsureName>,
    volumes: HashMap<Arc<str>, Volume>,
    /// What each tenant holds.
    holders: HashMap<Owner, Holder>,
    /// By how many bytes they hold.
    largest: BTreeSet<(usize, Owner)>,
    bytes: usize,
    /// Of the place that was given last.
    last: u64,
    /// How much was taken in so far.
    changes: u64,
    /// Whether something was forgotten of which nobody knows whose it was.
    is_damaged: bool,
}

#[derive(Debug)]
struct Container {
    tenant: Owner,
    /// None where the daemon chose one.
    name: Option<Arc<str>>,
    held: Arc<Held>,
    place: Place,
}

#[derive(Debug)]
struct Volume {
    tenant: Owner,
    binds: Arc<Mounts>,
    /// Whether it is there, and so stays what it is.
    is_settled: bool,
    place: Place,
}

#[derive(Clone, Debug)]
struct UnsureName {
    /// Whose renames gave it.
    tenant: Owner,
    unsure: Unsure,
}

enum Meant {
    Known(Arc<str>),
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

// === impl Registry ===

impl Registry {
    /// Something was forgotten, and nobody knows whose it was.
    pub(super) fn set_damaged(&mut self) {
        self.is_damaged = true;
    }

    /// Tenants of which something was forgotten.
    pub(super) fn lost(&self) -> Vec<Owner> {
        let has_lost = |holder: &Holder| holder.lost.containers || holder.lost.volumes;
        self.holders.iter().filter(|(_, holder)| has_lost(holder)).map(|(tenant, _)| tenant.clone()).collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.containers.is_empty() && self.volumes.is_empty() && self.holders.is_empty() && !self.is_damaged
    }

    /// What a container mounts from the host, by whatever it is called. One that is not known may be one that is just being created, or
    /// one whose name the daemon chose: then all of those are shown that this tenant made.
    pub(super) fn of_container(&self, called: &str, tenant: &TenantName, now: Instant) -> Vec<Shown> {
        let owner = Some(tenant.clone());
        let mut gathered = Gathered::new(self, Asking { tenant: &owner, now });
        gathered.container(called);
        gathered.shown()
    }

    /// What those of a call's mounts lead to that name volumes or containers.
    pub(super) fn of_named(&self, named: &[Arc<Mount>], tenant: &TenantName, now: Instant) -> Vec<Shown> {
        let owner = Some(tenant.clone());
        let mut gathered = Gathered::new(self, Asking { tenant: &owner, now });
        gathered.others(named);
        gathered.shown()
    }

    /// Takes in what became of a tenant's call. What of it is to be kept is the answer, with its number.
    pub(super) fn settle(
        &mut self,
        tenant: &Owner,
        uri: &str,
        record: Record,
        change: Change,
        now: Instant,
    ) -> Option<(u64, Event)> {
        let expected = self.answered(tenant, uri, &record);
        let (tenant, Record { held, volumes }) = (tenant.clone(), record);
        let defined = |is_settled: bool| {
            move |(name, binds): (String, Mounts)| Defined {
                name: name.into(),
                binds: Arc::new(binds),
                is_settled,
                is_exact: false,
            }
        };
        let event = match change {
            Change::Container { id, name } => {
                let is_renamed = expected.is_some_and(|expected| expected.is_renamed);
                let name: Option<Arc<str>> = name.map(Into::into);
                let (name, renamed_from) = if is_renamed { (None, name) } else { (name, None) };
                // Every volume that it mounts is there now.
                let mounted = held.others.iter().filter(|mount| mount.kind == MountKind::Volume);
                let mounted: Vec<_> = mounted.map(|mount| (mount.source.clone(), Mounts::new())).collect();
                let volumes = volumes.into_iter().chain(mounted).map(defined(true)).collect();
                let held = Arc::new(self.inherit(held, &tenant, now));
                Event::Container { tenant, id: id.into(), name, renamed_from, held, volumes }
            }
            Change::Volume { name, is_plain } => {
                let binds = volumes.into_iter().flat_map(|(_, binds)| binds).filter(|_| !is_plain).collect();
                let volume = Defined { is_exact: is_plain, ..defined(true)((name, binds)) };
                Event::Volumes { tenant, volumes: vec![volume] }
            }
            Change::Renamed { container, name } => {
                self.rename_expected(&container);
                Event::Renamed { tenant, container, name: name.into() }
            }
            Change::ContainersRemoved(containers) => Event::ContainersRemoved(containers),
            Change::VolumesRemoved(names) => Event::VolumesRemoved(names),
            // Volumes are made one by one, and stay when a later part of the create fails; tasks of a service make theirs later.
            Change::Service | Change::Nothing => {
                Event::Volumes { tenant, volumes: volumes.into_iter().map(defined(false)).collect() }
            }
        };
        let is_nothing = matches!(&event, Event::Volumes { volumes, .. } if volumes.is_empty());
        (!is_nothing).then(|| self.take(event))
    }

    fn take(&mut self, event: Event) -> (u64, Event) {
        self.apply(&event);
        (self.changes, event)
    }

    /// The daemon copies what other containers mount when it creates one: what becomes of those later is no matter. So a record that is
    /// kept names no other containers.
    fn inherit(&self, held: Held, tenant: &Owner, now: Instant) -> Held {
        let Held { mut binds, others } = held;
        let (containers, mut others): (Mounts, Mounts) = others.into_iter().partition(gather::is_container);
        if !containers.is_empty() {
            let mut gathered = Gathered::new(self, Asking { tenant, now });
            gathered.others(&containers);
            let (inherited, volumes) = gathered.finished();
            binds.extend(inherited.into_iter().map(Shown::shared));
            others.extend(volumes.into_iter().map(Shown::shared));
        }
        Held { binds, others }.within_bounds()
    }

    /// What a call of a tenant's that was carried out calls this.
    fn meant(&self, called: &str, tenant: &Owner) -> Meant {
        let called = called.trim_start_matches('/');
        if let Some((id, _)) = self.containers.get_key_value(called) {
            return Meant::Known(Arc::clone(id));
        }
        if let Some(id) = self.names.get(called) {
            return Meant::Known(Arc::clone(id));
        }
        let holder = self.holders.get(tenant);
        let all = holder.and_then(|holder| holder.every_unsure);
        let all = if self.has_lost_containers(tenant) { Some(Unsure::Any) } else { all };
        let (tracked, mut prefixed) = (self.unsure.get(called).map(|name| name.unsure), self.prefixed(called));
        match (tracked, prefixed.next(), prefixed.next()) {
            (None, Some((id, _)), None) if called.len() >= SHORT_ID || all.is_none() => Meant::Known(Arc::clone(id)),
            // The beginning of several, of which some may be gone, or of one that something else was called like.
            (_, Some(_), _) => Meant::Unsure(Unsure::Any),
            (Some(unsure), None, _) => Meant::Unsure(unsure),
            // An alias: which container it is cannot be told.
            (None, None, _) if called.contains('/') => Meant::Unsure(Unsure::Any),
            // It would be known if it was created by way of this listener.
            (None, None, _) if is_whole_id(called) && all.is_none() => Meant::Unknown,
            (None, None, _) => Meant::Unsure(all.unwrap_or(Unsure::Unnamed)),
        }
    }

    fn exact(&self, called: &str) -> Option<&Container> {
        self.containers.get(called).or_else(|| self.containers.get(self.names.get(called)?))
    }

    fn prefixed<'a>(&'a self, prefix: &str) -> impl Iterator<Item = (&'a Arc<str>, &'a Container)> + use<'a> {
        let prefix: Arc<str> = prefix.into();
        let from = self.containers.range(Arc::clone(&prefix)..);
        from.take_while(move |(id, _)| !prefix.is_empty() && id.starts_with(&*prefix))
    }

    fn has_lost_containers(&self, tenant: &Owner) -> bool {
        self.is_damaged || self.holders.get(tenant).is_some_and(|holder| holder.lost.containers)
    }

    fn has_lost_volumes(&self, tenant: &Owner) -> bool {
        self.is_damaged || self.holders.get(tenant).is_some_and(|holder| holder.lost.volumes)
    }
}

pub(super) fn is_whole_id(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Whether a name is of those that the daemon makes up: `ADJECTIVE_SURNAME`, and a digit (moby's `pkg/namesgenerator`).
fn is_chosen_by_daemon(name: &str) -> bool {
    let name = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
    name.split_once('_').is_some_and(|(adjective, surname)| is_word(adjective) && is_word(surname))
}

#[cfg(test)]
mod tests;
