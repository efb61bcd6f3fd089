//! Changes that wait for their folder, and how much may be under way at once.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::timeout;

use crate::manage::data::{DataChange, Edit, Place};
use crate::manage::{ManageError, Precondition, Scope};

/// Changes of one folder that wait.
const MAX_WAITING: usize = 1024;
/// KiB of bodies that are held at once.
const UPLOADS: u32 = 1 << 20;
/// Large answers that are written at once: each has a thread.
const DOWNLOADS: usize = 8;
/// How long somebody waits for his turn at either.
const PATIENCE: Duration = Duration::from_secs(60);

/// A desk for each folder.
#[derive(Debug)]
pub(crate) struct Desks {
    desks: Mutex<HashMap<Scope, Arc<Desk>>>,
    uploads: Arc<Semaphore>,
    downloads: Arc<Semaphore>,
}

/// The changes of one folder.
#[derive(Debug, Default)]
pub(super) struct Desk {
    waiting: Mutex<Vec<Waiting>>,
    /// Who makes changes now.
    writer: tokio::sync::Mutex<()>,
}

/// A change, and who wants to know what came of it.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) place: Place,
    pub(crate) edit: Edit,
    pub(crate) precondition: Precondition,
    pub(crate) answer: oneshot::Sender<Result<DataChange, ManageError>>,
}

// === impl Desks ===

impl Default for Desks {
    fn default() -> Self {
        Self {
            desks: Mutex::default(),
            uploads: Arc::new(Semaphore::new(UPLOADS as usize)),
            downloads: Arc::new(Semaphore::new(DOWNLOADS)),
        }
    }
}

impl Desks {
    pub(super) fn of(&self, scope: &Scope) -> Arc<Desk> {
        let mut desks = self.desks.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(desks.entry(scope.clone()).or_default())
    }

    pub(super) fn put(&self, scope: &Scope, change: Waiting) -> Result<(), ManageError> {
        let desk = self.of(scope);
        let mut waiting = desk.waiting();
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
    let busy = || ManageError::Busy(format!("no room within {} s; try again", PATIENCE.as_secs()));
    timeout(PATIENCE, permit).await.map_err(|_| busy())?.map_err(|_| busy())
}

// === impl Desk ===

impl Desk {
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
