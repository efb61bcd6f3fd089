//! The host's own log file, with those that were rotated: where decisions are that are not among the last ones.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use portcullis_decision_log::archive::Logs;
use portcullis_decision_log::id::Wanted;
use portcullis_decision_log::record::DecisionRecord;
use portcullis_model::TenantName;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::error::Failure;

/// Files are large, and who searches them waits for others.
const SEARCHED_WITHIN: Duration = Duration::from_secs(60);

/// Looks one decision up, and then the next: files can be large, and whoever asks must not keep the disk from others.
#[derive(Debug)]
pub(crate) struct Archive {
    /// None where decisions are written to no file.
    file: Option<PathBuf>,
    turn: Arc<Semaphore>,
}

// === impl Archive ===

impl Archive {
    pub(super) fn new(file: Option<PathBuf>) -> Self {
        Self { file, turn: Arc::new(Semaphore::new(1)) }
    }

    /// The record with this ID, if it is this tenant's, or of any where none is named.
    pub(super) async fn find(&self, wanted: Wanted, tenant: Option<TenantName>) -> Result<Option<String>, Failure> {
        let Some(file) = self.file.clone() else { return Ok(None) };
        let found = timeout(SEARCHED_WITHIN, self.search(file, wanted)).await;
        let silent = || {
            let message = format!("the log file could not be searched within {} s", SEARCHED_WITHIN.as_secs());
            Failure::new(StatusCode::SERVICE_UNAVAILABLE, message)
        };
        let found = found.map_err(|_| silent())??;
        let is_theirs = |record: &DecisionRecord| {
            tenant.as_ref().is_none_or(|tenant| record.tenant.as_deref() == Some(tenant.as_str()))
        };
        Ok(found.filter(is_theirs).and_then(|record| serde_json::to_string(&record).ok()))
    }
}

impl Archive {
    async fn search(&self, file: PathBuf, wanted: Wanted) -> Result<Option<DecisionRecord<'static>>, Failure> {
        // Nobody closes it.
        let Ok(turn) = Arc::clone(&self.turn).acquire_owned().await else { return Ok(None) };
        let found = tokio::task::spawn_blocking(move || {
            // A disk that does not answer keeps it, and no second thread waits there.
            let _turn = turn;
            search(&file, &wanted)
        });
        found.await.map_err(|_| failed("the host panicked; its log says how".to_owned()))?
    }
}

/// In the file and in those beside it whose names begin with its own.
fn search(file: &std::path::Path, wanted: &Wanted) -> Result<Option<DecisionRecord<'static>>, Failure> {
    let message = |error: &dyn std::fmt::Display| failed(format!("the log file cannot be searched: {error}"));
    let logs = Logs::open(&rotated(file)).map_err(|error| message(&error))?;
    logs.find(|id| wanted.is(id)).map_err(|error| message(&error))
}

fn rotated(file: &std::path::Path) -> Vec<PathBuf> {
    let (Some(folder), Some(name)) = (file.parent(), file.file_name().and_then(|name| name.to_str())) else {
        return vec![file.to_owned()];
    };
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let is_its = |path: &PathBuf| {
        let other = path.file_name().and_then(|name| name.to_str());
        other.is_some_and(|other| other.starts_with(name) && !other.ends_with(".gz")) && path.is_file()
    };
    entries.map(|entry| entry.path()).filter(is_its).collect()
}

fn failed(message: String) -> Failure {
    Failure::new(StatusCode::INTERNAL_SERVER_ERROR, message)
}
