//! Documents: read, and changed where they lie.
//!
//! A change is made in memory, on the document that is active, and shares with it what it leaves; then the file is written and
//! what is in memory is offered to whoever reads the folder. Changes of one folder that wait at the same time are made one after
//! the other, each with its own precondition, and written together.

mod document_path;
mod edit;
mod write_queue;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use portcullis_config::DATA;
use portcullis_config::fs::{AtomicDir, Fingerprint, Root};
use portcullis_document::{Bounds, MAX_TEXT};
use portcullis_model::TenantName;
use portcullis_policies::{DOCUMENTS, Kept};
use tokio::sync::oneshot;
use tokio::time::timeout;
use tracing::info;

use self::edit::Version;
use self::write_queue::Waiting;
use crate::manage::{DISK_ANSWERS, ManageError, Manager, Precondition, Scope};

pub(crate) use self::document_path::DocumentPath;
pub(crate) use self::edit::{Edit, Given};
pub(crate) use self::write_queue::WriteQueues;

/// What a change came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DataChange {
    /// None where the document was removed.
    pub(crate) tag: Option<String>,
    pub(crate) is_new: bool,
    /// The generation in which it is active.
    pub(crate) generation: u64,
}

/// What a change of one document came to, in a batch of them.
enum Outcome {
    /// It is in the version that is to be written.
    Done,
    /// What the caller takes to be there was replaced by another change of the same batch.
    Overtaken,
    Failed(ManageError),
}

/// The changes of one document, and what came of them.
struct Batch {
    name: String,
    is_new: bool,
    outcomes: Vec<(oneshot::Sender<Result<DataChange, ManageError>>, Outcome)>,
    /// The file, where it was written; none where it was removed or nothing was changed.
    written: Result<Option<(String, Fingerprint)>, Problem>,
    /// Whether anything was to be written.
    is_change: bool,
}

/// Why a file was not written, for each who waits for it.
#[derive(Clone, Debug)]
enum Problem {
    NoRoom(String),
    TooLarge(String),
    Missing(String),
    Failed(String),
}

/// What lies on the disk.
struct OnDisk {
    /// `NAME.json`; several are an error of whoever put them there.
    files: Vec<String>,
    fingerprint: Option<Fingerprint>,
}

/// Stops where a file grows over its limit.
struct Limited<'a> {
    file: &'a mut File,
    left: u64,
    is_over: &'a mut bool,
}

// === impl Manager ===

impl Manager {
    /// The documents of a folder that are active.
    pub fn documents(&self, scope: &Scope) -> Result<Arc<BTreeMap<String, Kept>>, ManageError> {
        Ok(self.layer(scope)?.documents)
    }

    /// A document of a folder; where there is none, the error says why.
    pub(crate) fn document(&self, scope: &Scope, name: &str) -> Result<Kept, ManageError> {
        let kept = self.layer(scope)?.documents.get(name).cloned();
        kept.ok_or_else(|| match self.issue(scope, "data", name) {
            Some(problem) => ManageError::Missing(format!("the document `{name}` cannot be loaded: {problem}")),
            None => no_document(name),
        })
    }

    /// Why documents are not active.
    pub(crate) fn data_issues(&self, scope: &Scope) -> BTreeMap<String, String> {
        let issues = self.0.live.issues();
        let of_scope = issues.get(scope).into_iter().flatten();
        let of_data = of_scope.filter(|issue| issue.what == "data" && !issue.name.is_empty());
        of_data.map(|issue| (issue.name.clone(), issue.problem.to_string())).collect()
    }

    /// How large a document of this folder can be.
    pub(crate) fn most_data(&self, scope: &Scope) -> Result<u64, ManageError> {
        Ok(self.quota(scope)?.data_bytes.min(MAX_TEXT as u64))
    }

    pub(crate) fn write_queues(&self) -> &WriteQueues {
        &self.0.write_queues
    }

    /// Changes a document. On the disk, and active, when this is ready.
    pub(crate) async fn change_data(
        &self,
        scope: Scope,
        place: DocumentPath,
        edit: Edit,
        precondition: Precondition,
    ) -> Result<DataChange, ManageError> {
        // Only for tenants that are there.
        self.layer(&scope)?;
        let (answer, done) = oneshot::channel();
        self.0.write_queues.put(&scope, Waiting { place, edit, precondition, answer })?;
        let manager = self.clone();
        // Whoever goes away meanwhile does not take with him what others wait for.
        tokio::spawn(async move { manager.work_off(scope).await });
        let lost = |_| Err(ManageError::Failed("the host failed; its log says how".into()));
        timeout(DISK_ANSWERS, done).await.map_err(|_| ManageError::silent(DISK_ANSWERS))?.unwrap_or_else(lost)
    }

    /// Makes all changes of a folder that wait, unless somebody else did.
    async fn work_off(&self, scope: Scope) {
        let write_queue = self.0.write_queues.of(&scope);
        let _writer = write_queue.lock().await;
        let waiting = write_queue.take();
        if waiting.is_empty() {
            return;
        }
        // What was written by hand, and is not read yet, is not to be lost.
        let (manager, own) = (self.clone(), scope.clone());
        let names: Vec<_> = waiting.keys().cloned().collect();
        let is_behind = move || names.iter().any(|name| manager.is_behind(&own, name));
        // An error means that it panicked; who waits is told by what is dropped.
        let Ok(is_behind) = tokio::task::spawn_blocking(is_behind).await else { return };
        if is_behind {
            self.0.watch.look(scope.clone()).await;
        }
        let (manager, own) = (self.clone(), scope.clone());
        let write = move || {
            waiting.into_iter().map(|(name, waiting)| manager.write_batch(&own, name, waiting)).collect::<Vec<_>>()
        };
        // However long that takes, the folder is locked; who waits for it is told so.
        let Ok(batches) = tokio::task::spawn_blocking(write).await else { return };
        if batches.iter().any(|batch| batch.is_change && batch.written.is_ok()) {
            self.0.watch.look(scope.clone()).await;
        }
        for batch in batches {
            self.answer(&scope, batch);
        }
    }

    /// Whether the file is another one than was read.
    fn is_behind(&self, scope: &Scope, name: &str) -> bool {
        let (Ok(root), Ok(layer)) = (self.root(scope), self.layer(scope)) else { return false };
        let kept = layer.documents.get(name).map(|kept| kept.file);
        kept != OnDisk::of(&root, name).fingerprint
    }

    /// Makes the changes of one document in memory, and writes what they come to.
    fn write_batch(&self, scope: &Scope, name: String, waiting: Vec<Waiting>) -> Batch {
        let fallen = |waiting: Vec<Waiting>, problem: Problem| Batch {
            name: name.clone(),
            is_new: false,
            outcomes: waiting.into_iter().map(|waiting| (waiting.answer, Outcome::Done)).collect(),
            written: Err(problem),
            is_change: true,
        };
        let opened = self.root(scope).and_then(|root| Ok((root, self.atomic_dir(scope, DATA)?, self.layer(scope)?)));
        let (root, atomic_dir, layer) = match opened {
            Ok(opened) => opened,
            Err(error) => return fallen(waiting, Problem::of(error)),
        };
        let disk = OnDisk::of(&root, &name);
        let kept = layer.documents.get(&name).filter(|kept| disk.fingerprint == Some(kept.file));
        let why = || self.issue(scope, "data", &name).unwrap_or_else(|| "it is just being written".to_owned());
        let mut version = Version::new(&name, &disk.files, kept.map(|kept| Arc::clone(&kept.document)), why);
        let tag = disk.fingerprint.map(|file| file.tag());
        let (mut outcomes, start) = (Vec::with_capacity(waiting.len()), Instant::now());
        let bytes = self.quota(scope).map_or(0, |quota| usize::try_from(quota.data_bytes).unwrap_or(usize::MAX));
        for Waiting { place, edit, precondition, answer } in waiting {
            // Nothing is done for somebody who has gone.
            let bounds = Bounds { bytes, is_over: &|| answer.is_closed() };
            let outcome = match version.check(&precondition, tag.as_deref()) {
                Ok(true) => version.apply(&place, edit, bounds).map_or_else(Outcome::Failed, |()| Outcome::Done),
                Ok(false) => Outcome::Overtaken,
                Err(error) => Outcome::Failed(error),
            };
            outcomes.push((answer, outcome));
        }
        let is_change = version.is_changed();
        let others =
            layer.documents.iter().filter(|(other, _)| **other != name).map(|(_, kept)| kept.file.size()).sum();
        let in_memory = start.elapsed();
        let written = if is_change { self.write(scope, &atomic_dir, &disk, version, others) } else { Ok(None) };
        if is_change && written.is_ok() {
            let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
            let (memory_us, write_us) = (micros(in_memory), micros(start.elapsed() - in_memory));
            let (tenant, changes) = (scope.as_ref().map(TenantName::as_str), outcomes.len());
            info!(tenant, name, changes, memory_us, write_us, "data written");
        }
        Batch { name, is_new: disk.files.is_empty(), outcomes, written, is_change }
    }

    /// Puts a version in place; what is in memory is offered for its file.
    fn write(
        &self,
        scope: &Scope,
        atomic_dir: &AtomicDir,
        disk: &OnDisk,
        version: Version,
        others: u64,
    ) -> Result<Option<(String, Fingerprint)>, Problem> {
        let failed = |file: &str, error: &io::Error| Problem::of(ManageError::from_io(&atomic_dir.path(file), error));
        let Some((file, document, text)) = version.into_content() else {
            for file in &disk.files {
                atomic_dir.remove(file).map_err(|error| failed(file, &error))?;
            }
            return Ok(None);
        };
        let most = self.quota(scope).map_err(Problem::of)?.data_bytes;
        let mut is_over = false;
        let coming = self.0.context.write_back.coming(scope, &file);
        let put = atomic_dir.put(&file, |file| {
            let mut out = Limited { file, left: most.saturating_sub(others), is_over: &mut is_over };
            match &text {
                Some(text) => out.write_all(text),
                None => document.root().write_to(&mut out),
            }
        });
        match put {
            Ok(fingerprint) => {
                coming.arrived(document, fingerprint);
                Ok(Some((file, fingerprint)))
            }
            Err(error) => {
                let too_large = || format!("all documents together would have more than {most} bytes");
                Err(if is_over { Problem::TooLarge(too_large()) } else { failed(&file, &error) })
            }
        }
    }

    /// Tells everybody what came of his change.
    fn answer(&self, scope: &Scope, batch: Batch) {
        let Batch { name, is_new, outcomes, written, is_change } = batch;
        if let Ok(Some((file, _))) = &written {
            self.0.context.write_back.withdraw(scope, file);
        }
        let file = written.as_ref().ok().and_then(|written| written.as_ref()).map(|(_, file)| *file);
        let (active, generation) = match self.layer(scope) {
            Ok(layer) => (layer.documents.get(&name).map(|kept| kept.file), self.0.live.load().generation.0),
            Err(_) => (None, 0),
        };
        let tag = file.map(|file| file.tag());
        for (answer, outcome) in outcomes {
            let message = match (outcome, &written) {
                (Outcome::Failed(error), _) => Err(error),
                (_, Err(problem)) => Err(problem.clone().into()),
                (Outcome::Overtaken, _) => Err(edit::overtaken(&name, tag.as_deref())),
                (Outcome::Done, Ok(_)) if is_change && active != file => {
                    let why = self.issue(scope, "data", &name);
                    Err(ManageError::NotInForce(why.unwrap_or_else(|| "somebody else replaced it".into())))
                }
                (Outcome::Done, Ok(_)) => {
                    let tag = tag.clone().or_else(|| active.map(|file| file.tag()));
                    Ok(DataChange { tag, is_new, generation })
                }
            };
            // An error means that he has gone.
            let _ = answer.send(message);
        }
    }
}

fn no_document(name: &str) -> ManageError {
    ManageError::NotFound { what: "document", name: name.to_owned() }
}

// === impl OnDisk ===

impl OnDisk {
    fn of(root: &Root, name: &str) -> Self {
        let files = DOCUMENTS.iter().map(|extension| format!("{name}.{extension}"));
        let files: Vec<_> = files.filter(|file| root.has(&format!("{DATA}/{file}"))).collect();
        let fingerprint = files.first().and_then(|file| root.fingerprint(&format!("{DATA}/{file}")));
        Self { files, fingerprint }
    }
}

// === impl Limited ===

impl Write for Limited<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.left.checked_sub(bytes.len() as u64) {
            Some(left) => self.left = left,
            None => {
                *self.is_over = true;
                return Err(io::ErrorKind::FileTooLarge.into());
            }
        }
        self.file.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

// === impl Problem ===

impl Problem {
    fn of(error: ManageError) -> Self {
        let text = error.to_string();
        match error {
            ManageError::NoRoom(text) => Self::NoRoom(text),
            ManageError::TooLarge(_) => Self::TooLarge(text),
            ManageError::Missing(_) => Self::Missing(text),
            ManageError::NotFound { .. }
            | ManageError::Malformed(_)
            | ManageError::Invalid(_)
            | ManageError::Precondition { .. }
            | ManageError::Conflict(_)
            | ManageError::Busy(_)
            | ManageError::NotInForce(_)
            | ManageError::Failed(_) => Self::Failed(text),
        }
    }
}

impl From<Problem> for ManageError {
    fn from(problem: Problem) -> Self {
        match problem {
            Problem::NoRoom(text) => Self::NoRoom(text),
            Problem::TooLarge(text) => Self::TooLarge(text),
            Problem::Missing(text) => Self::Missing(text),
            Problem::Failed(text) => Self::Failed(text),
        }
    }
}
