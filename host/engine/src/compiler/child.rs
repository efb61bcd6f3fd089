//! The process that compiles: what it may use, and what it says.

use std::ffi::OsStr;
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::process::parent_id;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::path::Path;
use std::process::ExitCode;

use rustix::process::{Resource, Rlimit, Signal, set_parent_process_death_signal, setpriority_process, setrlimit};

use crate::bounds::Contents;
use crate::code;
use crate::error::LoadError;
use crate::layout::find_version;

/// What a process that compiles may use, beside what comes with the size of the code.
const MEMORY: u64 = 208 << 20;
const SECONDS: u64 = 4;
/// For each MiB of code: several times what ordinary code needs.
const MEMORY_FOR_EACH_MIB: u64 = 24 << 20;
const SECONDS_FOR_EACH_MIB: u64 = 6;
/// Addresses that are only reserved. It is the memory that counts.
const ADDRESSES: u64 = 4 << 30;
const DESCRIPTORS: u64 = 32;
const MIB: u64 = 1 << 20;
/// Who compiles for a tenant leaves the processor to those who answer calls.
const NICE: i32 = 10;
/// The kernel ends the one that compiles before any other.
const OOM_SCORE: &str = "1000";

/// Exit codes: what follows on stderr is the error's text.
pub(super) const INVALID: u8 = 64;
pub(super) const NO_CONTRACT: u8 = 65;
pub(super) const MODULE: u8 = 66;
pub(super) const TOO_MUCH: u8 = 67;
pub(super) const ENGINE: u8 = 68;
pub(super) const PANIC: u8 = 69;
pub(super) const STORE: u8 = 70;
/// How an allocation that fails is told by Rust's runtime, which then aborts.
pub(super) const OUT_OF_MEMORY: &str = "memory allocation of ";

/// What one file may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Budget {
    pub(super) memory: u64,
    pub(super) seconds: u64,
}

/// Compiles a policy, if that is what this program was started for; `None` if it was not. A program that uses
/// [`Compiler::this_program`](crate::Compiler::this_program) calls this before it does anything else.
pub fn compile_if_asked() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().as_deref() != Some(OsStr::new(super::COMMAND)) {
        return None;
    }
    let words: Vec<_> = arguments.collect();
    if let [first, scratch] = words.as_slice()
        && first == super::LAYOUT
    {
        return Some(layout(Path::new(scratch)));
    }
    let has = |word: &str| words.iter().any(|given| given == word);
    let parent = words.iter().filter_map(|word| word.to_str()?.parse::<u32>().ok()).next();
    Some(run(parent, has("metered"), has("nice")))
}

fn layout(scratch: &Path) -> ExitCode {
    match find_version(scratch) {
        Ok(version) => {
            print!("{version}");
            ExitCode::SUCCESS
        }
        Err(problem) => tell(ENGINE, &problem),
    }
}

fn run(parent: Option<u32>, metered: bool, nice: bool) -> ExitCode {
    // Where in the source it panicked is of no use to an operator.
    set_hook(Box::new(|_| {}));
    let done = catch_unwind(AssertUnwindSafe(|| {
        confine(parent, nice).map_err(|error| LoadError::Store(error.to_string()))?;
        compile(metered)
    }));
    match done {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => refuse(&error),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or_default();
            tell(PANIC, text)
        }
    }
}

fn compile(metered: bool) -> Result<(), LoadError> {
    let failed = |error: std::io::Error| LoadError::Store(error.to_string());
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes).map_err(failed)?;
    limit(Resource::Fsize, code::most(bytes.len()) as u64, 0).map_err(|error| failed(error.into()))?;
    let code = code::compile(&bytes, metered, |contents| Budget::of(bytes.len(), contents).keep())?;
    let mut out = std::io::stdout().lock();
    out.write_all(&code).and_then(|()| out.flush()).map_err(failed)
}

/// Limits what does not depend on the file.
fn confine(parent: Option<u32>, nice: bool) -> rustix::io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    if parent.is_some_and(|parent| parent != parent_id()) {
        // It was gone before this was asked for.
        return Err(rustix::io::Errno::SRCH);
    }
    limit(Resource::Core, 0, 0)?;
    limit(Resource::Nofile, DESCRIPTORS, 0)?;
    if nice {
        // It compiles all the same.
        let _ = setpriority_process(None, NICE);
    }
    let _ = fs::write("/proc/self/oom_score_adj", OOM_SCORE);
    Ok(())
}

/// Sets a limit, or leaves one that is lower already. `more` is what lies between being told and being killed.
fn limit(resource: Resource, most: u64, more: u64) -> rustix::io::Result<()> {
    let there = rustix::process::getrlimit(resource).maximum.unwrap_or(u64::MAX);
    let limit = Rlimit { current: Some(most.min(there)), maximum: Some(most.saturating_add(more).min(there)) };
    setrlimit(resource, limit)
}

fn refuse(error: &LoadError) -> ExitCode {
    match error {
        LoadError::NoContract => tell(NO_CONTRACT, ""),
        LoadError::Module(text) => tell(MODULE, text),
        LoadError::TooMuch { what, found, most } => tell(TOO_MUCH, &format!("{found} {most} {what}")),
        LoadError::Engine(text) => tell(ENGINE, text),
        LoadError::Store(text) => tell(STORE, text),
        LoadError::Invalid(text) => tell(INVALID, text),
        LoadError::NotWasm { .. }
        | LoadError::Imports(_)
        | LoadError::NoAuthorizer(_)
        | LoadError::Contract(_)
        | LoadError::Expensive(_)
        | LoadError::Crashed(_)
        | LoadError::Probe(_)
        | LoadError::Settings(_) => tell(INVALID, &error.to_string()),
    }
}

fn tell(code: u8, text: &str) -> ExitCode {
    // Who asked has gone, if this fails.
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
    ExitCode::from(code)
}

// === impl Budget ===

impl Budget {
    fn of(file: usize, contents: Contents) -> Self {
        // The file is held twice: as it is, and as a component.
        let file = (file as u64).saturating_mul(2);
        let for_code = |each_mib: u64| contents.code_bytes.saturating_mul(each_mib) / MIB;
        Self {
            memory: MEMORY + file + for_code(MEMORY_FOR_EACH_MIB),
            seconds: SECONDS + for_code(SECONDS_FOR_EACH_MIB),
        }
    }

    /// From here on, this process is ended where it uses more.
    fn keep(self) -> Result<(), LoadError> {
        // Told first: whoever is killed cannot say why.
        let message = writeln!(std::io::stderr(), "{} {}", self.memory / MIB, self.seconds);
        let kept = limit(Resource::Cpu, self.seconds, 1)
            .and_then(|()| limit(Resource::Data, self.memory, 0))
            .and_then(|()| limit(Resource::As, self.memory.saturating_add(ADDRESSES), 0));
        message.and_then(|()| kept.map_err(Into::into)).map_err(|error| LoadError::Store(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_may_cost_grows_with_its_code() {
        for (file, code_bytes, memory, seconds) in [
            (16 << 10, 15 << 10, 208, 4),
            (2 << 20, 1 << 20, 236, 10),
            (10 << 20, 512 << 10, 240, 7),
            (40 << 20, 36 << 20, 1152, 220),
        ] {
            let budget = Budget::of(file, Contents { code_bytes });
            assert_eq!((budget.memory >> 20, budget.seconds), (memory, seconds), "{file} bytes");
        }
    }
}
