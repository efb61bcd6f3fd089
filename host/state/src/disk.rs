//! The store on disk: one file, each tenant's policies with a space of their own in it.

use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use portcullis_engine::{State, StateFuture, Threads, Undone};
use portcullis_model::decision::Origin;
use portcullis_model::fault::StateFault;
use portcullis_model::limits::StateLimits;
use portcullis_model::{PolicyName, TenantName};
use portcullis_telemetry::metrics::Commits;
use redb::{Database, ReadableDatabase, ReadableTable};
use tokio::sync::oneshot;

use crate::base::Base;
use crate::check_key;
use crate::space::SpaceName;
use crate::tables::{ENTRIES, Extent, SUMS, USAGE, end_of, kept};
use crate::usage::{Bounds, Holdings, Usage};
use crate::write_request::{Change, Reply, WriteRequest};
use crate::writer::Writer;

/// A disk that takes longer to read does not answer.
const READ_WITHIN: Duration = Duration::from_secs(1);
/// Threads that read: as many as a disk that does not answer can hold.
const READERS: usize = 8;

/// All policies' state. Cheap to clone.
///
/// A store that cannot be opened does not stop the host: policies that need it deny, and the reason is in each denial's
/// cause. One whose disk failed, or is full, or that another host holds, is tried again by itself; one that is damaged
/// is set aside, and waits for the operator ([`Store::reset`]).
#[derive(Clone, Debug)]
pub struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    base: Arc<Base>,
    readers: Arc<Threads>,
    /// None where nothing can be changed.
    writer: Option<Writer>,
}

/// What one space holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpaceUsage {
    pub tenant: TenantName,
    pub origin: Origin,
    pub policy: PolicyName,
    pub usage: Usage,
}

/// A key, and how many bytes its value has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySize {
    pub key: String,
    pub value_bytes: u64,
}

/// One policy's part of the store.
#[derive(Debug)]
struct Space {
    store: Store,
    name: SpaceName,
    bounds: Bounds,
}

// === impl Store ===

impl Store {
    /// Opens the store in a folder, making both where they are not there.
    pub fn open(dir: &Path) -> Self {
        Self::of(Base::open(dir))
    }

    /// The store of a host that takes the place of another one, which has it still.
    pub fn later(dir: &Path) -> Self {
        Self::of(Base::later(dir))
    }

    /// Opens it: the other host does not have it any more.
    pub fn open_now(&self) {
        self.0.base.open_now();
    }

    /// Leaves it to the next host, when what is under way is done.
    pub fn close(&self) {
        self.0.base.close();
    }

    fn of(base: Base) -> Self {
        let base = Arc::new(base);
        match Writer::start(Arc::clone(&base)) {
            Ok(writer) => Self(Arc::new(Inner { base, readers: readers(), writer: Some(writer) })),
            Err(error) => Self::unavailable(&format!("no thread for the store: {error}")),
        }
    }

    /// A store that does not answer, for this reason.
    pub fn unavailable(problem: &str) -> Self {
        Self(Arc::new(Inner { base: Arc::new(Base::lost(problem)), readers: readers(), writer: None }))
    }

    /// Why the store is not available, now.
    pub fn problem(&self) -> Option<String> {
        self.0.base.problem_now()
    }

    /// Why changes did not reach the disk when last tried.
    pub fn write_problem(&self) -> Option<String> {
        self.writes().and_then(Commits::problem)
    }

    /// The disk has room.
    pub fn has_room(&self) {
        if let Some(commits) = self.writes() {
            commits.has_room();
        }
    }

    /// What is wrong where the open file is not the one that lies in the folder.
    pub fn lost_file(&self) -> Option<String> {
        self.0.base.lost_file()
    }

    #[cfg(test)]
    pub(crate) fn base(&self) -> &Base {
        &self.0.base
    }

    /// How many transactions have gone to the disk since the store was opened: changes share them.
    pub fn commits(&self) -> u64 {
        self.writes().map_or(0, Commits::done)
    }

    /// What became of them; none where nothing can be changed.
    pub fn writes(&self) -> Option<&Commits> {
        self.0.writer.as_ref().map(Writer::commits)
    }

    /// What is kept for each tenant that something is kept for.
    pub fn sums(&self) -> Result<Vec<(String, Usage)>, StateFault> {
        self.0.base.read(|database| {
            let mut sums = Vec::new();
            for entry in database.begin_read()?.open_table(SUMS)?.iter()? {
                let (tenant, usage) = entry?;
                sums.push((tenant.value().to_owned(), Usage::from(usage.value())));
            }
            Ok(sums)
        })
    }

    /// A policy's part: `limits` bound it alone, `sum` all parts of its tenant together.
    pub fn space(&self, name: SpaceName, limits: StateLimits, sum: StateLimits) -> Arc<dyn State> {
        Arc::new(Space { store: self.clone(), name, bounds: Bounds { space: limits, tenant: sum } })
    }

    /// Every space that holds something, also of tenants and policies that are gone, by tenant, origin and policy.
    pub fn spaces(&self) -> Result<Vec<SpaceUsage>, StateFault> {
        let mut spaces = self.0.base.read(spaces)?;
        spaces.sort_unstable_by(|a, b| a.order().cmp(&b.order()));
        Ok(spaces)
    }

    /// The keys of a space, in their order: at most so many of those after `after`.
    pub fn keys(&self, space: &SpaceName, after: Option<&str>, most: usize) -> Result<Vec<KeySize>, StateFault> {
        self.0.base.read(|database| keys(database, space.as_str(), after, most))
    }

    /// A key's value.
    pub fn get(&self, space: &SpaceName, key: &str) -> Result<Option<Vec<u8>>, StateFault> {
        check_key(key)?;
        self.0.base.read(|database| get(database, space.as_str(), key))
    }

    /// Clears a space. How much went is the answer; it is on disk by then.
    pub async fn clear(&self, space: SpaceName) -> Result<Usage, StateFault> {
        self.clear_all(space.tenant().clone(), Extent::Space(space)).await
    }

    /// Clears one key of a space.
    pub async fn clear_key(&self, space: SpaceName, key: String) -> Result<Usage, StateFault> {
        check_key(&key)?;
        self.clear_all(space.tenant().clone(), Extent::Key(space, key)).await
    }

    /// Clears all that is kept for a tenant, by its own policies and by host-wide ones.
    pub async fn clear_tenant(&self, tenant: TenantName) -> Result<Usage, StateFault> {
        self.clear_all(tenant.clone(), Extent::Tenant(tenant)).await
    }

    /// Accepts that a damaged store is lost: gives the files that were set aside other names, which are the answer, and
    /// opens what is in the store's place by now, or an empty store. Does nothing where nothing is damaged.
    pub fn reset(&self) -> Result<Vec<String>, StateFault> {
        self.0.base.accept_loss()
    }

    /// What a space and its tenant hold now.
    pub(crate) async fn holdings(&self, space: &SpaceName) -> Result<Holdings, StateFault> {
        let name = space.clone();
        let read = move |store: Self| store.0.base.read(|database| holdings(database, &name));
        self.reading(space.tenant().as_str(), READ_WITHIN, read).await
    }

    /// A policy's value, for those that answer calls: what is known already needs no disk.
    async fn value(&self, space: &SpaceName, key: String) -> Result<Option<Vec<u8>>, StateFault> {
        check_key(&key)?;
        if let Some(known) = self.0.base.cached(space.as_str(), &key) {
            return Ok(known);
        }
        let name = space.clone();
        let read = move |store: Self| {
            let Inner { base, .. } = &*store.0;
            let version = base.cache().version();
            let value = base.read(|database| get(database, name.as_str(), &key))?;
            base.cache().put(version, name.shared(), &key, value.as_deref());
            Ok(value)
        };
        self.reading(space.tenant().as_str(), READ_WITHIN, read).await
    }

    /// Reads on a thread for that. A disk that does not answer holds no other.
    pub async fn reading<T: Send + 'static>(
        &self,
        whose: &str,
        within: Duration,
        read: impl FnOnce(Self) -> Result<T, StateFault> + Send + 'static,
    ) -> Result<T, StateFault> {
        let store = self.clone();
        let read = self.0.readers.run(whose, Instant::now() + within, move || read(store));
        read.await.unwrap_or_else(|undone| {
            Err(StateFault::Unavailable(match undone {
                Undone::Late => format!("it did not answer in time: not within {} ms", within.as_millis()),
                Undone::Lost => "the host failed; its log says how".to_owned(),
            }))
        })
    }

    async fn clear_all(&self, tenant: TenantName, extent: Extent) -> Result<Usage, StateFault> {
        let (reply, answer) = Reply::new();
        self.writer()?.send_first(WriteRequest { tenant, change: Change::Clear { extent, reply } })?;
        answered(answer).await
    }

    fn writer(&self) -> Result<&Writer, StateFault> {
        let unavailable = || StateFault::Unavailable(self.problem().unwrap_or_default());
        self.0.writer.as_ref().ok_or_else(unavailable)
    }
}

fn readers() -> Arc<Threads> {
    Threads::new("state-read", READERS, false)
}

async fn answered<T>(answer: oneshot::Receiver<Result<T, StateFault>>) -> Result<T, StateFault> {
    answer.await.unwrap_or_else(|_| Err(StateFault::Unavailable("the store is closing".into())))
}

fn get(database: &Database, space: &str, key: &str) -> Result<Option<Vec<u8>>, redb::Error> {
    let table = database.begin_read()?.open_table(ENTRIES)?;
    Ok(table.get((space, key))?.map(|value| value.value().to_vec()))
}

fn holdings(database: &Database, space: &SpaceName) -> Result<Holdings, redb::Error> {
    let transaction = database.begin_read()?;
    Ok(Holdings {
        space: kept(&transaction.open_table(USAGE)?, space.as_str())?,
        tenant: kept(&transaction.open_table(SUMS)?, space.tenant().as_str())?,
    })
}

fn spaces(database: &Database) -> Result<Vec<SpaceUsage>, redb::Error> {
    let mut spaces = Vec::new();
    for entry in database.begin_read()?.open_table(USAGE)?.iter()? {
        let (space, usage) = entry?;
        let usage = Usage::from(usage.value());
        // Stores of before kept a row for what was emptied. Names that are none were written by no host.
        let named = SpaceName::parse(space.value()).filter(|_| usage != Usage::default());
        spaces.extend(named.map(|(tenant, origin, policy)| SpaceUsage { tenant, origin, policy, usage }));
    }
    Ok(spaces)
}

fn keys(database: &Database, space: &str, after: Option<&str>, most: usize) -> Result<Vec<KeySize>, redb::Error> {
    let end = end_of(space);
    let from = after.map_or(Bound::Included((space, "")), |after| Bound::Excluded((space, after)));
    let range = (from, Bound::Excluded((end.as_str(), "")));
    let table = database.begin_read()?.open_table(ENTRIES)?;
    let mut keys = Vec::new();
    for entry in table.range::<(&str, &str)>(range)?.take(most) {
        let (key, value) = entry?;
        keys.push(KeySize { key: key.value().1.to_owned(), value_bytes: value.value().len() as u64 });
    }
    Ok(keys)
}

// === impl SpaceUsage ===

impl SpaceUsage {
    fn order(&self) -> (&str, bool, &str) {
        (self.tenant.as_str(), self.origin == Origin::Tenant, self.policy.as_str())
    }
}

// === impl Space ===

impl Space {
    /// Hands a change to the writer, and waits until it is on disk.
    async fn change<T>(&self, change: impl FnOnce(SpaceName, Bounds, Reply<T>) -> Change) -> Result<T, StateFault> {
        let (reply, answer) = Reply::new();
        let change = change(self.name.clone(), self.bounds, reply);
        self.store.writer()?.send(WriteRequest { tenant: self.name.tenant().clone(), change })?;
        answered(answer).await
    }
}

impl State for Space {
    fn get(&self, key: String) -> StateFuture<'_, Option<Vec<u8>>> {
        Box::pin(self.store.value(&self.name, key))
    }

    fn compare_and_set(&self, key: String, expected: Option<Vec<u8>>, value: Option<Vec<u8>>) -> StateFuture<'_, bool> {
        Box::pin(async move {
            check_key(&key)?;
            self.change(|space, bounds, reply| Change::CompareAndSet { space, bounds, key, expected, value, reply })
                .await
        })
    }

    fn add(&self, key: String, delta: i64) -> StateFuture<'_, i64> {
        Box::pin(async move {
            check_key(&key)?;
            self.change(|space, bounds, reply| Change::Add { space, bounds, key, delta, reply }).await
        })
    }
}

#[cfg(test)]
mod tests;
