//! The engine's configuration, in one place with the ticker that its deadlines need.

pub(crate) mod load;
pub(crate) mod registry;

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use portcullis_model::Limits;
use tokio::sync::Semaphore;
use wasmtime::{Config, Enabled, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::compiler::{CompileQueue, Compiler};
use crate::error::{LoadError, SandboxError};
use crate::instance::EngineInstance;
use crate::sandbox::registry::Registry;
use crate::scheduler::FairScheduler;
use crate::settings::{count_instructions, settings};
use crate::store::Store;
use crate::ticker::Ticker;

/// A component that `wit-component` makes of a core module has three core instances; hand-composed ones have more.
const CORE_INSTANCES: u32 = 16;
const MEMORIES: u32 = 2;
const TABLES: u32 = 8;
/// Wiped and kept from one instance to the next in the same slot, so that a decision faults no pages in: what a policy of the
/// SDK begins with. What lies behind it is given back to the kernel.
const KEEP_RESIDENT: usize = 256 << 10;
const TABLE_KEEP_RESIDENT: usize = 64 << 10;
/// Memories that are kept with the image of the policy that used them last, so that its next decision maps nothing. They
/// are far more than run at once: a host has thousands of policies, of as many tenants. Each takes 4 GiB of address
/// space, and of memory what its policy has touched.
const WARM: u32 = if cfg!(test) { TEST_WARM } else { 4096 };
/// Each memory reserves gigabytes of address space, of which tests need several times what a host has at once.
const TEST_WARM: u32 = 64;

/// How the sandbox is set up.
#[derive(Clone, Debug)]
pub struct SandboxConfig {
    /// Policies that can run at once; one more waits for a place.
    pub instances: u32,
    /// Where compiled code is kept. None, or a folder that cannot be written: in a private one, until the sandbox ends.
    pub cache: Option<PathBuf>,
    pub compiler: Compiler,
}

/// Compiles policies and runs them. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Sandbox(pub(crate) Arc<Inner>);

#[derive(Debug)]
pub(crate) struct Inner {
    config: Config,
    pub(crate) store: Store,
    pub(crate) compile_queue: CompileQueue,
    instances: usize,
    plain: EngineInstance,
    /// Counts instructions. Made when the first policy needs it, with a pool of its own: that is only addresses, for
    /// `places` bounds what runs in both.
    metered: OnceLock<Result<EngineInstance, String>>,
    pub(crate) ticker: Ticker,
    pub(crate) places: Semaphore,
    pub(crate) scheduler: Arc<FairScheduler>,
    pub(crate) registry: Registry,
    pub(crate) compilations: AtomicUsize,
    pub(crate) cached: AtomicUsize,
}

/// What the sandbox holds and has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stats {
    /// Instances that run now, and those of them that run long.
    pub instances: usize,
    pub long_runs: usize,
    /// Instances that can run at once.
    pub pool: usize,
    /// Files whose code is held now, and how many hold it: each owner once for each file.
    pub codes: usize,
    pub holders: usize,
    /// Compilations since the start, and those of them that were found in the cache on disk.
    pub compilations: usize,
    pub cached: usize,
}

impl Sandbox {
    pub fn new(config: &SandboxConfig) -> Result<Self, SandboxError> {
        let instances = config.instances as usize;
        let store = Store::open(config.cache.as_deref(), &config.compiler)?;
        let mut wasmtime = settings();
        wasmtime
            .enable_compiler(false)
            .cache(Some(store.cache.clone()))
            .allocation_strategy(InstanceAllocationStrategy::Pooling(pool(config.instances)));
        let plain = EngineInstance::new(&wasmtime).map_err(|error| SandboxError::Engine(format!("{error:#}")))?;
        let ticker = Ticker::start(&plain.engine).map_err(SandboxError::Ticker)?;
        Ok(Self(Arc::new(Inner {
            config: wasmtime,
            store,
            compile_queue: CompileQueue::new(config.compiler.clone()),
            instances,
            plain,
            metered: OnceLock::new(),
            ticker,
            places: Semaphore::new(instances),
            scheduler: FairScheduler::new(instances),
            registry: Registry::default(),
            compilations: AtomicUsize::new(0),
            cached: AtomicUsize::new(0),
        })))
    }

    pub fn stats(&self) -> Stats {
        let inner = &self.0;
        let (codes, holders) = inner.registry.count();
        Stats {
            instances: inner.instances.saturating_sub(inner.places.available_permits()),
            long_runs: inner.scheduler.long(),
            pool: inner.instances,
            codes,
            holders,
            compilations: inner.compilations.load(Ordering::Relaxed),
            cached: inner.cached.load(Ordering::Relaxed),
        }
    }

    /// The engine that counts instructions, or the one that does not.
    pub(crate) fn instance(&self, metered: bool) -> Result<&EngineInstance, LoadError> {
        if !metered {
            return Ok(&self.0.plain);
        }
        let made = self.0.metered.get_or_init(|| {
            let mut config = self.0.config.clone();
            let instance =
                EngineInstance::new(count_instructions(&mut config)).map_err(|error| format!("{error:#}"))?;
            self.0.ticker.add(&instance.engine);
            Ok(instance)
        });
        made.as_ref().map_err(|problem| LoadError::Engine(problem.clone()))
    }
}

fn pool(instances: u32) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_core_instances(instances.saturating_mul(CORE_INSTANCES))
        .max_core_instances_per_component(CORE_INSTANCES)
        .total_memories(instances.saturating_mul(MEMORIES).max(WARM))
        .max_memories_per_component(MEMORIES)
        .max_memory_size(Limits::MAX_MEMORY)
        .total_tables(instances.saturating_mul(TABLES))
        .max_tables_per_component(TABLES)
        .table_elements(Limits::MAX_TABLE_ELEMENTS)
        .total_stacks(instances)
        .max_unused_warm_slots(instances.max(WARM))
        .linear_memory_keep_resident(KEEP_RESIDENT)
        .table_keep_resident(TABLE_KEEP_RESIDENT)
        // Which pages an instance wrote must not be asked of the kernel: its answer lacks those that it is moving, or has
        // swapped out, at that moment, and the next instance would find them (ADR 21).
        .pagemap_scan(Enabled::No);
    pool
}
