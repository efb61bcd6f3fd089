//! Changes that wait for their folder, and how much may be under way at once.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::timeout;

use crate::manage::data::{DataChange, DocumentPath, Edit};
use crate::manage::{ManageError, Precondition, Scope};

/// Changes of one folder that wait.
const MAX_WAITING: usize = 1024;
/// KiB of bodies that are held at once.
const UPLOADS: u32 = 1 << 20;
/// Large answers that are written at once: each has a thread.
const DOWNLOADS: usize = 8;
/// How long somebody waits for his turn at either.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(60);

/// A write queue for each folder.
#[derive(Debug)]
pub(crate) struct WriteQueues {
    write_queues: Mutex<HashMap<Scope, Arc<WriteQueue>>>,
    uploads: Arc<Semaphore>,
    downloads: Arc<Semaphore>,
}

/// The changes of one folder.
#[derive(Debug, Default)]
pub(super) struct WriteQueue {
    waiting: Mutex<Vec<Waiting>>,
    /// Who makes changes now.
    writer: tokio::sync::Mutex<()>,
}

/// A change, and who wants to know what came of it.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) place: DocumentPath,
    pub(crate) edit: Edit,
    pub(crate) precondition: Precondition,
    pub(crate) answer: oneshot::Sender<Result<DataChange, ManageError>>,
}

// === impl WriteQueues ===

impl Default for WriteQueues {
    fn default() -> Self {
        Self {
            write_queues: Mutex::default(),
            uploads: Arc::new(Semaphore::new(UPLOADS as usize)),
            downloads: Arc::new(Semaphore::new(DOWNLOADS)),
        }
    }
}

impl WriteQueues {
    pub(super) fn of(&self, scope: &Scope) -> Arc<WriteQueue> {
        let mut write_queues = self.write_queues.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(write_queues.entry(scope.clone()).or_default())
    }

    pub(super) fn put(&self, scope: &Scope, change: Waiting) -> Result<(), ManageError> {
        let write_queue = self.of(scope);
        let mut waiting = write_queue.waiting();
        if waiting.len() >= MAX_WAITING {
            return Err(ManageError::Busy(format!("{MAX_WAITING} changes wait already; try again")));
        }
        waiting.push(change);
        Ok(())
    }

    /// Room for a body of so many bytes.
    pub(crate) async fn upload(&self, bytes: u64) -> Result<OwnedSemaphorePermit, ManageError> {
        let kib = u32::try_from(bytes >> 10).unwrap_or(UPLOADS).saturating_add(1).min(UPLOADS);
        turn(Arc::clone(&self.uploads).acquire_many_owned(kib)).await
    }

    /// A thread for a large answer.
    pub(crate) async fn download(&self) -> Result<OwnedSemaphorePermit, ManageError> {
        turn(Arc::clone(&self.downloads).acquire_owned()).await
    }
}

async fn turn<E>(
    permit: impl Future<Output = Result<OwnedSemaphorePermit, E>>,
) -> Result<OwnedSemaphorePermit, ManageError> {
    let busy = || ManageError::Busy(format!("no room within {} s; try again", QUEUE_TIMEOUT.as_secs()));
    timeout(QUEUE_TIMEOUT, permit).await.map_err(|_| busy())?.map_err(|_| busy())
}

// === impl WriteQueue ===

impl WriteQueue {
    pub(super) async fn lock(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.writer.lock().await
    }

    /// All changes that wait, by document, in the order in which they came.
    pub(super) fn take(&self) -> BTreeMap<String, Vec<Waiting>> {
        let mut by_name: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for change in std::mem::take(&mut *self.waiting()) {
            by_name.entry(change.place.name.clone()).or_default().push(change);
        }
        by_name
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
