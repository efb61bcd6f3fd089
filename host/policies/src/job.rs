//! Reading one folder, on a thread of its own.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;
use std::time::Instant;

use portcullis_config::Quota;
use portcullis_model::TenantName;

use crate::issue::{LoadIssue, Scope};
use crate::layer::{LayerLoader, Rescan};
use crate::message::{Finished, Message};
use crate::notices::is_plain_file;

/// Whoever compiles for a tenant leaves the processor to those who answer calls.
const NICE: i32 = 10;

/// Starts a thread; tests have it fail.
pub(crate) type Spawn = fn(std::thread::Builder, Box<dyn FnOnce() + Send>) -> std::io::Result<()>;

/// What is to be read.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) scope: Scope,
    /// Of the folder, and of this job.
    pub(crate) id: u64,
    pub(crate) number: u64,
    /// What its policies may have from now on; none where that does not change.
    pub(crate) quota: Option<Quota>,
    /// Whether what was broken is tried again.
    pub(crate) retry: bool,
    /// What somebody is writing.
    pub(crate) writing: HashMap<PathBuf, Instant>,
}

impl Job {
    /// Reads on a thread of its own, and tells the observer.
    pub(crate) fn start(self, loader: LayerLoader, done: Sender<Message>, spawn: Spawn) -> std::io::Result<()> {
        let name = self.scope.as_ref().map_or("load", TenantName::as_str);
        // The kernel keeps 15 bytes of it.
        let thread = std::thread::Builder::new().name(name.chars().take(15).collect());
        let run = move || {
            if self.scope.is_some() {
                // It works all the same.
                let _ = rustix::process::nice(NICE);
            }
            let (scope, id, number) = (self.scope.clone(), self.id, self.number);
            let read = catch_unwind(AssertUnwindSafe(|| self.read(loader))).ok();
            // An error means that the host is stopping.
            let _ = done.send(Message::Done(Box::new(Finished { scope, id, number, read })));
        };
        spawn(thread, Box::new(run))
    }

    fn read(self, mut loader: LayerLoader) -> (LayerLoader, Rescan, Vec<LoadIssue>) {
        if let Some(quota) = self.quota {
            loader.set_quota(quota);
        }
        if self.retry {
            loader.retry();
        }
        let pulse = loader.pulse().clone();
        let is_plain_file = |path: &Path| pulse.during(|| is_plain_file(path));
        let rescan = loader.rescan(&|path| self.writing.contains_key(path) && is_plain_file(path));
        let issues = loader.issues().collect();
        (loader, rescan, issues)
    }
}

/// Starts it for real.
pub(crate) fn spawn(thread: std::thread::Builder, run: Box<dyn FnOnce() + Send>) -> std::io::Result<()> {
    thread.spawn(run).map(drop)
}
