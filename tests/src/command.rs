//! A command that ends by itself.

use std::process::{Command, ExitStatus, Output};

use crate::error::{Doing, Error, Result};

/// How a command ended, and what it wrote.
#[derive(Clone, Debug)]
pub struct Finished {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

// === impl Finished ===

impl Finished {
    /// Runs a command to its end.
    pub fn of(command: &mut Command) -> Result<Self> {
        let program = command.get_program().to_string_lossy().into_owned();
        let Output { status, stdout, stderr } = command.output().doing(&format!("starting `{program}`"))?;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ok(Self { status, stdout: text(stdout), stderr: text(stderr) })
    }

    /// Runs a command that must succeed.
    pub fn well(command: &mut Command) -> Result<Self> {
        let finished = Self::of(command)?;
        if finished.status.success() {
            return Ok(finished);
        }
        let Self { status, stderr, .. } = finished;
        Err(Error::Failed { command: format!("{command:?}"), status, stderr })
    }

    /// The exit code; none where a signal ended it.
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }
}
