//! Creates that were allowed and are not answered: what they make may be there before the host hears of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use portcullis_model::TenantName;

use super::super::event::{Defined, Event, Owner};
use super::super::record::Record;
use super::Registry;

/// Of one tenant.
pub(super) const EXPECTED: usize = 256;
/// Bytes that those of one tenant may hold.
pub(super) const EXPECTED_BYTES: usize = 1 << 20;
/// Of a create that another plugin denied, no answer comes.
pub(super) const ANSWERED_WITHIN: Duration = Duration::from_secs(300);

/// A create that was allowed and is not answered.
#[derive(Debug)]
pub(super) struct Expected {
    uri: String,
    /// As the caller gave it.
    name: Option<Arc<str>>,
    pub(super) record: Record,
    since: Instant,
    /// Whether one of this name was renamed in the meantime.
    pub(super) is_renamed: bool,
    bytes: usize,
}

// === impl Registry ===

impl Registry {
    /// A tenant's create was allowed.
    pub(in super::super) fn expect(
        &mut self,
        uri: &str,
        name: Option<Arc<str>>,
        tenant: &TenantName,
        record: Record,
        now: Instant,
    ) {
        let holder = self.holders.entry(Some(tenant.clone())).or_default();
        while let Some(first) = holder.expected.pop_front_if(|first| !first.is_fresh(now)) {
            holder.expected_bytes = holder.expected_bytes.saturating_sub(first.bytes);
        }
        let mut expected = Expected { uri: uri.to_owned(), name, record, since: now, is_renamed: false, bytes: 0 };
        expected.bytes = expected.size();
        if holder.expected.len() >= EXPECTED || holder.expected_bytes + expected.bytes > EXPECTED_BYTES {
            // Which these are is not known until they would be answered.
            holder.unexpected = Some(now);
            return;
        }
        holder.expected_bytes += expected.bytes;
        holder.expected.push_back(expected);
    }

    /// Takes out the one whose answer has come.
    pub(super) fn answered(&mut self, tenant: &Owner, uri: &str, record: &Record) -> Option<Expected> {
        let holder = self.holders.get_mut(tenant)?;
        let is_it = |expected: &Expected| expected.uri == uri && expected.record.held == record.held;
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

    /// All that are still to be answered, to be kept.
    pub(in super::super) fn unanswered(&self, now: Instant) -> Vec<Event> {
        let of_holder = |(tenant, holder): (&Owner, &super::Holder)| {
            let fresh = holder.expected.iter().filter(|expected| expected.is_fresh(now));
            fresh.map(|expected| expected.event(tenant)).collect::<Vec<_>>()
        };
        self.holders.iter().flat_map(of_holder).collect()
    }
}

// === impl Expected ===

impl Expected {
    pub(super) fn is_fresh(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) < ANSWERED_WITHIN
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.uri.len() + self.name.as_ref().map_or(0, |name| name.len()) + self.record.size()
    }

    fn event(&self, tenant: &Owner) -> Event {
        let volumes = self.record.volumes.iter();
        let defined = |(name, binds): &(String, _)| Defined {
            name: name.as_str().into(),
            binds: Arc::new(Vec::clone(binds)),
            is_settled: false,
            is_exact: false,
        };
        Event::Expected {
            tenant: tenant.clone(),
            uri: self.uri.clone(),
            name: self.name.clone(),
            held: Arc::new(self.record.held.clone()),
            volumes: volumes.map(defined).collect(),
            is_renamed: self.is_renamed,
        }
    }
}
