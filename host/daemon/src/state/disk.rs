//! The store on disk: one file, each tenant's policies with a space of their own in it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use portcullis_engine::{State, StateFuture};
use portcullis_model::fault::StateFault;
use portcullis_model::limits::StateLimits;
use redb::backends::FileBackend;
use redb::{Database, DatabaseError, ReadableDatabase, ReadableTable, TableDefinition};
use tokio::sync::oneshot;

use crate::state::check_key;
use crate::state::space::{SpaceName, tenant_of};
use crate::state::usage::Usage;
use crate::state::writer::{Change, Order, Writer};

/// (space, key) to value.
pub(crate) const ENTRIES: TableDefinition<'_, (&str, &str), &[u8]> = TableDefinition::new("entries");
/// Space to how many keys it has, and how many bytes keys and values together.
pub(crate) const USAGE: TableDefinition<'_, &str, (u32, u64)> = TableDefinition::new("usage");
/// Tenant to the same of all its spaces together. Made anew whenever the store is opened.
pub(crate) const SUMS: TableDefinition<'_, &str, (u32, u64)> = TableDefinition::new("sums");

pub(crate) const FILE: &str = "state.redb";
/// How long another host may hold the file before it counts as one that lives.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);
const LOCK_AGAIN: Duration = Duration::from_millis(20);

/// All policies' state. Cheap to clone.
///
/// A store that cannot be opened does not stop the host: policies that need it deny, and the reason is in each denial's
/// cause.
#[derive(Clone, Debug)]
pub struct Store(Result<Arc<Open>, Arc<str>>);

#[derive(Debug)]
struct Open {
    database: Arc<Database>,
    writer: Writer,
}

/// One policy's part of the store.
#[derive(Debug)]
struct Space {
    store: Store,
    name: SpaceName,
    limits: StateLimits,
    /// What all spaces of its tenant may hold together.
    sum: StateLimits,
}

// === impl Store ===

impl Store {
    /// Opens the store in a folder, making both where they are not there.
    pub fn open(dir: &Path) -> Self {
        Self(Open::new(dir).map(Arc::new).map_err(Arc::from))
    }

    /// A store that does not answer, for this reason.
    pub(crate) fn unavailable(problem: &str) -> Self {
        Self(Err(problem.into()))
    }

    /// Why the store is not available.
    pub fn problem(&self) -> Option<&str> {
        self.0.as_ref().err().map(AsRef::as_ref)
    }

    /// A policy's part: `limits` bound it alone, `sum` all parts of its tenant together.
    pub fn space(&self, name: SpaceName, limits: StateLimits, sum: StateLimits) -> Arc<dyn State> {
        Arc::new(Space { store: self.clone(), name, limits, sum })
    }

    fn opened(&self) -> Result<&Open, StateFault> {
        self.0.as_deref().map_err(|problem| StateFault::Unavailable(problem.to_string()))
    }
}

// === impl Open ===

impl Open {
    fn new(dir: &Path) -> Result<Self, String> {
        let path: PathBuf = dir.join(FILE);
        let failed = |problem: String| format!("`{}`: {problem}", path.display());
        make_private_dir(dir).map_err(|error| failed(error.to_string()))?;
        let database = open_database(&path).map_err(|error| failed(error.to_string()))?;
        let database = Arc::new(database);
        prepare(&database).map_err(|error| failed(error.to_string()))?;
        let writer = Writer::start(Arc::clone(&database)).map_err(|error| failed(error.to_string()))?;
        Ok(Self { database, writer })
    }

    fn get(&self, space: &str, key: &str) -> Result<Option<Vec<u8>>, redb::Error> {
        let table = self.database.begin_read()?.open_table(ENTRIES)?;
        Ok(table.get((space, key))?.map(|value| value.value().to_vec()))
    }
}

/// Makes the tables, so that a read never finds them missing, and the sums: a store of before there were tenants has none.
fn prepare(database: &Database) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    transaction.open_table(ENTRIES)?;
    transaction.delete_table(SUMS)?;
    {
        let mut sums = BTreeMap::<String, Usage>::new();
        for entry in transaction.open_table(USAGE)?.iter()? {
            let (space, usage) = entry?;
            let sum = sums.entry(tenant_of(space.value()).to_owned()).or_default();
            *sum = sum.plus(usage.value().into());
        }
        let mut table = transaction.open_table(SUMS)?;
        for (tenant, sum) in sums {
            table.insert(tenant.as_str(), <(u32, u64)>::from(sum))?;
        }
    }
    Ok(transaction.commit()?)
}

/// Opens and locks the file. A host that was killed may hold the lock for a moment longer than it answers.
fn open_database(path: &Path) -> Result<Database, redb::Error> {
    let deadline = Instant::now() + LOCK_PATIENCE;
    loop {
        let file = FileBackend::new(open_private(path)?);
        match file.and_then(|file| Database::builder().create_with_backend(file)) {
            Err(DatabaseError::DatabaseAlreadyOpen) if Instant::now() < deadline => std::thread::sleep(LOCK_AGAIN),
            opened => return Ok(opened?),
        }
    }
}

fn open_private(path: &Path) -> std::io::Result<fs::File> {
    use std::os::unix::fs::OpenOptionsExt;
    fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

fn make_private_dir(dir: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

// === impl Space ===

impl Space {
    /// Hands a change to the writer, and waits until it is on disk.
    async fn change<T>(
        &self,
        change: impl FnOnce(oneshot::Sender<Result<T, StateFault>>) -> Change,
    ) -> Result<T, StateFault> {
        let (sender, answer) = oneshot::channel();
        let (space, limits, sum) = (self.name.clone(), self.limits, self.sum);
        let order = Order { space, limits, sum, change: change(sender) };
        self.store.opened()?.writer.send(order)?;
        answer.await.unwrap_or_else(|_| Err(StateFault::Unavailable("the store is closing".into())))
    }
}

impl State for Space {
    fn get(&self, key: String) -> StateFuture<'_, Option<Vec<u8>>> {
        Box::pin(async move {
            check_key(&key)?;
            let store = self.store.opened()?;
            store.get(self.name.as_str(), &key).map_err(|error| StateFault::Unavailable(error.to_string()))
        })
    }

    fn compare_and_set(&self, key: String, expected: Option<Vec<u8>>, value: Option<Vec<u8>>) -> StateFuture<'_, bool> {
        Box::pin(async move {
            check_key(&key)?;
            self.change(|answer| Change::CompareAndSet { key, expected, value, answer }).await
        })
    }

    fn add(&self, key: String, delta: i64) -> StateFuture<'_, i64> {
        Box::pin(async move {
            check_key(&key)?;
            self.change(|answer| Change::Add { key, delta, answer }).await
        })
    }
}

#[cfg(test)]
mod tests;
