//! Renames and removals that were allowed and are not answered.
//!
//! Answers do not come in the order in which the daemon did what they tell of. Of two renames that have a name in common, and were under
//! way at once, nobody can tell which was first; and a removal's answer tells nothing of what was created since it was decided.

use std::sync::Arc;
use std::time::Instant;

use portcullis_model::TenantName;

use super::super::event::Owner;
use super::expected::ANSWERED_WITHIN;
use super::holders::Place;
use super::{Registry, is_whole_id};

/// Of one tenant.
pub(super) const PENDING: usize = 256;
/// Bytes of one.
const LONGEST: usize = 2048;

/// A rename or a removal that is not answered.
#[derive(Debug)]
pub(super) struct Pending {
    uri: String,
    /// The names that it takes away or gives.
    names: Vec<Arc<str>>,
    /// By [`Registry::last`].
    at: u64,
    since: Instant,
    /// Whether another one was under way that is about the same name.
    is_doubtful: bool,
}

// === impl Registry ===

impl Registry {
    /// A tenant's rename or removal was allowed. What no room is left for is taken for doubtful.
    pub(in super::super) fn pend(&mut self, uri: &str, names: &[&str], tenant: &TenantName, now: Instant) {
        if uri.len() + names.iter().map(|name| name.len()).sum::<usize>() > LONGEST {
            return;
        }
        let mut is_doubtful = false;
        for name in names {
            let mut expected = self.holders.values().flat_map(|holder| &holder.expected);
            is_doubtful |= expected.any(|expected| expected.name.as_deref() == Some(*name));
            is_doubtful |= self.doubt_pending(name);
        }
        let names = names.iter().map(|name| (*name).into()).collect();
        let pending = Pending { uri: uri.to_owned(), names, at: self.last, since: now, is_doubtful };
        let holder = self.holders.entry(Some(tenant.clone())).or_default();
        while let Some(first) = holder.pending.front()
            && (holder.pending.len() >= PENDING || now.saturating_duration_since(first.since) > ANSWERED_WITHIN)
        {
            holder.pending.pop_front();
        }
        holder.pending.push_back(pending);
    }

    /// Something that is under way is about this name, too. Says whether there was another one.
    pub(super) fn doubt_pending(&mut self, name: &str) -> bool {
        let pending = self.holders.values_mut().flat_map(|holder| &mut holder.pending);
        let mut same = pending.filter(|pending| pending.names.iter().any(|other| **other == *name)).peekable();
        let is_there = same.peek().is_some();
        same.for_each(|pending| pending.is_doubtful = true);
        is_there
    }

    /// Takes out the one whose answer has come.
    pub(super) fn no_longer_pending(&mut self, tenant: &Owner, uri: &str) -> Option<Pending> {
        let holder = self.holders.get_mut(tenant)?;
        let at = holder.pending.iter().position(|pending| pending.uri == uri)?;
        let pending = holder.pending.remove(at);
        self.forget_blank(tenant);
        pending
    }

    /// Whether volumes that were removed are those of which the host knows.
    pub(super) fn were_there(&self, names: &[String], pending: Option<&Pending>) -> bool {
        let is_later = |place| pending.is_none_or(|pending| !pending.is_after(place));
        let mut known = names.iter().filter_map(|name| self.volumes.get(&**name));
        !known.any(|volume| is_later(volume.place))
    }

    /// Whether what is called like this was there when its removal was decided, and so is what was removed.
    pub(super) fn was_there(&self, called: &str, pending: Option<&Pending>) -> bool {
        let called = called.trim_start_matches('/');
        let is_clear = |pending: &Pending| {
            pending.is_clear() && self.exact(called).is_none_or(|container| pending.is_after(container.place))
        };
        // No two have the same ID.
        is_whole_id(called) && !self.names.contains_key(called) || pending.is_some_and(is_clear)
    }
}

// === impl Pending ===

impl Pending {
    pub(super) fn is_clear(&self) -> bool {
        !self.is_doubtful
    }

    /// Whether it was decided when that was there.
    pub(super) fn is_after(&self, place: Place) -> bool {
        place.at() <= self.at
    }
}
