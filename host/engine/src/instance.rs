//! An engine of wasmtime with all that is the same for every policy that it runs.

use wasmtime::component::Linker;
use wasmtime::{Config, Engine};

use crate::grants::Grants;
use crate::host::Host;

/// An engine, and a linker for each set of grants.
pub(crate) struct EngineInstance {
    pub(crate) engine: Engine,
    linkers: Vec<Linker<Host>>,
}

// === impl EngineInstance ===

impl EngineInstance {
    pub(crate) fn new(config: &Config) -> wasmtime::Result<Self> {
        let engine = Engine::new(config)?;
        let linkers = Grants::linkers(&engine)?;
        Ok(Self { engine, linkers })
    }

    pub(crate) fn linker(&self, grants: Grants) -> Option<&Linker<Host>> {
        self.linkers.get(grants.index())
    }
}

impl std::fmt::Debug for EngineInstance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EngineInstance").finish_non_exhaustive()
    }
}
