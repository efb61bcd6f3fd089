//! Who compiles: a process of its own, with limits, so that a file that makes the compiler explode, crash or loop costs
//! that process and not the host.
//!
//! ```text
//! Compiler ── the file, in memory (stdin) ──> child: bounds, code ── machine code (stdout) ──> Store
//!    gate  <─ what went wrong (stderr, exit code) ─┘
//! ```
//!
//! The child is this program, started again with [`COMMAND`] and without an environment. It limits itself before it
//! looks at anything, and dies with the thread that waits for it.

mod child;
mod gate;
mod process;

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;

use crate::code;
use crate::compile_request::{CompileRequest, Owner};
use crate::error::LoadError;
use crate::layout;

pub use self::child::compile_if_asked;
use self::gate::Gate;

/// The command by which a program is asked to compile what it finds at its standard input. Not for people.
const COMMAND: &str = "compile-policy";
/// What it is asked instead: where wasmtime's cache keeps its files.
const LAYOUT: &str = "layout";
/// Of the operator's policies, which never wait for a tenant's.
const OF_HOST: usize = 2;
/// As many at once at least.
const OF_TENANTS: usize = 2;

/// Who compiles policies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compiler {
    /// A process for each file, of a program whose `main` calls [`compile_if_asked`] first.
    Process(PathBuf),
    /// The process that asks, without limits: for tests and measurements.
    InProcess,
}

/// Who compiles, and whose turn it is.
#[derive(Debug)]
pub(crate) struct CompileQueue {
    compiler: Compiler,
    host: Gate,
    tenants: Gate,
}

// === impl Compiler ===

impl Compiler {
    /// This very program, even where its file was replaced meanwhile.
    pub fn this_program() -> Self {
        Self::Process("/proc/self/exe".into())
    }

    /// See [`layout::find_version`].
    pub(crate) fn find_version(&self, scratch: &Path) -> Result<String, String> {
        match self {
            Self::Process(program) => process::find_version(program, scratch),
            Self::InProcess => layout::find_version(scratch),
        }
    }
}

// === impl CompileQueue ===

impl CompileQueue {
    pub(crate) fn new(compiler: Compiler) -> Self {
        let processors = available_parallelism().map_or(1, NonZero::get);
        Self { compiler, host: Gate::new(OF_HOST), tenants: Gate::new(processors.max(OF_TENANTS)) }
    }

    /// Writes the machine code of a file into `code`. Waits until it is the owner's turn, and takes its time.
    pub(crate) fn compile(&self, order: &CompileRequest<'_>, code: &mut std::fs::File) -> Result<(), LoadError> {
        let _turn = match order.owner {
            Owner::Host => self.host.enter(),
            Owner::Tenant(_) => self.tenants.enter(),
        };
        match &self.compiler {
            Compiler::Process(program) => process::compile(program, order, code),
            Compiler::InProcess => {
                let made = code::compile(order.bytes, order.metered, |_| Ok(()))?;
                std::io::Write::write_all(code, &made).map_err(|error| LoadError::Store(error.to_string()))
            }
        }
    }
}
