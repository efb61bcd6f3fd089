//! From a policy's file to a policy that can be asked: checked, compiled and linked once.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};

use portcullis_document::Document;
use portcullis_model::{Digest, Limits};
use sha2::{Digest as _, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::compile_request::CompileRequest;
use crate::component::{Ticket, is_core_module, ticket};
use crate::contract::PolicyPre;
use crate::error::LoadError;
use crate::grants::Grants;
use crate::host::Host;
use crate::import::{Import, gives};
use crate::sandbox::registry::Key;
use crate::sandbox::{Inner, Sandbox};

/// The interface that every policy exports, and the one that it may; the contract's version follows.
const AUTHORIZER: &str = "portcullis:policy/authorizer@";
const PREPARATION: &str = "portcullis:policy/preparation@";

/// A policy, compiled and linked. Cheap to clone.
#[derive(Clone)]
pub struct Policy {
    pub(crate) compiled: Arc<Compiled>,
    pub(crate) pre: Arc<PolicyPre<Host>>,
}

/// A file that is valid WebAssembly, before it is known whether it is a policy.
pub struct Compiled {
    pub(crate) sandbox: Sandbox,
    pub(crate) code: Arc<Code>,
}

/// What is the same for all who have the same file.
pub(crate) struct Code {
    component: Component,
    /// Linked, for each set of grants.
    linked: [OnceLock<Arc<PolicyPre<Host>>>; Grants::SETS],
    inspection: Inspection,
    metered: bool,
}

/// What a file holds, told without running it.
#[derive(Clone, Debug)]
pub struct Inspection {
    pub digest: Digest,
    /// Of the file, in bytes.
    pub size: usize,
    /// Whether it was a core module that the host made a component.
    pub core_module: bool,
    pub imports: Vec<Import>,
    pub exports: Vec<String>,
}

// === impl Sandbox ===

impl Sandbox {
    /// Compiles a file, or finds it where that tells the owner nothing about others (see `registry.rs`). Takes its
    /// time: not for a thread that answers calls. Runs nothing.
    pub fn compile(&self, order: &CompileRequest<'_>) -> Result<Arc<Compiled>, LoadError> {
        let key = Key { digest: digest(order.bytes), metered: order.metered };
        self.0.registry.get(self, key, order, || {
            // Who loads policies is to go on, whatever a file does to those who read it.
            let code = std::panic::catch_unwind(AssertUnwindSafe(|| self.compile_code(key, order)));
            code.unwrap_or_else(|_| Err(LoadError::Invalid("reading it made the host panic".into())))
        })
    }

    pub(crate) fn compile_code(&self, key: Key, order: &CompileRequest<'_>) -> Result<Code, LoadError> {
        let core_module = is_core_module(order.bytes)?;
        let engine = &self.instance(order.metered)?.engine;
        self.0.compilations.fetch_add(1, Ordering::Relaxed);
        let component = self.component(engine, &ticket(&key.digest, order.payer())?, order)?;
        // Made here, for all to pay: else the first instance would make it, and who shares it would be quicker.
        let image = component.initialize_copy_on_write_image();
        image.map_err(|error| LoadError::Invalid(format!("{error:#}")))?;
        let ty = component.component_type();
        let inspection = Inspection {
            digest: key.digest,
            size: order.bytes.len(),
            core_module,
            imports: ty
                .imports(engine)
                .filter(|(_, item)| gives(&item.ty))
                .map(|(name, _)| Import::new(name))
                .collect(),
            exports: ty.exports(engine).map(|(name, _)| name.to_owned()).collect(),
        };
        Ok(Code { component, linked: Default::default(), inspection, metered: order.metered })
    }

    /// From the cache on disk; what is not there is compiled into it first.
    fn component(&self, engine: &Engine, ticket: &Ticket, order: &CompileRequest<'_>) -> Result<Component, LoadError> {
        let Inner { store, compile_queue, cached, .. } = &*self.0;
        if let Some(component) = store.load(engine, ticket) {
            cached.fetch_add(1, Ordering::Relaxed);
            return Ok(component);
        }
        let mut file = store.begin()?;
        compile_queue.compile(order, file.as_file_mut())?;
        store.store(engine, ticket, file)?;
        store.load_stored(engine, ticket)
    }
}

// === impl Compiled ===

impl Compiled {
    pub fn inspection(&self) -> &Inspection {
        &self.code.inspection
    }

    /// Whether its instructions are counted.
    pub fn is_metered(&self) -> bool {
        self.code.metered
    }

    /// Links it with what it is granted. What linking would only stumble over, an import that is not granted or a
    /// missing `authorizer`, is named.
    pub fn link(self: &Arc<Self>, grants: Grants) -> Result<Policy, LoadError> {
        let inspection = self.inspection();
        let refused = inspection.imports.iter().filter(|import| !import.is_granted(grants));
        let refused: Vec<_> = refused.cloned().collect();
        if !refused.is_empty() {
            return Err(LoadError::Imports(refused));
        }
        if !inspection.exports(AUTHORIZER) {
            return Err(LoadError::NoAuthorizer(inspection.exports.clone()));
        }
        let linker = self.sandbox.instance(self.is_metered())?.linker(grants);
        let (Some(linker), Some(linked)) = (linker, self.code.linked.get(grants.index())) else {
            return Err(LoadError::Contract("no such grants".into()));
        };
        let pre = linker
            .instantiate_pre(&self.code.component)
            .and_then(PolicyPre::new)
            .map_err(|error| LoadError::Contract(format!("{error:#}")))?;
        // One for all who share the code: what is asked often is then warm, whoever asks it. Made by each all the same, as
        // in `registry.rs`.
        let pre = Arc::clone(linked.get_or_init(|| Arc::new(pre)));
        Ok(Policy { compiled: Arc::clone(self), pre })
    }
}

impl Inspection {
    /// Whether it exports the interface, of whatever version.
    fn exports(&self, interface: &str) -> bool {
        self.exports.iter().any(|name| name.starts_with(interface))
    }

    /// The name by which it exports the check of its settings, where it does.
    pub(crate) fn preparation(&self) -> Option<&str> {
        self.exports.iter().map(String::as_str).find(|name| name.starts_with(PREPARATION))
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Code").field("inspection", &self.inspection).finish_non_exhaustive()
    }
}

impl fmt::Debug for Compiled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compiled").field("inspection", self.inspection()).finish_non_exhaustive()
    }
}

// === impl Policy ===

impl Policy {
    pub fn digest(&self) -> Digest {
        self.compiled.inspection().digest
    }

    /// What it was linked of: with other grants, it can be linked again at once.
    pub fn compiled(&self) -> &Arc<Compiled> {
        &self.compiled
    }

    /// Starts one instance, has it check the settings if it does that, and drops it: what would trap or want too much at once,
    /// and what cannot do with its settings, is not to be swapped in.
    pub async fn probe(&self, settings: &Arc<Document>, limits: &Limits) -> Result<(), LoadError> {
        self.start(Arc::clone(settings), limits).await
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy").field("digest", &self.digest()).finish_non_exhaustive()
    }
}

/// The digest by which a policy's file is known.
pub fn digest(bytes: &[u8]) -> Digest {
    Digest(Sha256::digest(bytes).into())
}
