//! A long-running child process: its output kept, its end certain.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use std::{io, thread};

use rustix::process::{Pid, Signal, kill_process};

use crate::cleanup::Cleanup;
use crate::error::{Doing, Error, Result};
use crate::log::{Log, Mark, NoLine};
use crate::wait;

const SHOWN_LINES: usize = 60;

/// A child that is killed when this is dropped. Should the run itself be killed outright, the kernel kills the child.
#[derive(Debug)]
pub struct Process {
    name: String,
    log: Log,
    child: Arc<Mutex<Child>>,
    _cleanup: Cleanup,
}

// === impl Process ===

impl Process {
    /// Starts `program` with what `arrange` adds, out of reach of the terminal's Ctrl-C: cleaning up is ours.
    pub fn start(name: &str, program: &str, arrange: impl FnOnce(&mut Command)) -> Result<Self> {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", program]).stdin(Stdio::null());
        arrange(&mut command);
        command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped());
        let log = Log::default();
        let (child, _cleanup) = Cleanup::of(|| {
            let mut child = spawn(command).map_err(|source| start_error(program, source))?;
            child.stdout.take().into_iter().for_each(|pipe| log.follow(pipe));
            child.stderr.take().into_iter().for_each(|pipe| log.follow(pipe));
            let child = Arc::new(Mutex::new(child));
            let doomed = Arc::clone(&child);
            Ok((child, move || kill(&doomed)))
        })?;
        Ok(Self { name: name.to_owned(), log, child, _cleanup })
    }

    pub fn log(&self) -> &Log {
        &self.log
    }

    pub fn id(&self) -> u32 {
        lock(&self.child).id()
    }

    /// How it ended, if it did.
    pub fn ended(&self) -> Option<ExitStatus> {
        lock(&self.child).try_wait().ok().flatten()
    }

    /// Sends a signal: to what runs in a PID namespace of its own where there is one.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        signal_to(self.id(), signal).doing(&format!("signalling {}", self.name))
    }

    /// Asks it to end, and waits until it has.
    pub fn terminate(&self, patience: Duration) -> Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        self.wait_for_end(patience)
    }

    /// Ends it as a crash would.
    pub fn kill(&self) {
        kill(&self.child);
    }

    pub fn wait_for_end(&self, patience: Duration) -> Result<ExitStatus> {
        let what = format!("the end of {}", self.name);
        wait::until(&what, patience, || self.ended()).map_err(|_| self.timed_out(&what, patience))
    }

    /// The first line after `mark` of which `pick` makes something. `what` completes "… did not happen".
    pub fn wait_for_line<T>(&self, mark: Mark, what: &str, pick: impl FnMut(&str) -> Option<T>) -> Result<T> {
        self.log.wait(mark, wait::DEADLINE, pick).map_err(|error| match error {
            NoLine::TimedOut => self.timed_out(what, wait::DEADLINE),
            NoLine::Closed => Error::Ended {
                program: self.name.clone(),
                status: self.ended().map_or_else(|| "its output is closed".to_owned(), |status| status.to_string()),
                what: what.to_owned(),
                log: self.log.tail(SHOWN_LINES),
            },
        })
    }

    fn timed_out(&self, what: &str, after: Duration) -> Error {
        Error::TimedOut { what: what.to_owned(), after, log: self.log.tail(SHOWN_LINES) }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("--- {} wrote ---\n{}\n---", self.name, self.log.tail(SHOWN_LINES));
        }
    }
}

/// The kernel's death signal comes when the *thread* that made the child ends, so all are made by one that never does.
fn spawn(command: Command) -> io::Result<Child> {
    type Job = (Command, Sender<io::Result<Child>>);
    static KEEPER: OnceLock<Mutex<Sender<Job>>> = OnceLock::new();
    let keeper = KEEPER.get_or_init(|| {
        let (sender, jobs) = channel::<Job>();
        thread::spawn(move || {
            for (mut command, reply) in jobs {
                let _ = reply.send(command.spawn());
            }
        });
        Mutex::new(sender)
    });
    let (reply, answer) = channel();
    let sent = keeper.lock().unwrap_or_else(PoisonError::into_inner).send((command, reply));
    sent.map_err(io::Error::other)?;
    answer.recv().map_err(io::Error::other)?
}

fn start_error(program: &str, source: io::Error) -> Error {
    if source.kind() == io::ErrorKind::NotFound {
        return Error::NotInstalled { program: "setpriv".to_owned() };
    }
    Error::Io { doing: format!("starting `{program}`"), source }
}

fn kill(child: &Mutex<Child>) {
    let mut child = lock(child);
    if let Ok(None) = child.try_wait() {
        let _ = signal_to(child.id(), Signal::KILL);
        let _ = child.wait();
    }
}

/// `unshare --fork` stays as the parent of the first process in the new PID namespace; that one's end is the end of
/// every process in there, and then of `unshare`.
fn signal_to(id: u32, signal: Signal) -> io::Result<()> {
    let is_unshare = fs::read_to_string(format!("/proc/{id}/comm")).is_ok_and(|name| name.trim() == "unshare");
    let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
    let target = children.split_whitespace().next().and_then(|id| id.parse().ok()).filter(|_| is_unshare);
    let pid = i32::try_from(target.unwrap_or(id)).ok().and_then(Pid::from_raw);
    Ok(kill_process(pid.ok_or(io::ErrorKind::InvalidInput)?, signal)?)
}

fn lock(child: &Mutex<Child>) -> MutexGuard<'_, Child> {
    child.lock().unwrap_or_else(PoisonError::into_inner)
}
