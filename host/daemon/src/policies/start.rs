//! Reads everything for the first time: many folders at once, with word of how far it is.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use portcullis_engine::When;
use portcullis_model::TenantName;
use tracing::info;

use crate::config::{Config, TENANTS, Terms, Vocabulary};
use crate::policies::estate::Estate;
use crate::policies::layer::{Layer, LayerLoader, Workshop};
use crate::policies::roster::Roster;
use crate::policies::snapshot::{Live, Snapshot, Troubles};
use crate::state::Spaces;

/// How often it is said how far loading is.
const PROGRESS: Duration = Duration::from_secs(1);
/// Whoever reads folders leaves the processor to those who answer calls.
const NICE: i32 = 10;

/// Everything, read for the first time.
pub(crate) struct Loaded {
    pub(crate) estate: Estate,
    pub(crate) loaders: BTreeMap<Option<TenantName>, LayerLoader>,
    pub(crate) troubles: Troubles,
}

/// Reads the host's own folder, and then all tenants' that are in force.
pub(crate) fn load(config: &Config, roster: &mut Roster, spaces: Spaces, workshop: &Workshop) -> Loaded {
    let names: Vec<_> = roster.names().cloned().collect();
    for name in &names {
        roster.look(name);
    }
    roster.settle();
    roster.started();
    let new = |tenant: Option<&TenantName>, terms| {
        let path = tenant.map_or_else(|| config.dir.clone(), |name| roster.path(name));
        LayerLoader::new(path, tenant.cloned(), terms, workshop.clone(), When::Start)
    };
    let mut host = new(None, Terms::of_host());
    let layer = host.first_layer();
    let mut estate = Estate::new(config, spaces, layer);
    let loaders = names.iter().map(|name| {
        let file = roster.in_force(name);
        (name, new(Some(name), file.map_or_else(Terms::of_nobody, |file| file.terms())), file.is_some())
    });
    let mut troubles = Troubles::from([(None, host.troubles().collect())]);
    let mut all = BTreeMap::from([(None, host)]);
    for (name, loader, layer) in read_all(loaders.collect()) {
        if let (Some(layer), Some(file)) = (layer, roster.in_force(name)) {
            estate.set_layer(name, file, layer);
        }
        troubles.insert(Some(name.clone()), loader.troubles().collect());
        all.insert(Some(name.clone()), loader);
    }
    all.values_mut().for_each(LayerLoader::started);
    estate.replace();
    Loaded { estate, loaders: all, troubles }
}

/// Reads everything once, for questions that are asked without a host that serves.
pub fn load_once(config: &Config, spaces: Spaces, workshop: &Workshop) -> Live {
    let mut roster = Roster::new(config.dir.join(TENANTS), Vocabulary::of(config));
    roster.list();
    let Loaded { mut estate, troubles, .. } = load(config, &mut roster, spaces, workshop);
    let live = Live::new(first_snapshot(&mut estate, &roster));
    live.tell(roster.troubles_over(troubles));
    live
}

pub(crate) fn first_snapshot(estate: &mut Estate, roster: &Roster) -> Snapshot {
    estate.touch();
    loop {
        // What was touched gives one.
        if let Some(snapshot) = estate.snapshot(roster) {
            return snapshot;
        }
    }
}

/// Makes this thread one that others go before.
pub(crate) fn give_way() {
    // It works all the same.
    let _ = rustix::process::nice(NICE);
}

type Unread<'a> = (&'a TenantName, LayerLoader, bool);
type Read<'a> = (&'a TenantName, LayerLoader, Option<Layer>);

/// Reads as many folders at once as there are processors.
fn read_all(folders: Vec<Unread<'_>>) -> Vec<Read<'_>> {
    let (total, start) = (folders.len(), Instant::now());
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(total);
    let queue = Mutex::new((folders.into_iter(), Instant::now()));
    let read = Mutex::new(Vec::with_capacity(total));
    let work = || {
        loop {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).0.next();
            let Some((name, mut loader, is_in_force)) = next else { return };
            let layer = is_in_force.then(|| loader.first_layer());
            let mut read = read.lock().unwrap_or_else(PoisonError::into_inner);
            read.push((name, loader, layer));
            let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
            if queue.1.elapsed() > PROGRESS {
                queue.1 = Instant::now();
                info!(loaded = read.len(), tenants = total, "loading tenants");
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    let read = read.into_inner().unwrap_or_else(PoisonError::into_inner);
    if total > 1 {
        info!(tenants = total, took_ms = start.elapsed().as_millis() as u64, "tenants loaded");
    }
    read
}
