//! Where decisions go.

mod file;
mod journald;
mod otlp;
mod stderr;
mod stdout;

use std::fmt;
use std::path::{Path, PathBuf};

use crate::entry::Entry;

pub use self::file::FileSink;
pub use self::journald::JournaldSink;
pub use self::otlp::Otlp;
pub use self::stderr::Stderr;
pub use self::stdout::Stdout;

/// The sink that can be required.
pub(crate) const FILE: &str = "file";

/// Takes decisions, a batch at a time, on the log's thread: who takes long holds up every other sink.
pub trait Sink: Send + fmt::Debug {
    /// For the operator.
    fn name(&self) -> &'static str;

    /// Opens what is written to, so that the operator hears at the start what is wrong with it.
    fn open(&mut self) -> Result<(), SinkError> {
        Ok(())
    }

    /// Writes a batch, all of it or none.
    fn write(&mut self, batch: &Batch<'_>) -> Result<(), SinkError>;

    /// Has what was written on the disk, where that was not waited for.
    fn sync(&mut self) -> Result<(), SinkError> {
        Ok(())
    }

    /// Opens what is written to anew with the next batch: who moves files away has asked for it.
    fn reopen(&mut self) {}
}

/// Decisions that are written together.
#[derive(Debug)]
pub struct Batch<'a> {
    /// In the order in which they were made.
    pub entries: &'a [Entry],
    /// So many records before these are missing in this sink. It is to say so.
    pub missing: u64,
}

/// Why a batch was not written.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    #[error("`{}`: {source}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
    /// For sinks that write to no path.
    #[error("{0}")]
    Other(String),
}

// === impl Batch ===

impl Batch<'_> {
    /// The line that says how many records are missing, with its end; none where none is.
    pub fn missing_line(&self) -> Option<String> {
        let timestamp = humantime::format_rfc3339_micros(std::time::SystemTime::now());
        let missing = self.missing;
        (missing > 0).then(|| {
            format!(
                "{{\"timestamp\":\"{timestamp}\",\"level\":\"WARN\",\"message\":\"decisions are missing\",\"missing\":{missing}}}\n"
            )
        })
    }
}

// === impl SinkError ===

impl SinkError {
    pub fn at(path: &Path, source: std::io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }
}
