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

// === impl HungMount ===

impl HungMount {
    /// Shows `source` at the empty folder `at`. Needs Debian's `bindfs`, and root.
    pub fn over(at: &Path, source: &Path) -> Result<Self> {
        let mounted = at.to_owned();
        let _unmount = Cleanup::new(move || {
            let mut command = Command::new("umount");
            // There may be nothing to unmount.
            let _ = command.arg("--lazy").arg(&mounted).stderr(Stdio::null()).status();
        });
        let server = Process::start("bindfs", "bindfs", |command| {
            // The kernel asks the server each time.
            command.args(["-f", "-o", "attr_timeout=0,entry_timeout=0,negative_timeout=0"]).arg(source).arg(at);
        })?;
        wait::until("the mount", wait::PATIENCE, || (is_mounted(at) || server.ended().is_some()).then_some(()))?;
        match server.ended() {
            None => Ok(Self { server, _unmount }),
            Some(status) => Err(crate::Error::Unexpected(format!("bindfs: {status}: {}", server.log().tail(10)))),
        }
    }

    /// From now on, nothing on it is answered.
    pub fn hang(&self) -> Result<()> {
        self.server.signal(Signal::STOP)?;
        wait::until("the server's stop", wait::PATIENCE, || self.is_stopped().then_some(()))
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
