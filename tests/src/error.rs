//! What can go wrong in the harness itself.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use thiserror::Error;

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Error)]
pub enum Error {
    #[error("{doing}: {source}")]
    Io { doing: String, source: io::Error },
    #[error("{what} is not at `{}`: `make {target}` builds it", path.display())]
    NotBuilt { what: String, path: PathBuf, target: &'static str },
    #[error("`{program}` is not installed: `make setup` installs what is missing")]
    NotInstalled { program: String },
    #[error("{what} did not happen within {} s{}", after.as_secs(), tail(log))]
    TimedOut { what: String, after: Duration, log: String },
    #[error("{program} ended ({status}) before {what}{}", tail(log))]
    Ended { program: String, status: String, what: String, log: String },
    #[error("`{command}` failed ({status}): {stderr}")]
    Failed { command: String, status: ExitStatus, stderr: String },
    #[error("not an HTTP answer ({problem}): {bytes}")]
    BadAnswer { problem: String, bytes: String },
    #[error("{0}")]
    Unexpected(String),
}

/// Says what was being done when an I/O error came.
pub trait Doing<T> {
    fn doing(self, doing: &str) -> Result<T>;
    fn doing_to(self, doing: &str, path: &Path) -> Result<T>;
}

// === impl Error ===

/// As `Display`: a test that returns an error shows it by `Debug`.
impl std::fmt::Debug for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl<T> Doing<T> for io::Result<T> {
    fn doing(self, doing: &str) -> Result<T> {
        self.map_err(|source| Error::Io { doing: doing.to_owned(), source })
    }

    fn doing_to(self, doing: &str, path: &Path) -> Result<T> {
        self.map_err(|source| Error::Io { doing: format!("{doing} `{}`", path.display()), source })
    }
}

fn tail(log: &str) -> String {
    if log.is_empty() { String::new() } else { format!("; its log ends:\n{log}") }
}
