//! How the program ended, for scripts.

use std::process::{ExitCode, Termination};

/// The exit code. `--help` lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It was done; of `decide`: allowed.
    Done = 0,
    /// It could not be done.
    Failed = 1,
    /// The command line or the configuration is wrong; nothing was started. (clap uses 2 for the command line.)
    Usage = 2,
    /// `decide`: denied. `explain`: refused by a host rule. `replay`: something would change.
    Denied = 3,
}

/// Of a command that says what went wrong where it goes wrong.
impl From<Result<(), Exit>> for Exit {
    fn from(done: Result<(), Self>) -> Self {
        done.err().unwrap_or(Self::Done)
    }
}

impl Termination for Exit {
    fn report(self) -> ExitCode {
        ExitCode::from(self as u8)
    }
}
