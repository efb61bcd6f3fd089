//! Creates that were allowed and are not answered: what they make may be there before the host hears of it.
//!
//! Of one that another plugin denied, no answer comes. Of one that was carried out while no host was there to be told, neither: so what
//! is not answered in time is taken for carried out.

use std::sync::Arc;
use std::time::{Duration, Instant};

use portcullis_model::TenantName;

use super::super::event::{Defined, Event, Owner};
use super::super::record::{Held, Record};
use super::{HIDDEN, Registry};

/// Of one tenant.
pub(super) const EXPECTED: usize = 256;
/// Bytes that those of one tenant may hold.
pub(super) const EXPECTED_BYTES: usize = 1 << 20;
pub(super) const ANSWERED_WITHIN: Duration = Duration::from_secs(300);

/// A create that was allowed and is not answered.
#[derive(Debug)]
pub(super) struct Expected {
    number: u64,
    uri: String,
    /// As the caller gave it.
    pub(super) name: Option<Arc<str>>,
    pub(super) record: Record,
    since: Instant,
    /// Whether one of this name was renamed in the meantime.
    pub(super) is_renamed: bool,
    bytes: usize,
}

// === impl Registry ===

impl Registry {
    /// A tenant's create was allowed. What is to be kept of that is the answer, with its numbers.
    pub(in super::super) fn expect(
        &mut self,
        uri: &str,
        name: Option<Arc<str>>,
        tenant: &TenantName,
        record: Record,
        now: Instant,
    ) -> Vec<(u64, Event)> {
        let tenant = Some(tenant.clone());
        let number = self.holders.get(&tenant).and_then(|holder| holder.expected.back()).map_or(0, |last| last.number);
        let expected = Expected::new(number + 1, uri.to_owned(), name, record, now);
        if let Some(name) = &expected.name {
            self.doubt_pending(name);
        }
        let mut events = self.presume(&tenant, &expected, now);
        if !expected.record.is_empty() {
            self.changes += 1;
            events.push((self.changes, expected.event(&tenant)));
        }
        self.push_expected(tenant, expected);
        events
    }

    pub(super) fn push_expected(&mut self, tenant: Owner, expected: Expected) {
        let holder = self.holders.entry(tenant).or_default();
        holder.expected_bytes += expected.bytes;
        holder.expected.push_back(expected);
    }

    /// Takes those for carried out that were not answered in time, or for which there is no room beside another one.
    fn presume(&mut self, tenant: &Owner, next: &Expected, now: Instant) -> Vec<(u64, Event)> {
        let mut events = Vec::new();
        loop {
            let Some(holder) = self.holders.get_mut(tenant) else { return events };
            let has_room = holder.expected.len() < EXPECTED && holder.expected_bytes + next.bytes <= EXPECTED_BYTES;
            let Some(first) = holder.expected.pop_front_if(|first| !has_room || !first.is_fresh(now)) else {
                return events;
            };
            holder.expected_bytes = holder.expected_bytes.saturating_sub(first.bytes);
            let (answered, name) = (first.answered(tenant), first.name.filter(|name| !self.names.contains_key(name)));
            let made = self.made_unseen(tenant, name, first.record, first.is_renamed);
            events.extend(made.map(|event| self.take(event)));
            events.extend(answered.map(|event| self.take(event)));
        }
    }

    /// What a create came to of which the ID is not known.
    pub(super) fn made_unseen(
        &self,
        tenant: &Owner,
        name: Option<Arc<str>>,
        record: Record,
        is_renamed: bool,
    ) -> Option<Event> {
        let Record { held, volumes, is_volume, is_fleeting } = record;
        let volumes: Vec<_> = volumes.into_iter().map(Defined::unsettled).collect();
        let held = if is_volume { Held::default() } else { self.inherit(held, tenant) };
        let (name, renamed_from) = if is_renamed { (None, name) } else { (name, None) };
        let is_same = |container: &super::Container| {
            container.tenant == *tenant && container.name.is_none() && *container.held == held
        };
        let is_told = name.is_none() && self.prefixed(HIDDEN).any(|(_, container)| is_same(container));
        if held.is_empty() || is_told {
            return (!volumes.is_empty()).then(|| Event::Volumes { tenant: tenant.clone(), volumes });
        }
        // No ID of the daemon's begins like this.
        let mut number = self.changes;
        while self.containers.contains_key(&*format!("{HIDDEN}{number}")) {
            number += 1;
        }
        let (tenant, id, held) = (tenant.clone(), format!("{HIDDEN}{number}").into(), Arc::new(held));
        Some(Event::Container { tenant, id, name, renamed_from, held, volumes, is_fleeting })
    }

    /// Takes out the one whose answer has come.
    pub(super) fn answered(&mut self, tenant: &Owner, uri: &str, record: &Record) -> Option<Expected> {
        let is_it = |expected: &Expected| expected.uri == uri && expected.record.held == record.held;
        self.take_expected(tenant, is_it)
    }

    pub(super) fn forget_expected(&mut self, tenant: &Owner, number: u64) {
        drop(self.take_expected(tenant, |expected| expected.number == number));
    }

    fn take_expected(&mut self, tenant: &Owner, is_it: impl Fn(&Expected) -> bool) -> Option<Expected> {
        let holder = self.holders.get_mut(tenant)?;
        let found = holder.expected.iter().position(is_it).and_then(|at| holder.expected.remove(at));
        if let Some(found) = &found {
            holder.expected_bytes = holder.expected_bytes.saturating_sub(found.bytes);
        }
        self.forget_blank(tenant);
        found
    }

    /// One was renamed that is not known. It may be one of those that are just being created, whoever creates it.
    pub(super) fn rename_expected(&mut self, called: &str) {
        let called = called.trim_start_matches('/');
        if self.exact(called).is_some() {
            return;
        }
        for expected in self.holders.values_mut().flat_map(|holder| &mut holder.expected) {
            expected.is_renamed |= expected.name.as_deref() == Some(called);
        }
    }

    /// All that are still to be answered.
    pub(super) fn unanswered(&self) -> impl Iterator<Item = Event> {
        let of_holder = |(tenant, holder): (&Owner, &super::Holder)| {
            let telling = holder.expected.iter().filter(|expected| !expected.record.is_empty());
            telling.map(|expected| expected.event(tenant)).collect::<Vec<_>>()
        };
        self.holders.iter().flat_map(of_holder)
    }
}

// === impl Expected ===

impl Expected {
    pub(super) fn new(number: u64, uri: String, name: Option<Arc<str>>, record: Record, since: Instant) -> Self {
        let mut expected = Self { number, uri, name, record, since, is_renamed: false, bytes: 0 };
        expected.bytes = expected.size();
        expected
    }

    fn is_fresh(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) < ANSWERED_WITHIN
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.uri.len() + self.name.as_ref().map_or(0, |name| name.len()) + self.record.size()
    }

    /// None where it was not kept.
    pub(super) fn answered(&self, tenant: &Owner) -> Option<Event> {
        (!self.record.is_empty()).then(|| Event::Answered { tenant: tenant.clone(), number: self.number })
    }

    fn event(&self, tenant: &Owner) -> Event {
        Event::Expected {
            tenant: tenant.clone(),
            number: self.number,
            is_volume: self.record.is_volume,
            is_fleeting: self.record.is_fleeting,
            uri: self.uri.clone(),
            name: self.name.clone(),
            held: Arc::new(self.record.held.clone()),
            volumes: self.record.volumes.iter().cloned().map(Defined::unsettled).collect(),
            is_renamed: self.is_renamed,
        }
    }
}
