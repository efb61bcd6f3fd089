//! What is active, layer by layer, and the snapshots that are made of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use portcullis_config::{Config, TenantFile};
use portcullis_model::decision::DefaultVerdict;
use portcullis_model::tenant::Placement;
use portcullis_model::{Generation, TenantName};
use portcullis_state::Spaces;

use crate::layer::Layer;
use crate::set::PolicySet;
use crate::snapshot::{Snapshot, Tenant};
use crate::tenant::Resources;
use crate::tenant_registry::TenantRegistry;

/// The host's own layer, and each tenant's.
#[derive(Debug)]
pub(crate) struct Registry {
    generation: Generation,
    host: Layer,
    tenants: BTreeMap<TenantName, Arc<Tenant>>,
    /// The files by which callers are placed.
    placed: BTreeMap<TenantName, Arc<TenantFile>>,
    /// Of `placed` and `tenants` as they were when it was made; none where they have changed since.
    placement: Option<Arc<Placement>>,
    default: DefaultVerdict,
    /// Listener, and the tenant that it is bound to.
    bound: Vec<(String, TenantName)>,
    spaces: Spaces,
    /// Whether something is to be published.
    changed: bool,
}

// === impl Registry ===

impl Registry {
    pub(crate) fn new(config: &Config, spaces: Spaces, host: Layer) -> Self {
        let bound = |listener: &portcullis_config::Listener| Some((listener.name.clone(), listener.tenant.clone()?));
        Self {
            generation: Generation::default(),
            host,
            tenants: BTreeMap::new(),
            placed: BTreeMap::new(),
            placement: None,
            default: config.default,
            bound: config.listeners.iter().filter_map(bound).collect(),
            spaces,
            changed: true,
        }
    }

    /// Every tenant's set is another one with it.
    pub(crate) fn set_host(&mut self, layer: Layer) {
        self.host = layer;
        self.rebuild();
    }

    /// Of the tenant `default`, where its own file says nothing.
    pub(crate) fn set_default(&mut self, default: DefaultVerdict) {
        if self.default != default {
            self.default = default;
            self.rebuild();
        }
    }

    fn rebuild(&mut self) {
        for tenant in self.tenants.values().cloned().collect::<Vec<_>>() {
            self.set_layer(&tenant.name, &tenant.file, tenant.layer.clone());
        }
        self.changed = true;
    }

    /// A tenant is active from its first layer on.
    pub(crate) fn set_layer(&mut self, name: &TenantName, file: &Arc<TenantFile>, layer: Layer) {
        let resources = match self.tenants.get(name) {
            Some(tenant) => tenant.resources.with_limits(&file.limits),
            None => Resources::new(&file.limits),
        };
        let tenant = self.build(name, file, layer, resources);
        if self.tenants.insert(name.clone(), tenant).is_none() {
            self.placement = None;
        }
        self.changed = true;
    }

    /// What a tenant may use from now on; one that has no layer yet is not active.
    pub(crate) fn set_file(&mut self, name: &TenantName, file: &Arc<TenantFile>) {
        if let Some(layer) = self.tenants.get(name).map(|tenant| tenant.layer.clone()) {
            self.set_layer(name, file, layer);
        }
    }

    pub(crate) fn remove(&mut self, name: &TenantName) {
        if self.tenants.remove(name).is_some() {
            (self.placement, self.changed) = (None, true);
        }
    }

    /// Who belongs where from now on. Of tenants that are not there, or are not named, nobody belongs to.
    pub(crate) fn place(&mut self, files: BTreeMap<TenantName, Arc<TenantFile>>) {
        let is_same = |(name, file): (&TenantName, &Arc<TenantFile>)| {
            self.placed.get(name).is_some_and(|placed| Arc::ptr_eq(placed, file))
        };
        if files.len() != self.placed.len() || !files.iter().all(is_same) {
            (self.placed, self.placement, self.changed) = (files, None, true);
        }
    }

    pub(crate) fn has(&self, name: &TenantName) -> bool {
        self.tenants.contains_key(name)
    }

    /// The next generation, if anything changed.
    pub(crate) fn snapshot(&mut self, tenant_registry: &TenantRegistry) -> Option<Snapshot> {
        std::mem::take(&mut self.changed).then(|| self.next(tenant_registry))
    }

    pub(crate) fn first_snapshot(&mut self, tenant_registry: &TenantRegistry) -> Snapshot {
        self.next(tenant_registry)
    }

    fn next(&mut self, tenant_registry: &TenantRegistry) -> Snapshot {
        self.generation = self.generation.next();
        let (placement, clash) = self.placement();
        let place = |name: &TenantName| self.tenants.keys().position(|tenant| tenant == name);
        let bound = self.bound.iter().map(|(listener, name)| (listener.clone(), place(name)));
        let rest = match (clash.or_else(|| tenant_registry.closed()), place(&TenantName::default())) {
            (Some(problem), _) => Err(problem),
            (None, Some(default)) => Ok(default),
            (None, None) => Err("the tenant `default` is not loaded".into()),
        };
        Snapshot {
            generation: self.generation,
            host: self.host.clone(),
            tenants: self.tenants.values().cloned().collect(),
            placement,
            bound: bound.collect(),
            rest,
        }
    }

    /// Who belongs where. The tenant registry lets no two files overlap that are active; if they did, nobody could be placed.
    fn placement(&mut self) -> (Arc<Placement>, Option<Arc<str>>) {
        if let Some(placement) = &self.placement {
            return (Arc::clone(placement), None);
        }
        let matches = |name: &TenantName| self.placed.get(name).map(|file| file.matches.clone()).unwrap_or_default();
        match Placement::new(self.tenants.keys().map(|name| (name.clone(), matches(name)))) {
            Ok(placement) => (Arc::clone(self.placement.insert(Arc::new(placement))), None),
            Err(_) => (Arc::default(), Some("two tenants claim the same callers".into())),
        }
    }

    /// The tenant that a listener is bound to, where there is none such.
    pub(crate) fn unbound(&self) -> impl Iterator<Item = &(String, TenantName)> {
        self.bound.iter().filter(|(_, tenant)| !self.tenants.contains_key(tenant))
    }

    /// Host-wide policies, how many of them are broken, and host-wide documents.
    pub(crate) fn host_counts(&self) -> (usize, usize, usize) {
        let Layer { members, data, .. } = &self.host;
        let broken = members.iter().filter(|member| member.policy.is_err()).count();
        (members.len(), broken, data.as_ref().map_or(0, |data| data.names().len()))
    }

    /// Something is to be published though no layer changed.
    pub(crate) fn touch(&mut self) {
        self.changed = true;
    }

    fn build(&self, name: &TenantName, file: &Arc<TenantFile>, layer: Layer, resources: Resources) -> Arc<Tenant> {
        let inherited = if name.is_default() { self.default } else { DefaultVerdict::Deny };
        let default = file.default.unwrap_or(inherited);
        let set = PolicySet::new(name, file, &self.host, &layer, default, &self.spaces);
        let generation = self.generation.next();
        Arc::new(Tenant { name: name.clone(), generation, file: Arc::clone(file), layer, set, resources })
    }
}
