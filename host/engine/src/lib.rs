//! The sandbox: policies are Wasm components, asked one call at a time, each time in a fresh instance.
//!
//! ```text
//! Sandbox ── compile(order) ──> Compiled ── link(grants) ──> Policy ── decide(question) ──> Outcome
//! sandbox, ticker  registry     load        contract, grants           host/*, fault
//! machine          compiler, bounds, component, code, store            share, turn
//! ```
//!
//! This is the only crate that knows wasmtime, and nothing of wasmtime is in its interface.

mod bounds;
mod budget;
mod code;
mod compile_request;
mod compiler;
mod component;
mod contract;
mod decide;
mod error;
mod fault;
mod grants;
mod heavy;
mod host;
mod import;
mod instance;
mod layout;
mod log;
mod sandbox;
mod scheduler;
mod settings;
mod store;
#[cfg(test)]
mod tests;
mod threads;
mod ticker;

pub use budget::{Charge, TenantBudget};
pub use compile_request::{CompileRequest, Owner, When};
pub use compiler::{Compiler, compile_if_asked};
pub use decide::{Outcome, Question};
pub use error::{LoadError, SandboxError};
pub use grants::{Grant, Grants, UnknownGrant};
pub use host::state::{State, StateFuture};
pub use import::Import;
pub use log::{Level, LogLine, PolicyLog};
pub use sandbox::load::{Compiled, Inspection, Policy, digest};
pub use sandbox::{Sandbox, SandboxConfig, Stats};
pub use threads::{LARGE_ANSWERS, LARGE_CALLS, Threads, Undone};

/// The contract that policies are built against: the package of `wit/policy.wit`.
pub const CONTRACT: &str = "portcullis:policy@0.2.0";
/// What runs them.
pub const RUNTIME: &str = "wasmtime 48 (LTS)";
