//! What the start waits for: a step that takes long is told, by a line and to the supervisor, whatever hangs in it.

use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use portcullis_config::{Config, Problems};
use thiserror::Error;
use tracing::warn;

use super::supervisor;

/// A step that takes longer is told …
const TOLD_AFTER: Duration = Duration::from_secs(2);
/// … and again after each of these.
const TOLD_AGAIN: Duration = Duration::from_secs(10);
/// The configuration is read by then, or the host does not start.
pub(crate) const CONFIGURATION: Duration = Duration::from_secs(30);

/// The step that the start is at. Dropped, it is over.
#[derive(Debug)]
pub(crate) struct Stage(Sender<Option<String>>);

/// The configuration could not be read, and not because of what it says.
#[derive(Debug, Error)]
pub(crate) enum NotRead {
    #[error(
        "the configuration in `{0}` could not be read within {seconds} s: a file system does not answer there\n  help: \
         `findmnt` shows what is mounted there, and `cat` whether it answers; nothing was started",
        seconds = CONFIGURATION.as_secs()
    )]
    Late(String),
    #[error("there is no thread to read the configuration: {0}")]
    NoThread(#[from] std::io::Error),
}

// === impl Stage ===

impl Stage {
    pub(crate) fn first(what: String) -> std::io::Result<Self> {
        let (stage, stages) = channel();
        std::thread::Builder::new().name("start".into()).spawn(move || {
            let (mut what, mut since, mut next) = (Some(what), Instant::now(), TOLD_AFTER);
            loop {
                match stages.recv_timeout(next.saturating_sub(since.elapsed())) {
                    Ok(entered) => (what, since, next) = (entered, Instant::now(), TOLD_AFTER),
                    Err(RecvTimeoutError::Timeout) => {
                        what.iter().for_each(|what| tell(what, since.elapsed()));
                        next += TOLD_AGAIN;
                    }
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            }
        })?;
        Ok(Self(stage))
    }

    /// The start comes to this step.
    pub(crate) fn enter(&self, what: impl Into<String>) {
        // An error means that the thread panicked; the start goes on.
        let _ = self.0.send(Some(what.into()));
    }

    /// The start comes to a step that tells by itself what it waits for.
    pub(crate) fn leave(&self) {
        // Likewise.
        let _ = self.0.send(None);
    }

    /// The start comes to what is in this folder.
    pub(crate) fn at(&self, what: &str, folder: &Path) {
        self.enter(format!("{what} in `{}`", folder.display()));
    }
}

fn tell(what: &str, since: Duration) {
    let seconds = since.as_secs();
    warn!(seconds, "the start waits for {what}: it takes long, or a file system does not answer");
    supervisor::status(&format!("starting: waits for {what}"));
}

/// Reads the configuration, by a thread that may hang.
pub(crate) fn configuration(
    dir: &Path,
    check: impl FnOnce(&Config) -> Problems + Send + 'static,
) -> Result<(Result<Config, Problems>, Stage), NotRead> {
    let stage = Stage::first(format!("the configuration in `{}`", dir.display()))?;
    let (done, read) = channel();
    let folder = dir.to_owned();
    std::thread::Builder::new().name("config".into()).spawn(move || {
        // An error means that nobody waits any more.
        let _ = done.send(Config::read_and_check(&folder, check));
    })?;
    let config = read.recv_timeout(CONFIGURATION).map_err(|_| NotRead::Late(dir.display().to_string()))?;
    Ok((config, stage))
}
