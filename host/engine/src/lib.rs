//! The sandbox: policies are Wasm components, asked one call at a time, each time in a fresh instance.
//!
//! ```text
//! Sandbox ── compile(order) ──> Compiled ── link(grants) ──> Policy ── decide(question) ──> Outcome
//! config, ticker  registry      load        contract, grants           host/*, fault
//! machine         compiler, bounds, component, code, store             share, turn
//! ```
//!
//! This is the only crate that knows wasmtime, and nothing of wasmtime is in its interface.

mod bounds;
mod code;
mod compiler;
mod component;
mod config;
mod contract;
mod decide;
mod fault;
mod grants;
mod heavy;
mod host;
mod load;
mod machine;
mod registry;
mod share;
mod store;
#[cfg(test)]
mod tests;
mod ticker;
mod turn;

pub use compiler::{Compiler, compile_if_asked};
pub use config::{Sandbox, SandboxConfig, SandboxError, Stats};
pub use decide::{Level, LogLine, Outcome, PolicyLog, Question};
pub use grants::{Grants, UnknownGrant};
pub use heavy::HeavyTurn;
pub use host::state::{State, StateFuture};
pub use load::{Compiled, Import, Inspection, LoadError, Order, Owner, Policy, When, digest};
pub use share::Share;

/// The contract that policies are built against: the package of `wit/policy.wit`.
pub const CONTRACT: &str = "portcullis:policy@0.2.0";
/// What runs them.
pub const RUNTIME: &str = "wasmtime 48 (LTS)";
