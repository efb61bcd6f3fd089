//! What the daemon tells of names that it chose: in the answers to those who list containers and volumes, or inspect one.
//!
//! A container can be gone without a call, and its name be chosen again. So what was seen counts until one is created without a name.
//! None of it is kept: whoever uses such a name after a restart has looked it up.

use std::sync::Arc;

use portcullis_model::view::Mount;

use super::super::event::{Defined, Event, Owner};
use super::{Registry, is_chosen_by_daemon, is_whole_id};

/// Characters of a name that is remembered; the daemon chooses none that is longer.
const LONGEST: usize = 64;

/// A container that was seen by a name.
#[derive(Debug)]
pub(super) struct Sight {
    id: Arc<str>,
    /// By [`Registry::last`].
    at: u64,
}

// === impl Registry ===

impl Registry {
    /// A container of this ID has this name, if the daemon chose it.
    pub(super) fn see(&mut self, id: &str, name: &str) {
        if name.len() > LONGEST || !is_chosen_by_daemon(name) || self.is_given(name) {
            return;
        }
        let Some((id, container)) =
            self.containers.get_key_value(id).map(|(id, container)| (Arc::clone(id), container))
        else {
            return;
        };
        if container.name.is_some() {
            return;
        }
        let before = container.seen.clone();
        self.forget_sight(before.as_deref());
        self.forget_sight(Some(name));
        let name: Arc<str> = name.into();
        if let Some(container) = self.containers.get_mut(&id) {
            container.seen = Some(Arc::clone(&name));
        }
        self.sights.insert(name, Sight { id, at: self.last });
    }

    pub(super) fn forget_sight(&mut self, name: Option<&str>) {
        let sight = name.and_then(|name| self.sights.remove(name));
        if let Some(container) = sight.and_then(|sight| self.containers.get_mut(&sight.id)) {
            container.seen = None;
        }
    }

    /// The container that has this name, by the daemon's own word.
    pub(super) fn sighted(&self, called: &str) -> Option<&Arc<str>> {
        let Sight { id, at } = self.sights.get(called).filter(|_| !self.is_given(called))?;
        let is_last = self.holders.values().all(|holder| holder.loosened <= *at);
        is_last.then_some(id)
    }

    /// By its ID, where that is known of a name that the daemon chose.
    pub(super) fn plainly(&self, called: String) -> String {
        self.sighted(called.trim_start_matches('/')).map_or(called, |id| id.to_string())
    }

    /// What anonymous volumes are of which nobody knew. Nothing is changed by that which is known.
    pub(super) fn seen_volumes(&self, tenant: &Owner, seen: Vec<(String, Vec<Mount>)>) -> Option<Event> {
        if self.holders.values().all(|holder| holder.anonymous.is_none()) {
            return None;
        }
        let is_news = |(name, _): &(String, _)| is_whole_id(name) && !self.volumes.contains_key(&**name);
        let defined = |(name, mounts): (String, Vec<Mount>)| Defined {
            is_exact: true,
            ..Defined::unsettled((name, mounts.into_iter().map(Arc::new).collect()))
        };
        let volumes = seen.into_iter().filter(is_news).map(defined).collect();
        Some(Event::Volumes { tenant: tenant.clone(), volumes })
    }

    /// Whether a caller gave this name, to whichever container.
    fn is_given(&self, name: &str) -> bool {
        self.names.contains_key(name) || self.unsure.contains_key(name)
    }
}
