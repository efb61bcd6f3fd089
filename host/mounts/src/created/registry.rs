//! The containers and volumes of one daemon, by all that they can be called by.
//!
//! What a call means is looked up in `gather`; `change` takes in what calls came to; `holders` bounds what each tenant makes the host
//! remember, `expected` and `pending` have what was allowed and is not answered, and `sights` names that the daemon told. All of it is done under one lock: nothing here is copied but
//! counts of references, and no loop is longer than what is shown.

mod change;
mod expected;
mod gather;
mod holders;
mod pending;
mod sights;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use portcullis_docker::answer::Change;
use portcullis_model::TenantName;
use portcullis_model::view::{Mount, MountKind};

use self::gather::Gathered;
pub(super) use self::gather::Shown;
use self::holders::{Holder, Place};
use self::pending::Pending;
use self::sights::Sight;
use super::event::{Defined, Event, Owner};
use super::record::{Held, Mounts, Record};

/// Mounts that one call is shown; no container has as many.
const SHOWN: usize = 1024;
/// Containers whose IDs begin alike. The daemon refuses what is the beginning of two.
const PREFIXED: usize = 64;
/// Nobody finds two IDs that begin with as many digits.
const SHORT_ID: usize = 12;
/// With what the ID of a container begins whose ID is not known: one of which no answer told, or the task of a service.
const HIDDEN: &str = "?";
/// Characters of a task's ID.
const TASK_ID: usize = 25;

#[derive(Debug, Default)]
pub(super) struct Registry {
    /// By their IDs.
    containers: BTreeMap<Arc<str>, Container>,
    /// Names that callers gave, to IDs.
    names: HashMap<Arc<str>, Arc<str>>,
    /// Names that renames gave to containers whose old names are not known.
    unsure: HashMap<Arc<str>, UnsureName>,
    /// Names that the daemon chose, as far as it has told them.
    sights: HashMap<Arc<str>, Sight>,
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
    /// Which one, if the daemon told.
    seen: Option<Arc<str>>,
    held: Arc<Held>,
    /// Whether it can go without a call.
    is_fleeting: bool,
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
    /// One that was created without a name by whoever renamed it, or that is not known.
    Own,
    /// One that was created without a name, whoever created it.
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
    /// one whose name the daemon chose: then all of those are shown that this tenant made, and those of others as one that never
    /// resolves.
    pub(super) fn of_container(&self, called: &str, tenant: &TenantName) -> Vec<Shown> {
        let owner = Some(tenant.clone());
        let mut gathered = Gathered::new(self, &owner);
        gathered.container(called);
        gathered.shown()
    }

    /// What those of a call's mounts lead to that name volumes or containers.
    pub(super) fn of_named(&self, named: &[Arc<Mount>], tenant: &TenantName) -> Vec<Shown> {
        let owner = Some(tenant.clone());
        let mut gathered = Gathered::new(self, &owner);
        gathered.others(named);
        gathered.shown()
    }

    /// Takes in what became of a tenant's call. What of it is to be kept is the answer, with its numbers.
    pub(super) fn settle(&mut self, tenant: &Owner, uri: &str, record: Record, change: Change) -> Vec<(u64, Event)> {
        let expected = self.answered(tenant, uri, &record);
        let answered = expected.as_ref().and_then(|expected| expected.answered(tenant));
        let is_renamed = expected.as_ref().is_some_and(|expected| expected.is_renamed);
        let pending = self.no_longer_pending(tenant, uri);
        let event = match change {
            Change::Container { id, name } => {
                Some(self.created(tenant, (id.into(), name.map(Into::into)), record, is_renamed))
            }
            Change::Volume { name, mounts } => Some(made_volume(tenant, name, mounts, record)),
            Change::Renamed { container, name } if pending.as_ref().is_some_and(Pending::is_clear) => {
                Some(Event::Renamed { tenant: tenant.clone(), container: self.plainly(container), name: name.into() })
            }
            Change::Renamed { container, name } => Some(Event::Doubtful {
                tenant: tenant.clone(),
                names: vec![container.trim_start_matches('/').to_owned(), name],
            }),
            Change::ContainersRemoved(containers) => {
                let was_there = |called: &String| self.was_there(called, pending.as_ref());
                let plainly = |called| self.plainly(called);
                Some(Event::ContainersRemoved(containers.into_iter().filter(was_there).map(plainly).collect()))
            }
            Change::VolumesRemoved(names) if self.were_there(&names, pending.as_ref()) => {
                Some(Event::VolumesRemoved(names))
            }
            Change::VolumesRemoved(_) | Change::SomeVolumesRemoved => {
                Some(Event::SomeVolumesRemoved { tenant: tenant.clone() })
            }
            Change::SomeContainersRemoved => Some(Event::SomeContainersRemoved { tenant: tenant.clone() }),
            Change::ContainersSeen(seen) => {
                seen.into_iter().for_each(|(id, name)| self.see(&id, &name));
                None
            }
            Change::VolumesSeen(seen) => self.seen_volumes(tenant, seen),
            // Each task has a container of its own, which nobody asks about.
            Change::Service => self.made_unseen(tenant, None, record, false),
            Change::Hidden => {
                let name = expected.and_then(|expected| expected.name);
                self.made_unseen(tenant, name, record, is_renamed)
            }
            // Volumes are made one by one, and stay when a later part of the create fails.
            Change::Nothing => {
                let volumes = record.volumes.into_iter().map(Defined::unsettled).collect();
                Some(Event::Volumes { tenant: tenant.clone(), volumes })
            }
        };
        let is_nothing = |event: &Event| matches!(event, Event::Volumes { volumes, .. } if volumes.is_empty());
        // Only what is kept need not be expected any more.
        let events = event.filter(|event| !is_nothing(event)).into_iter().chain(answered);
        events.collect::<Vec<_>>().into_iter().map(|event| self.take(event)).collect()
    }

    fn created(
        &self,
        tenant: &Owner,
        (id, name): (Arc<str>, Option<Arc<str>>),
        record: Record,
        is_renamed: bool,
    ) -> Event {
        let Record { held, volumes, is_fleeting, .. } = record;
        let (name, renamed_from) = if is_renamed { (None, name) } else { (name, None) };
        // Every volume that it mounts is there now. What one is that was forgotten is not known by that.
        let is_told = |mount: &&Arc<Mount>| mount.kind == MountKind::Volume && !self.has_lost_volumes(tenant);
        let mounted = held.others.iter().filter(is_told);
        let mounted: Vec<_> = mounted.map(|mount| (mount.source.clone(), Mounts::new())).collect();
        let volumes = volumes.into_iter().chain(mounted).map(Defined::settled).collect();
        let held = Arc::new(self.inherit(held, tenant));
        Event::Container { tenant: tenant.clone(), id, name, renamed_from, held, volumes, is_fleeting }
    }

    fn take(&mut self, event: Event) -> (u64, Event) {
        self.apply(&event);
        (self.changes, event)
    }

    /// The daemon copies what other containers mount when it creates one: what becomes of those later is no matter. So a record that is
    /// kept names no other containers.
    fn inherit(&self, held: Held, tenant: &Owner) -> Held {
        let Held { mut binds, others } = held;
        let (containers, mut others): (Mounts, Mounts) = others.into_iter().partition(gather::is_container);
        if !containers.is_empty() {
            let mut gathered = Gathered::new(self, tenant);
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
            let is_fleeting = self.containers.get(id).is_some_and(|container| container.is_fleeting);
            let is_id = is_fleeting && may_be_id(called) && self.prefixed(called).next().is_some();
            return if is_id { Meant::Unsure(Unsure::Any) } else { Meant::Known(Arc::clone(id)) };
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
            (None, None, _) if is_whole_id(called) && all.is_none() && !self.has_hidden() => Meant::Unknown,
            (None, None, _) => {
                let is_anyones = is_chosen_by_daemon(called) || self.has_hidden() && may_be_hidden(called);
                let unnamed = if is_anyones { Unsure::Unnamed } else { Unsure::Own };
                Meant::Unsure(all.map_or(unnamed, |all| all.max(unnamed)))
            }
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

    /// Whether there are containers whose IDs are not known.
    fn has_hidden(&self) -> bool {
        self.prefixed(HIDDEN).next().is_some()
    }

    fn has_lost_containers(&self, tenant: &Owner) -> bool {
        self.is_damaged || self.holders.get(tenant).is_some_and(|holder| holder.lost.containers)
    }

    fn has_lost_volumes(&self, tenant: &Owner) -> bool {
        self.is_damaged || self.holders.get(tenant).is_some_and(|holder| holder.lost.volumes)
    }
}

/// What a volume is that the daemon says is there; where it does not say that, what it was asked to be.
fn made_volume(tenant: &Owner, name: String, mounts: Option<Vec<Mount>>, record: Record) -> Event {
    let is_exact = mounts.is_some();
    let binds = match mounts {
        Some(mounts) => mounts.into_iter().map(Arc::new).collect(),
        None => record.volumes.into_iter().flat_map(|(_, binds)| binds).collect(),
    };
    let volume = Defined { is_exact, ..Defined::settled((name, binds)) };
    Event::Volumes { tenant: tenant.clone(), volumes: vec![volume] }
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

/// Whether it can be the beginning of an ID.
fn may_be_id(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Whether it can be the beginning of an ID, or the name of a task's container: `SERVICE.SLOT.TASK` (swarmkit's `api/naming`).
fn may_be_hidden(name: &str) -> bool {
    let is_task = |(service, task): (&str, &str)| service.contains('.') && task.len() == TASK_ID;
    may_be_id(name) || name.rsplit_once('.').is_some_and(is_task)
}

#[cfg(test)]
mod tests;
