//! Compiled code, one copy for all who have the same file.
//!
//! Code and the image of its memory are shared by all tenants. That must not tell a tenant which policies another has: so
//! nothing that a tenant can time may be faster because of somebody else.
//!
//! | | the owner has it already | nobody has it | somebody else has it | somebody else is compiling it |
//! |---|---|---|---|---|
//! | at the start | shared | compiled | shared | waited for, and shared |
//! | at a swap | shared | compiled | compiled, dropped, and the other's copy is used | compiled; whoever is done first is used |
//!
//! "Has" means that something of the owner's holds it now: who gives a policy up and takes it up again pays again,
//! whether or not it lived on for others. At the start nobody can look on, for no call is answered yet.
//!
//! wasmtime's cache on disk knows only bytes, and would tell the same. So what is compiled carries, in a custom section, the
//! name of the owner who pays for it, and nobody finds another's entry ([`CompileRequest::payer`]). At the start, when one
//! compiles for all, and for the operator's own policies, that name is empty: the entry is found at each start,
//! whichever tenant comes first this time. The price: what a tenant swapped in is compiled once more at the first start
//! after that.
//!
//! What is left to be timed is the processor's and the pool's: an image that lies warm in an instance's memory saves a
//! decision some microseconds, and how busy the machine is can always be felt.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use portcullis_model::Digest;

use crate::compile_request::{CompileRequest, Owner, When};
use crate::error::LoadError;
use crate::sandbox::Sandbox;
use crate::sandbox::load::{Code, Compiled};

/// What is compiled now, and who has it.
#[derive(Debug, Default)]
pub(crate) struct Registry(Mutex<HashMap<Key, Entry>>);

/// A file, by its bytes, and whether its instructions are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) digest: Digest,
    pub(crate) metered: bool,
}

#[derive(Debug, Default)]
struct Entry {
    code: Weak<Code>,
    owners: HashMap<Owner, Weak<Compiled>>,
    /// Where those who start wait for the first of them.
    starting: Weak<Starting>,
}

type Starting = OnceLock<Result<Arc<Code>, LoadError>>;

// === impl Registry ===

impl Registry {
    /// Gives an owner what `compile` would give, by the rules above.
    pub(crate) fn get(
        &self,
        sandbox: &Sandbox,
        key: Key,
        order: &CompileRequest<'_>,
        compile: impl FnOnce() -> Result<Code, LoadError>,
    ) -> Result<Arc<Compiled>, LoadError> {
        if let Some(owned) = self.owned(key, &order.owner) {
            return Ok(owned);
        }
        let code = match order.when {
            When::Start => self.start(key, compile)?,
            When::Swap => self.put(key, compile()?),
        };
        Ok(self.give(sandbox, key, &order.owner, code))
    }

    /// Distinct files, and how many have them.
    pub(crate) fn count(&self) -> (usize, usize) {
        let entries = self.lock();
        let owners = entries.values().flat_map(|entry| entry.owners.values());
        let codes = entries.values().filter(|entry| entry.code.strong_count() > 0);
        (codes.count(), owners.filter(|compiled| compiled.strong_count() > 0).count())
    }

    fn owned(&self, key: Key, owner: &Owner) -> Option<Arc<Compiled>> {
        self.lock().get(&key)?.owners.get(owner)?.upgrade()
    }

    /// One compiles, and all others wait for it.
    fn start(&self, key: Key, compile: impl FnOnce() -> Result<Code, LoadError>) -> Result<Arc<Code>, LoadError> {
        let starting = match self.code_or_start(key) {
            Ok(code) => return Ok(code),
            Err(starting) => starting,
        };
        starting.get_or_init(|| compile().map(|code| self.put(key, code))).clone()
    }

    fn code_or_start(&self, key: Key) -> Result<Arc<Code>, Arc<Starting>> {
        let mut entries = self.lock();
        let entry = entries.entry(key).or_default();
        if let Some(code) = entry.code.upgrade() {
            return Ok(code);
        }
        let starting = entry.starting.upgrade().unwrap_or_default();
        entry.starting = Arc::downgrade(&starting);
        Err(starting)
    }

    /// Puts in what was compiled, unless there is a copy: then that one is used. What is dead goes.
    fn put(&self, key: Key, code: Code) -> Arc<Code> {
        let code = Arc::new(code);
        let mut entries = self.lock();
        entries.retain(|_, entry| entry.is_alive());
        let entry = entries.entry(key).or_default();
        if let Some(there) = entry.code.upgrade() {
            return there;
        }
        entry.code = Arc::downgrade(&code);
        code
    }

    fn give(&self, sandbox: &Sandbox, key: Key, owner: &Owner, code: Arc<Code>) -> Arc<Compiled> {
        let compiled = Arc::new(Compiled { sandbox: sandbox.clone(), code });
        let mut entries = self.lock();
        let place = entries.entry(key).or_default().owners.entry(owner.clone()).or_default();
        // Loaded twice by the same owner at the same time.
        if let Some(there) = place.upgrade() {
            return there;
        }
        *place = Arc::downgrade(&compiled);
        compiled
    }

    /// Nothing panics while it is held; and if it did, what is there would still be right.
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Entry ===

impl Entry {
    /// Forgets the owners who no longer have it.
    fn is_alive(&mut self) -> bool {
        self.owners.retain(|_, compiled| compiled.strong_count() > 0);
        self.code.strong_count() > 0 || self.starting.strong_count() > 0
    }
}

#[cfg(test)]
mod tests;
