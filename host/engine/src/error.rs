//! What goes wrong while the sandbox is set up, and while a policy is loaded.

use std::fmt;
use std::path::PathBuf;

use portcullis_model::{Fault, Reason};
use thiserror::Error;

use crate::import::Import;

/// Why there is no sandbox.
#[derive(Debug, Error)]
pub enum SandboxError {
    #[error("the cache of compiled policies in `{path}` cannot be used: {problem}")]
    Cache { path: PathBuf, problem: String },
    #[error("the sandbox cannot be set up: {0}")]
    Engine(String),
    #[error("the sandbox's clock cannot be started: {0}")]
    Ticker(#[source] std::io::Error),
}

/// Why a file is not a policy.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LoadError {
    #[error("not WebAssembly ({size} bytes); expected the `.wasm` file that the build left")]
    NotWasm { size: usize },
    #[error("not valid WebAssembly: {0}")]
    Invalid(String),
    #[error(
        "a core module that does not carry the contract; build it with the crate `portcullis-policy`, which puts it in"
    )]
    NoContract,
    #[error("a core module that cannot be made a component: {0}")]
    Module(String),
    #[error("imports {}", Ungranted(.0))]
    Imports(Vec<Import>),
    #[error("does not export `portcullis:policy/authorizer`, which a policy must; it exports {}", Listed(.0))]
    NoAuthorizer(Vec<String>),
    #[error("is not a policy of this contract: {0}")]
    Contract(String),
    #[error("has {found} {what}; at most {most} are taken")]
    TooMuch { what: String, found: u64, most: u64 },
    #[error("compiling it {0}")]
    Expensive(String),
    #[error("cannot be compiled: {0}")]
    Crashed(String),
    #[error("its machine code cannot be kept: {0}")]
    Store(String),
    #[error("the engine that counts instructions cannot be set up: {0}")]
    Engine(String),
    #[error("fails as soon as it is started: {0}")]
    Probe(Fault),
    #[error("refuses its settings: {0}")]
    Settings(Reason),
}

/// Writes the imports that were refused, each with what to do.
struct Ungranted<'a>(&'a [Import]);

impl fmt::Display for Ungranted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, import) in self.0.iter().enumerate() {
            let separator = if position == 0 { "" } else { ", and " };
            match import.grant {
                Some(grant) => {
                    write!(f, "{separator}`{}`, which needs `grants = [\"{}\"]`", import.name, grant.name())?;
                }
                None => write!(f, "{separator}`{}`, which this host does not have", import.name)?,
            }
        }
        Ok(())
    }
}

struct Listed<'a>(&'a [String]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("nothing");
        }
        f.write_str(&self.0.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "))
    }
}
