//! A file that is to be compiled.

use portcullis_model::TenantName;

/// A file that is to be compiled, for whom, and when.
#[derive(Clone, Debug)]
pub struct CompileRequest<'a> {
    pub bytes: &'a [u8],
    pub owner: Owner,
    pub when: When,
    /// Whether instructions are counted: only then a decision can have a limit of them.
    pub metered: bool,
}

/// Whose policy it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Owner {
    /// The operator's, asked for every tenant.
    Host,
    Tenant(TenantName),
}

/// Whether somebody could learn from how long it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Before the first call is answered: nobody watches, so the work for one digest is done once.
    Start,
    /// While the host runs: takes as long as if the owner were alone.
    Swap,
}

// === impl CompileRequest ===

impl CompileRequest<'_> {
    /// Whose entry of the cache on disk it is; empty for what no tenant can time.
    pub(crate) fn payer(&self) -> &str {
        match (self.when, &self.owner) {
            (When::Swap, Owner::Tenant(name)) => name.as_str(),
            (When::Swap, Owner::Host) | (When::Start, Owner::Host | Owner::Tenant(_)) => "",
        }
    }
}
