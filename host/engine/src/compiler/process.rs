//! Starting the process that compiles, waiting for it, and telling what became of it.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use portcullis_model::Span;
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::Signal;

use super::child::{ENGINE, INVALID, MODULE, NO_CONTRACT, OUT_OF_MEMORY, PANIC, STORE, TOO_MUCH};
use super::{COMMAND, LAYOUT};
use crate::compile_request::{CompileRequest, Owner};
use crate::error::LoadError;

/// How long a process may take, whatever else the machine has to do. Its own limit is processor time.
const COMPILE_TIMEOUT: Duration = Duration::from_secs(60);
const TIMEOUT_PER_MIB: Duration = Duration::from_secs(30);
/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(1);
const LOOK_LATER: Duration = Duration::from_millis(10);
/// What is read of what it says.
const SAID: u64 = 4 << 10;

/// Compiles in a process of its own, which writes the machine code into `code`.
pub(super) fn compile(program: &Path, order: &CompileRequest<'_>, code: &File) -> Result<(), LoadError> {
    let failed = |error: io::Error| LoadError::Crashed(format!("the process for it cannot be started: {error}"));
    let mut said = memory("said").map_err(failed)?;
    let child = start(program, order, code, &said).map_err(failed)?;
    let timeout = COMPILE_TIMEOUT + TIMEOUT_PER_MIB * u32::try_from(order.bytes.len() >> 20).unwrap_or(u32::MAX);
    let status = wait(child, timeout).map_err(failed)?;
    outcome_of(status, &first_of(&mut said).map_err(failed)?, timeout)
}

/// Has a process find out how wasmtime calls the folder of its cache.
pub(super) fn find_version(program: &Path, scratch: &Path) -> Result<String, String> {
    let failed = |problem: &str| format!("`{}`, which compiles, {problem}", program.display());
    let mut command = Command::new(program);
    command.arg0("portcullis").args([COMMAND, LAYOUT]).arg(scratch).env_clear();
    let (status, version, said) =
        run(&mut command, COMPILE_TIMEOUT).map_err(|error| failed(&format!("cannot be started: {error}")))?;
    match status {
        None => Err(failed(&format!("did not end within {}", Span(COMPILE_TIMEOUT)))),
        Some(status) if !status.success() => Err(failed(&format!("failed: {}", said.trim()))),
        Some(_) => Ok(version),
    }
}

/// Runs a process to its end, or kills it. Gives the first of what it wrote to stdout and stderr.
fn run(command: &mut Command, timeout: Duration) -> io::Result<(Option<ExitStatus>, String, String)> {
    let (mut out, mut said) = (memory("out")?, memory("said")?);
    let child = command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(said.try_clone()?).spawn()?;
    let status = wait(child, timeout)?;
    Ok((status, first_of(&mut out)?, first_of(&mut said)?))
}

fn first_of(file: &mut File) -> io::Result<String> {
    let mut text = Vec::new();
    file.rewind()?;
    file.take(SAID).read_to_end(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn start(program: &Path, order: &CompileRequest<'_>, code: &File, said: &File) -> io::Result<Child> {
    let mut file = memory("policy")?;
    file.write_all(order.bytes)?;
    file.rewind()?;
    let mut command = Command::new(program);
    command.arg0("portcullis").arg(COMMAND).arg(std::process::id().to_string());
    if order.metered {
        command.arg("metered");
    }
    if matches!(order.owner, Owner::Tenant(_)) {
        command.arg("nice");
    }
    command.env_clear().stdin(file).stdout(code.try_clone()?).stderr(said.try_clone()?).current_dir("/").spawn()
}

/// A file without a name.
fn memory(name: &str) -> io::Result<File> {
    Ok(memfd_create(name, MemfdFlags::CLOEXEC)?.into())
}

/// Waits for a process, and kills it where it takes too long.
fn wait(mut child: Child, timeout: Duration) -> io::Result<Option<ExitStatus>> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        let waited = start.elapsed();
        if waited > timeout {
            child.kill()?;
            return child.wait().map(|_| None);
        }
        std::thread::sleep(if waited < LOOK * 100 { LOOK } else { LOOK_LATER });
    }
}

/// What a process that ended so has come to.
fn outcome_of(status: Option<ExitStatus>, said: &str, timeout: Duration) -> Result<(), LoadError> {
    let Some(status) = status else {
        return Err(LoadError::Expensive(format!("took more than {} s", timeout.as_secs())));
    };
    // What it may use, once it knows.
    let budget = said.split_once('\n').and_then(|(line, rest)| Some((line.split_once(' ')?, rest)));
    let budget = budget.filter(|((memory, seconds), _)| is_number(memory) && is_number(seconds));
    let text = budget.map_or(said, |(_, rest)| rest).trim();
    let used_up = |what: &str| {
        let (memory, seconds) = budget.map_or(("its", "its"), |(budget, _)| budget);
        LoadError::Expensive(match what {
            "memory" => format!("took more than {memory} MiB of memory"),
            _ => format!("took more than {seconds} s of processor time"),
        })
    };
    let signal = status.signal();
    match status.code().and_then(|code| u8::try_from(code).ok()) {
        Some(0) => Ok(()),
        Some(INVALID | PANIC | ENGINE | STORE) if text.contains("os error 12") => Err(used_up("memory")),
        Some(INVALID) => Err(LoadError::Invalid(text.to_owned())),
        Some(NO_CONTRACT) => Err(LoadError::NoContract),
        Some(MODULE) => Err(LoadError::Module(text.to_owned())),
        Some(TOO_MUCH) => Err(too_much(text)),
        Some(ENGINE) => Err(LoadError::Engine(text.to_owned())),
        Some(STORE) => Err(LoadError::Store(text.to_owned())),
        Some(PANIC) => Err(LoadError::Crashed(format!("the compiler panicked: {text}"))),
        _ if signal == Some(Signal::XCPU.as_raw()) => Err(used_up("time")),
        _ if text.contains(OUT_OF_MEMORY) => Err(used_up("memory")),
        _ => Err(LoadError::Crashed(format!("the process that compiled it ended with {status}"))),
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn too_much(text: &str) -> LoadError {
    let mut words = text.splitn(3, ' ');
    let mut number = || words.next().and_then(|word| word.parse().ok()).unwrap_or_default();
    let (found, most) = (number(), number());
    LoadError::TooMuch { what: words.next().unwrap_or("of something").to_owned(), found, most }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `waitpid` gives of a process that ended by itself, or by a signal.
    fn exited(code: u8) -> Option<ExitStatus> {
        Some(ExitStatus::from_raw(i32::from(code) << 8))
    }

    fn killed(signal: Signal) -> Option<ExitStatus> {
        Some(ExitStatus::from_raw(signal.as_raw()))
    }

    #[test]
    fn a_process_that_does_not_end_is_not_waited_for() {
        let start = Instant::now();
        let hung = run(Command::new("sleep").arg("600"), Duration::from_millis(20)).expect("it is started");
        assert_eq!(hung, (None, String::new(), String::new()));
        assert!(start.elapsed() < Duration::from_secs(300));
        let well =
            run(Command::new("sh").args(["-c", "printf 1.2; printf no >&2"]), COMPILE_TIMEOUT).expect("it is started");
        assert_eq!((well.0.map(|status| status.success()), well.1, well.2), (Some(true), "1.2".into(), "no".into()));
    }

    #[test]
    fn however_the_process_ends_it_is_told_what_was_wrong() {
        for (status, said, expected) in [
            (
                exited(INVALID),
                "224 4\nunknown opcode (at offset 0x7)",
                "not valid WebAssembly: unknown opcode (at offset 0x7)",
            ),
            (
                exited(TOO_MUCH),
                "17 16 levels of nested components",
                "has 17 levels of nested components; at most 16 are taken",
            ),
            (exited(NO_CONTRACT), "224 4\n", "does not carry the contract"),
            (exited(MODULE), "224 4\nno `decide`", "cannot be made a component: no `decide`"),
            (exited(PANIC), "224 4\nassertion failed", "cannot be compiled: the compiler panicked: assertion failed"),
            (
                exited(STORE),
                "224 4\nNo space left on device",
                "its machine code cannot be kept: No space left on device",
            ),
            (exited(INVALID), "224 4\nmmap failed: os error 12", "compiling it took more than 224 MiB of memory"),
            (
                killed(Signal::ABORT),
                "224 4\nmemory allocation of 99 bytes failed",
                "compiling it took more than 224 MiB of memory",
            ),
            (killed(Signal::XCPU), "224 4\n", "compiling it took more than 4 s of processor time"),
            (killed(Signal::SEGV), "224 4\n", "cannot be compiled: the process that compiled it ended with signal: 11"),
            (killed(Signal::KILL), "", "cannot be compiled: the process that compiled it ended with signal: 9"),
            (exited(1), "", "cannot be compiled: the process that compiled it ended with exit status: 1"),
            (None, "224 4\n", "compiling it took more than 60 s"),
        ] {
            let message = outcome_of(status, said, COMPILE_TIMEOUT).expect_err(expected).to_string();
            assert!(message.contains(expected), "{message}");
        }
        assert_eq!(outcome_of(exited(0), "224 4\n", COMPILE_TIMEOUT), Ok(()));
    }
}
