//! Views that few policies ask for, in one place of their own: a call that nobody asks about them is no larger for them.

use std::sync::OnceLock;

use portcullis_model::view::{
    Build, Container, Image, Items, Label, Network, NetworkAttachment, Plugin, Reference, Resources, SeccompProfile,
    Service, Swarm,
};

/// No entry of a list within a view is larger.
const LARGEST_ITEM: usize = size_of::<Reference>();

#[derive(Debug, Default)]
pub(super) struct RareViews {
    pub(super) container: OnceLock<Option<Container>>,
    pub(super) environment: OnceLock<Vec<String>>,
    pub(super) labels: OnceLock<Vec<Label>>,
    pub(super) resources: OnceLock<Resources>,
    pub(super) seccomp: OnceLock<Option<SeccompProfile>>,
    pub(super) networks: OnceLock<Vec<NetworkAttachment>>,
    pub(super) created_network: OnceLock<Option<Network>>,
    pub(super) service: OnceLock<Option<Service>>,
    pub(super) build: OnceLock<Option<Build>>,
    pub(super) plugin: OnceLock<Option<Plugin>>,
    pub(super) swarm: OnceLock<Option<Swarm>>,
    pub(super) tags: OnceLock<Vec<Image>>,
}

// === impl RareViews ===

impl RareViews {
    /// About how many bytes they are, beside their texts, which are those of the body and the query.
    pub(super) fn memory(&self) -> usize {
        fn listed<T>(view: &OnceLock<Vec<T>>) -> usize {
            view.get().map_or(0, |items| items.len() * size_of::<T>())
        }
        fn one<T: Items>(view: &OnceLock<Option<T>>) -> usize {
            view.get().and_then(Option::as_ref).map_or(0, Items::items)
        }
        let lists = listed(&self.labels) + listed(&self.environment) + listed(&self.networks) + listed(&self.tags);
        let items = one(&self.container)
            + self.resources.get().map_or(0, Items::items)
            + one(&self.seccomp)
            + self.networks.get().map_or(0, |networks| networks.iter().map(Items::items).sum())
            + one(&self.created_network)
            + one(&self.service)
            + one(&self.build)
            + one(&self.plugin)
            + one(&self.swarm);
        size_of::<Self>() + lists + items * LARGEST_ITEM
    }
}
