//! Views that few policies ask for, in one place of their own: a call that nobody asks about them is no larger for them.

use std::sync::OnceLock;

use portcullis_model::view::{
    Build, Container, Entry, Image, Label, Network, NetworkAttachment, Plugin, Resources, SeccompProfile, Service,
    Swarm,
};

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
        let of = |items: usize, size: usize| items * size;
        let labels = self.labels.get().map_or(0, |labels| of(labels.len(), size_of::<Label>()));
        let environment = self.environment.get().map_or(0, |names| of(names.len(), size_of::<String>()));
        let networks = self.networks.get().map_or(0, |networks| of(networks.len(), size_of::<NetworkAttachment>()));
        let entries = self.container.get().and_then(Option::as_ref).map_or(0, |container| {
            let log = container.log.as_ref().map_or(0, |log| log.options.len());
            of(container.annotations.len() + log, size_of::<Entry>())
        });
        size_of::<Self>() + labels + environment + networks + entries
    }
}
