//! How wasmtime's cache lays out its files.

use std::borrow::Cow;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use wasmtime::component::Component;
use wasmtime::{Cache, CacheConfig, Engine};

use crate::component::EMPTY;
use crate::settings::settings;

/// Below the cache's folder, wasmtime's own.
pub(crate) const MODULES: &str = "modules";

/// Hashes as wasmtime's cache does.
struct Name(Sha256);

pub(crate) fn open_cache(folder: &Path) -> wasmtime::Result<Cache> {
    let mut config = CacheConfig::new();
    config.with_directory(folder);
    Cache::new(config)
}

/// What wasmtime calls the folder, in an empty cache, in which it keeps what this version of it compiles.
pub(crate) fn find_version(scratch: &Path) -> Result<String, String> {
    let of_wasmtime = |error: wasmtime::Error| format!("{error:#}");
    let mut config = settings();
    config.cache(Some(open_cache(scratch).map_err(of_wasmtime)?));
    let engine = Engine::new(&config).map_err(of_wasmtime)?;
    Component::from_binary(&engine, EMPTY).map_err(of_wasmtime)?;
    let modules = scratch.join(MODULES);
    let versions = fs::read_dir(&modules).map_err(|error| error.to_string())?;
    let names = versions.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let found = names.into_iter().find(|version| modules.join(version).join(name(&engine, EMPTY)).exists());
    found.ok_or_else(|| "this version of wasmtime keeps its cache in another way".to_owned())
}

/// The name of a file of wasmtime's cache.
pub(crate) fn name(engine: &Engine, bytes: &[u8]) -> String {
    let mut hasher = Name(Sha256::new());
    // As wasmtime's `CodeBuilder::compile_cached` has it: nothing is said of debug information or intrinsics.
    let (bytes, nothing, unsaid) = (Cow::Borrowed(bytes), None::<&[u8]>, None::<&str>);
    (engine.precompile_compatibility_hash(), bytes, nothing, unsaid).hash(&mut hasher);
    URL_SAFE_NO_PAD.encode(hasher.0.finalize())
}

// === impl Name ===

impl Hasher for Name {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Never asked for: the whole hash is the name.
    fn finish(&self) -> u64 {
        0
    }
}
