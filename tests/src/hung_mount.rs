//! A file system that stops answering: FUSE, whose server is stopped.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::Signal;

use crate::cleanup::Cleanup;
use crate::error::Result;
use crate::process::Process;
use crate::wait;

/// Shows a folder at another place for as long as this lives. Dropped, it answers again, and is unmounted.
#[derive(Debug)]
pub struct HungMount {
    /// Goes first: without a server, the kernel fails what waits for it.
    server: Process,
    _unmount: Cleanup,
}

/// Shows a file at the place of another one for as long as this lives.
#[derive(Debug)]
pub struct BoundFile {
    _unmount: Cleanup,
}

// === impl BoundFile ===

impl BoundFile {
    pub fn over(at: &Path, file: &Path) -> Result<Self> {
        let unmount = unmount(at);
        let status = Command::new("mount").arg("--bind").args([file, at]).status();
        match status {
            Ok(status) if status.success() => Ok(Self { _unmount: unmount }),
            status => Err(crate::Error::Unexpected(format!("mount --bind: {status:?}"))),
        }
    }
}

fn unmount(at: &Path) -> Cleanup {
    let mounted = at.to_owned();
    Cleanup::new(move || {
        let mut command = Command::new("umount");
        // There may be nothing to unmount.
        let _ = command.arg("--lazy").arg(&mounted).stderr(Stdio::null()).status();
    })
}

// === impl HungMount ===

impl HungMount {
    /// Shows `source` at the empty folder `at`. Needs Debian's `bindfs`, and root.
    pub fn over(at: &Path, source: &Path) -> Result<Self> {
        // The kernel asks the server each time.
        Self::with(at, source, "attr_timeout=0,entry_timeout=0,negative_timeout=0")
    }

    /// The same, where the kernel remembers what a file is: it answers for the server, until somebody reads.
    pub fn remembered(at: &Path, source: &Path) -> Result<Self> {
        Self::with(at, source, "attr_timeout=3600,entry_timeout=3600,negative_timeout=3600")
    }

    fn with(at: &Path, source: &Path, options: &str) -> Result<Self> {
        let _unmount = unmount(at);
        let server = Process::start("bindfs", "bindfs", |command| {
            command.args(["-f", "-o", options]).arg(source).arg(at);
        })?;
        wait::until("the mount", wait::DEADLINE, || (is_mounted(at) || server.ended().is_some()).then_some(()))?;
        match server.ended() {
            None => Ok(Self { server, _unmount }),
            Some(status) => Err(crate::Error::Unexpected(format!("bindfs: {status}: {}", server.log().tail(10)))),
        }
    }

    /// From now on, nothing on it is answered.
    pub fn hang(&self) -> Result<()> {
        self.server.signal(Signal::STOP)?;
        wait::until("the server's stop", wait::DEADLINE, || self.is_stopped().then_some(()))
    }

    /// It answers again.
    pub fn wake(&self) -> Result<()> {
        self.server.signal(Signal::CONT)
    }

    fn is_stopped(&self) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.server.id())).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
    }
}

fn is_mounted(at: &Path) -> bool {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    mounts.lines().any(|line| line.split(' ').nth(1).is_some_and(|mounted| Path::new(mounted) == at))
}
