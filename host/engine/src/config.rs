//! The engine's configuration, in one place with the ticker that its deadlines need.

use std::path::PathBuf;
use std::sync::Arc;

use portcullis_model::Limits;
use thiserror::Error;
use tokio::sync::Semaphore;
use wasmtime::{
    Cache, CacheConfig, Config, Enabled, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig,
};

use crate::ticker::Ticker;

/// A component that `wit-component` makes of a core module has three core instances; hand-composed ones have more.
const CORE_INSTANCES: u32 = 16;
const MEMORIES: u32 = 2;
const TABLES: u32 = 8;
/// Kept from one instance to the next in the same slot, so that a decision faults no pages in.
const KEEP_RESIDENT: usize = 2 << 20;
const TABLE_KEEP_RESIDENT: usize = 64 << 10;
const WASM_STACK: usize = 512 << 10;
const ASYNC_STACK: usize = 1 << 20;

/// How the sandbox is set up.
#[derive(Clone, Debug)]
pub struct SandboxConfig {
    /// Policies that can run at once; one more waits for a place.
    pub instances: u32,
    /// Where compiled code is kept; none compiles at each start.
    pub cache: Option<PathBuf>,
}

#[derive(Debug, Error)]
pub enum SandboxError {
    #[error("the cache of compiled policies in `{path}` cannot be used: {problem}")]
    Cache { path: PathBuf, problem: String },
    #[error("the sandbox cannot be set up: {0}")]
    Engine(String),
    #[error("the sandbox's clock cannot be started: {0}")]
    Ticker(#[source] std::io::Error),
}

/// Compiles policies and runs them. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Sandbox(pub(crate) Arc<Inner>);

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) engine: Engine,
    pub(crate) ticker: Ticker,
    pub(crate) places: Semaphore,
}

impl Default for SandboxConfig {
    fn default() -> Self {
        Self { instances: 128, cache: None }
    }
}

impl Sandbox {
    pub fn new(config: &SandboxConfig) -> Result<Self, SandboxError> {
        let mut wasmtime = engine_config(config.instances);
        if let Some(path) = &config.cache {
            wasmtime.cache(Some(open_cache(path)?));
        }
        let engine = Engine::new(&wasmtime).map_err(|error| SandboxError::Engine(format!("{error:#}")))?;
        let ticker = Ticker::start(&engine).map_err(SandboxError::Ticker)?;
        let places = Semaphore::new(config.instances as usize);
        Ok(Self(Arc::new(Inner { engine, ticker, places })))
    }
}

fn open_cache(path: &PathBuf) -> Result<Cache, SandboxError> {
    let mut config = CacheConfig::new();
    config.with_directory(path);
    Cache::new(config).map_err(|error| SandboxError::Cache { path: path.clone(), problem: format!("{error:#}") })
}

fn engine_config(instances: u32) -> Config {
    let mut config = Config::new();
    config
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool(instances)))
        .cranelift_opt_level(OptLevel::Speed)
        .epoch_interruption(true)
        .max_wasm_stack(WASM_STACK)
        .async_stack_size(ASYNC_STACK)
        // A policy decides one call and is gone: nothing in it runs beside anything else.
        .concurrency_support(false)
        .wasm_relaxed_simd(false)
        // The same question gets the same answer, on every machine.
        .cranelift_nan_canonicalization(true)
        // A decision is one short run: one core compiles, the others go on deciding.
        .parallel_compilation(false);
    config
}

fn pool(instances: u32) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_core_instances(instances.saturating_mul(CORE_INSTANCES))
        .max_core_instances_per_component(CORE_INSTANCES)
        .total_memories(instances.saturating_mul(MEMORIES))
        .max_memories_per_component(MEMORIES)
        .max_memory_size(Limits::MAX_MEMORY)
        .total_tables(instances.saturating_mul(TABLES))
        .max_tables_per_component(TABLES)
        .table_elements(Limits::MAX_TABLE_ELEMENTS)
        .total_stacks(instances)
        .max_unused_warm_slots(instances)
        .linear_memory_keep_resident(KEEP_RESIDENT)
        .table_keep_resident(TABLE_KEEP_RESIDENT)
        .pagemap_scan(Enabled::Auto);
    pool
}
