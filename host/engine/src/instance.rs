//! An engine of wasmtime with all that is the same for every policy that it runs.

use wasmtime::component::{HasSelf, Linker};
use wasmtime::{Config, Engine};

use crate::contract::portcullis::policy as interfaces;
use crate::grants::Grants;
use crate::host::Host;

/// An engine, and a linker for each choice of grants.
pub(crate) struct EngineInstance {
    pub(crate) engine: Engine,
    nothing: Linker<Host>,
    log: Linker<Host>,
    state: Linker<Host>,
    both: Linker<Host>,
}

// === impl EngineInstance ===

impl EngineInstance {
    pub(crate) fn new(config: &Config) -> wasmtime::Result<Self> {
        let engine = Engine::new(config)?;
        let linker = |log, state| linker(&engine, Grants { log, state });
        let (nothing, log, state, both) =
            (linker(false, false)?, linker(true, false)?, linker(false, true)?, linker(true, true)?);
        Ok(Self { engine, nothing, log, state, both })
    }

    pub(crate) fn linker(&self, grants: Grants) -> &Linker<Host> {
        match (grants.log, grants.state) {
            (false, false) => &self.nothing,
            (true, false) => &self.log,
            (false, true) => &self.state,
            (true, true) => &self.both,
        }
    }
}

impl std::fmt::Debug for EngineInstance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Machine").finish_non_exhaustive()
    }
}

fn linker(engine: &Engine, grants: Grants) -> wasmtime::Result<Linker<Host>> {
    let mut linker = Linker::new(engine);
    interfaces::types::add_to_linker::<_, HasSelf<_>>(&mut linker, |host| host)?;
    interfaces::settings::add_to_linker::<_, HasSelf<_>>(&mut linker, |host| host)?;
    interfaces::fault::add_to_linker::<_, HasSelf<_>>(&mut linker, |host| host)?;
    if grants.log {
        interfaces::log::add_to_linker::<_, HasSelf<_>>(&mut linker, |host| host)?;
    }
    if grants.state {
        interfaces::state::add_to_linker::<_, HasSelf<_>>(&mut linker, |host| host)?;
    }
    Ok(linker)
}
