//! Takes in what became of calls, and tells all of it again.

use std::sync::Arc;
use std::time::Instant;

use portcullis_model::view::Mount;

use super::super::event::{Defined, Event, Owner};
use super::super::record::{Held, MOST, Mounts, Record, lost, size_of_all};
use super::expected::Expected;
use super::holders::Key;
use super::{Container, Meant, Registry, SHORT_ID, Unsure, UnsureName, Volume, is_whole_id, may_be_id};

/// Names of one tenant's of which it is not known whose they are.
pub(super) const UNSURE: usize = 1024;

// === impl Registry ===

impl Registry {
    /// The same state as before, wherever the same is applied in the same order.
    pub(in super::super) fn apply(&mut self, event: &Event) {
        self.changes += 1;
        match event {
            Event::Container { tenant, id, name, renamed_from, held, volumes, is_fleeting } => {
                self.add_volumes(volumes, tenant);
                self.add_container((id, name.clone()), tenant, held, *is_fleeting);
                if let Some(name) = renamed_from.as_ref().filter(|name| !self.names.contains_key(*name)) {
                    self.add_unsure(name, Unsure::Own, tenant);
                }
            }
            Event::Volumes { tenant, volumes } => self.add_volumes(volumes, tenant),
            Event::Renamed { tenant, container, name } => {
                self.rename_expected(container);
                self.rename(container, name, tenant);
            }
            Event::ContainersRemoved(containers) => containers.iter().for_each(|called| self.remove_container(called)),
            Event::VolumesRemoved(names) => {
                names.iter().for_each(|name| self.remove(&Key::Volume(name.as_str().into())));
            }
            Event::Unsure { tenant, name, is_any, is_own } => {
                let unsure = match (is_any, is_own) {
                    (true, _) => Unsure::Any,
                    (false, true) => Unsure::Own,
                    (false, false) => Unsure::Unnamed,
                };
                match name {
                    Some(name) => self.add_unsure(name, unsure, tenant),
                    None => self.every_unsure(unsure, tenant),
                }
            }
            Event::Doubtful { tenant, names } => {
                for name in names {
                    self.rename_expected(name);
                    self.forget_sight(Some(name));
                    if let Some(before) = self.names.remove(&**name) {
                        self.set_name(&before, None);
                    }
                    self.add_unsure(&name.as_str().into(), Unsure::Any, tenant);
                }
            }
            Event::Lost { tenant, containers, volumes } => self.lose(tenant, *containers, *volumes),
            Event::SomeContainersRemoved { .. } => {
                self.containers.values_mut().for_each(|container| container.is_fleeting = true);
            }
            Event::SomeVolumesRemoved { .. } => {
                self.volumes.values_mut().for_each(|volume| volume.is_settled = false);
            }
            Event::Expected { tenant, number, is_volume, is_fleeting, uri, name, held, volumes, is_renamed } => {
                let defined = |volume: &Defined| (volume.name.to_string(), Mounts::clone(&volume.binds));
                let volumes = volumes.iter().map(defined).collect();
                let (is_volume, is_fleeting) = (*is_volume, *is_fleeting);
                let record = Record { held: Held::clone(held), volumes, is_volume, is_fleeting };
                let mut expected = Expected::new(*number, uri.clone(), name.clone(), record, Instant::now());
                expected.is_renamed = *is_renamed;
                self.push_expected(tenant.clone(), expected);
            }
            Event::Answered { tenant, number } => self.forget_expected(tenant, *number),
        }
        self.make_room();
    }

    /// All that it takes to have the same state again, and how much was taken in until then.
    pub(in super::super) fn snapshot(&self) -> (u64, Vec<Event>) {
        let mut events = Vec::with_capacity(self.containers.len() + self.volumes.len() + self.unsure.len());
        for (tenant, holder) in &self.holders {
            for key in holder.keys() {
                events.extend(self.event_of(key, tenant));
            }
        }
        for (tenant, holder) in &self.holders {
            let tenant = tenant.clone();
            if holder.lost.containers || holder.lost.volumes {
                let (containers, volumes) = (holder.lost.containers, holder.lost.volumes);
                events.push(Event::Lost { tenant: tenant.clone(), containers, volumes });
            }
            events.extend(holder.every_unsure.map(|unsure| unsure.event(tenant, None)));
        }
        let named = |(name, unsure): (&Arc<str>, &UnsureName)| {
            unsure.unsure.event(unsure.tenant.clone(), Some(Arc::clone(name)))
        };
        events.extend(self.unsure.iter().map(named));
        events.extend(self.unanswered());
        (self.changes, events)
    }

    fn event_of(&self, key: &Key, tenant: &Owner) -> Option<Event> {
        let defined = |name: Arc<str>, volume: &Volume| Event::Volumes {
            tenant: tenant.clone(),
            volumes: vec![Defined {
                name,
                binds: Arc::clone(&volume.binds),
                is_settled: volume.is_settled,
                is_exact: true,
            }],
        };
        Some(match key {
            Key::Container(id) => {
                let Container { name, held, is_fleeting, .. } = self.containers.get(id)?;
                let (id, name, held) = (Arc::clone(id), name.clone(), Arc::clone(held));
                let (tenant, volumes, is_fleeting) = (tenant.clone(), Vec::new(), *is_fleeting);
                Event::Container { tenant, id, name, renamed_from: None, held, volumes, is_fleeting }
            }
            Key::Volume(name) => defined(Arc::clone(name), self.volumes.get(name)?),
            Key::Anonymous => defined("".into(), self.holders.get(tenant)?.anonymous.as_ref()?),
        })
    }

    fn add_container(
        &mut self,
        (id, name): (&Arc<str>, Option<Arc<str>>),
        tenant: &Owner,
        held: &Arc<Held>,
        is_fleeting: bool,
    ) {
        self.remove(&Key::Container(Arc::clone(id)));
        let key = Key::Container(Arc::clone(id));
        let (tenant, held, place) = (tenant.clone(), Arc::clone(held), self.next_place());
        let mut container = Container { tenant, name: None, seen: None, held, is_fleeting, place };
        container.place.of_container(id, None, &container.held);
        self.enlist(&container.tenant, &key, container.place);
        self.add_loose(&container.tenant, &container.held);
        self.containers.insert(Arc::clone(id), container);
        if let Some(name) = name {
            self.give_name(id, name);
        }
    }

    fn add_volumes(&mut self, volumes: &[Defined], tenant: &Owner) {
        for defined in volumes {
            let key = if defined.name.is_empty() { Key::Anonymous } else { Key::Volume(Arc::clone(&defined.name)) };
            self.add_volume(&key, tenant, defined);
        }
    }

    /// One that is there stays as it is, whatever it is asked to be. As long as that is not known, all is shown that it was asked to be.
    fn add_volume(&mut self, key: &Key, tenant: &Owner, defined: &Defined) {
        let there = match key {
            Key::Volume(name) => self.volumes.get_mut(name),
            Key::Anonymous => self.holders.get_mut(tenant).and_then(|holder| holder.anonymous.as_mut()),
            Key::Container(_) => None,
        };
        // Anonymous ones go with their containers, and nobody hears of it.
        let mut is_settled = defined.is_settled && *key != Key::Anonymous && !is_whole_id(&defined.name);
        let mut binds = Arc::clone(&defined.binds);
        if let Some(there) = there {
            // What is only asked of one that is there does not change it; what the daemon says that it is, it is, too.
            let is_asked = there.is_settled && !defined.is_exact;
            if is_asked && !defined.is_settled {
                return;
            }
            if there.is_settled || !defined.is_exact {
                is_settled |= there.is_settled;
                let is_new = |bind: &&Arc<Mount>| !is_asked && !there.binds.contains(bind);
                binds = Arc::new(there.binds.iter().chain(binds.iter().filter(is_new)).cloned().collect());
            }
            // Even where nothing is new: it is known to be there now.
            let owner = there.tenant.clone();
            self.remove_of(key, &owner);
        } else if binds.is_empty() && !is_settled && !defined.is_exact {
            return;
        }
        if size_of_all(&binds) > MOST {
            binds = Arc::new(vec![lost()]);
        }
        let mut volume = Volume { tenant: tenant.clone(), binds, is_settled, place: self.next_place() };
        volume.place.of_volume(key, &volume.binds);
        self.enlist(tenant, key, volume.place);
        match key {
            Key::Volume(name) => drop(self.volumes.insert(Arc::clone(name), volume)),
            Key::Anonymous => self.holders.entry(tenant.clone()).or_default().anonymous = Some(volume),
            Key::Container(_) => {}
        }
    }

    /// A name is one container's alone.
    fn give_name(&mut self, id: &Arc<str>, name: Arc<str>) {
        self.remove_unsure(&name);
        if let Some(before) = self.names.insert(Arc::clone(&name), Arc::clone(id)).filter(|before| before != id) {
            self.set_name(&before, None);
        }
        let old = self.set_name(id, Some(Arc::clone(&name))).filter(|old| *old != name);
        if let Some(old) = old {
            self.names.remove(&old);
        }
    }

    /// Gives the name that it had.
    fn set_name(&mut self, id: &Arc<str>, name: Option<Arc<str>>) -> Option<Arc<str>> {
        let container = self.containers.get_mut(id)?;
        let (tenant, held, before) = (container.tenant.clone(), Arc::clone(&container.held), container.place);
        let old = std::mem::replace(&mut container.name, name);
        let seen = container.seen.take();
        let is_named = container.name.is_some();
        container.place.of_container(id, container.name.as_ref(), &held);
        let after = container.place;
        match (old.is_some(), is_named) {
            (true, false) => self.add_loose(&tenant, &held),
            (false, true) => self.remove_loose(&tenant, &held),
            (true, true) | (false, false) => {}
        }
        self.forget_sight(seen.as_deref());
        let key = Key::Container(Arc::clone(id));
        self.delist(&tenant, before);
        self.enlist(&tenant, &key, after);
        old
    }

    fn rename(&mut self, called: &str, name: &Arc<str>, tenant: &Owner) {
        let unsure = match self.meant(called, tenant) {
            Meant::Known(id) => return self.give_name(&id, Arc::clone(name)),
            Meant::Unknown => None,
            Meant::Unsure(unsure) => Some(unsure),
        };
        for name in [called.trim_start_matches('/'), &**name] {
            self.remove_unsure(name);
            self.forget_sight(Some(name));
        }
        // Whose it was is gone, or is called otherwise by now.
        if let Some(before) = self.names.remove(name) {
            self.set_name(&before, None);
        }
        if let Some(unsure) = unsure {
            self.add_unsure(name, unsure, tenant);
        }
    }

    fn add_unsure(&mut self, name: &Arc<str>, unsure: Unsure, tenant: &Owner) {
        self.remove_unsure(name);
        let holder = self.holders.entry(tenant.clone()).or_default();
        if holder.unsure >= UNSURE {
            return self.every_unsure(unsure, tenant);
        }
        holder.unsure += 1;
        self.unsure.insert(Arc::clone(name), UnsureName { tenant: tenant.clone(), unsure });
    }

    fn remove_unsure(&mut self, name: &str) {
        if let Some(UnsureName { tenant, .. }) = self.unsure.remove(name) {
            if let Some(holder) = self.holders.get_mut(&tenant) {
                holder.unsure = holder.unsure.saturating_sub(1);
            }
            self.forget_blank(&tenant);
        }
    }

    fn every_unsure(&mut self, unsure: Unsure, tenant: &Owner) {
        let holder = self.holders.entry(tenant.clone()).or_default();
        holder.every_unsure = holder.every_unsure.max(Some(unsure));
    }

    fn remove_container(&mut self, called: &str) {
        let called = called.trim_start_matches('/');
        let by_id = self.containers.get_key_value(called).map(|(id, _)| Arc::clone(id));
        // Of two that it can mean, neither is forgotten.
        let named = self.names.get(called);
        let is_fleeting = named.and_then(|id| self.containers.get(id)).is_some_and(|container| container.is_fleeting);
        let is_name = !is_fleeting || !may_be_id(called) || self.prefixed(called).next().is_none();
        if by_id.is_none() && named.is_some() && !is_name {
            return;
        }
        let exact = by_id.or_else(|| named.cloned());
        // What short beginning is one's alone, another's may have been that was forgotten.
        let id = exact.or_else(|| {
            let mut prefixed = self.prefixed(called);
            let first = prefixed.next().filter(|_| called.len() >= SHORT_ID)?;
            prefixed.next().is_none().then(|| Arc::clone(first.0))
        });
        if let Some(id) = id {
            self.remove(&Key::Container(id));
        }
        self.remove_unsure(called);
    }
}

// === impl Unsure ===

impl Unsure {
    fn event(self, tenant: Owner, name: Option<Arc<str>>) -> Event {
        Event::Unsure { tenant, name, is_any: self == Self::Any, is_own: self == Self::Own }
    }
}
