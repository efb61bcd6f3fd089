//! Reads everything once, for questions that are asked without a host that serves.

use std::sync::{Mutex, PoisonError};

use portcullis_config::{Config, Quota, TENANTS, Vocabulary};
use portcullis_engine::When;
use portcullis_model::TenantName;
use portcullis_state::Spaces;

use crate::issue::LoadIssues;
use crate::layer::{Layer, LayerLoader, LoadContext};
use crate::registry::Registry;
use crate::snapshot::Live;
use crate::tenant_registry::{TenantRegistry, Waiting};

/// Reads the host's own folder, and then all tenants' that are active.
pub fn load_once(config: &Config, spaces: Spaces, context: &LoadContext) -> Live {
    load(config, spaces, context, false)
}

/// The same, to find what is wrong: tenants that are not active are read, too, as if they might have everything.
pub fn load_all(config: &Config, context: &LoadContext) -> Live {
    load(config, Spaces::empty(), context, true)
}

fn load(config: &Config, spaces: Spaces, context: &LoadContext, is_all: bool) -> Live {
    let mut host = LayerLoader::new(config.dir.clone(), None, Quota::of_host(), context.clone(), When::Start);
    let mut registry = Registry::new(config, spaces, host.first_layer());
    let mut issues = LoadIssues::from([(None, host.issues().collect())]);
    let mut tenant_registry = TenantRegistry::new(config.dir.join(TENANTS), Vocabulary::of(config));
    let names = tenant_registry.first_look(&mut Waiting);
    let loaders = names.iter().filter_map(|name| {
        let quota = tenant_registry.active(name).map(|file| file.quota()).or_else(|| is_all.then(Quota::of_host))?;
        Some((
            name,
            LayerLoader::new(tenant_registry.path(name), Some(name.clone()), quota, context.clone(), When::Start),
        ))
    });
    for (name, loader, layer) in read_all(loaders.collect()) {
        if let Some(file) = tenant_registry.active(name) {
            registry.set_layer(name, file, layer);
        }
        issues.insert(Some(name.clone()), loader.issues().collect());
    }
    registry.place(tenant_registry.files());
    let live = Live::new(registry.first_snapshot(&tenant_registry));
    live.tell(tenant_registry.issues_over(issues));
    live
}

type Unread<'a> = (&'a TenantName, LayerLoader);
type Read<'a> = (&'a TenantName, LayerLoader, Layer);

/// Reads as many folders at once as there are processors.
fn read_all(folders: Vec<Unread<'_>>) -> Vec<Read<'_>> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(folders.len());
    let read = Mutex::new(Vec::with_capacity(folders.len()));
    let queue = Mutex::new(folders.into_iter());
    let work = || {
        loop {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((name, mut loader)) = next else { return };
            let layer = loader.first_layer();
            read.lock().unwrap_or_else(PoisonError::into_inner).push((name, loader, layer));
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    read.into_inner().unwrap_or_else(PoisonError::into_inner)
}
