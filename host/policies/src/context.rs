//! What loading policies needs, made of the configuration.

use std::path::PathBuf;
use std::sync::Arc;

use portcullis_config::Config;
use portcullis_engine::{Compiler, Sandbox, SandboxConfig, SandboxError};
use thiserror::Error;
use tokio::runtime::Handle;

use crate::layer::LoadContext;
use crate::write_back::WriteBackCache;

/// Why policies cannot be loaded at all.
#[derive(Debug, Error)]
pub enum WorkshopError {
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    #[error("the folder `{}` for compiled policies cannot be made: {source}", path.display())]
    Cache { path: PathBuf, source: std::io::Error },
}

/// What loading policies needs. Must be called on a runtime's thread.
pub fn load_context(config: &Config) -> Result<LoadContext, WorkshopError> {
    let cache = config.cache_dir.clone();
    std::fs::create_dir_all(&cache).map_err(|source| WorkshopError::Cache { path: cache.clone(), source })?;
    let sandbox = Sandbox::new(&SandboxConfig {
        instances: config.limits.instances,
        cache: Some(cache),
        compiler: Compiler::this_program(),
    })?;
    Ok(LoadContext {
        sandbox,
        runtime: Handle::current(),
        write_back: WriteBackCache::default(),
        swaps: Arc::default(),
    })
}
