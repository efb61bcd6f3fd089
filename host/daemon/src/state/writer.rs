//! The one thread that changes the store. What waits while a transaction is on its way to the disk goes into the next
//! one together, so that many decisions share one fsync.

use std::sync::Arc;

use portcullis_model::fault::StateFault;
use portcullis_model::limits::StateLimits;
use redb::{Database, ReadableTable, Table, WriteTransaction};
use tokio::sync::oneshot;

use crate::state::added;
use crate::state::disk::{ENTRIES, SUMS, USAGE};
use crate::state::queue::{Receiver, Sender, queue};
use crate::state::space::SpaceName;
use crate::state::usage::{Excess, Usage};

#[derive(Debug)]
pub(crate) struct Writer(Sender);

/// A change, and whose.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) space: SpaceName,
    /// What the space may hold.
    pub(crate) limits: StateLimits,
    /// What all spaces of its tenant may hold together.
    pub(crate) sum: StateLimits,
    pub(crate) change: Change,
}

type Answer<T> = oneshot::Sender<Result<T, StateFault>>;

#[derive(Debug)]
pub(crate) enum Change {
    CompareAndSet { key: String, expected: Option<Vec<u8>>, value: Option<Vec<u8>>, answer: Answer<bool> },
    Add { key: String, delta: i64, answer: Answer<i64> },
}

/// An answer that waits for its transaction to be on disk.
enum Held {
    CompareAndSet(Answer<bool>, Result<bool, StateFault>),
    Add(Answer<i64>, Result<i64, StateFault>),
}

type Entries<'t> = Table<'t, (&'static str, &'static str), &'static [u8]>;
type Usages<'t> = Table<'t, &'static str, (u32, u64)>;

struct Tables<'t> {
    entries: Entries<'t>,
    /// Of each space.
    usage: Usages<'t>,
    /// Of each tenant's spaces together.
    sums: Usages<'t>,
}

// === impl Writer ===

impl Writer {
    pub(crate) fn start(database: Arc<Database>) -> std::io::Result<Self> {
        let (sender, orders) = queue();
        std::thread::Builder::new().name("state".into()).spawn(move || run(&database, &orders))?;
        Ok(Self(sender))
    }

    pub(crate) fn send(&self, order: Order) -> Result<(), StateFault> {
        self.0.send(order)
    }

    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        self.0.waiting()
    }
}

fn run(database: &Database, orders: &Receiver) {
    while let Some(batch) = orders.next_batch() {
        let mut held = Vec::new();
        let written = write(database, batch, &mut held);
        let failure = written.err().map(|error| StateFault::Unavailable(error.to_string()));
        for answer in held {
            answer.give(failure.as_ref());
        }
    }
}

/// Carries out a batch in one durable transaction. What it could not carry out, and what was not yet carried out when
/// the store failed, is answered with the failure: dropping an order's sender does so for those that were not begun.
fn write(database: &Database, batch: Vec<Order>, held: &mut Vec<Held>) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    {
        let mut tables = Tables::open(&transaction)?;
        for Order { space, limits, sum, change } in batch {
            let mut space = Space { name: &space, limits, sum, tables: &mut tables };
            match change {
                Change::CompareAndSet { key, expected, value, answer } => {
                    let done = space.compare_and_set(&key, expected.as_deref(), value.as_deref());
                    held.push(Held::CompareAndSet(answer, done));
                }
                Change::Add { key, delta, answer } => held.push(Held::Add(answer, space.add(&key, delta))),
            }
        }
    }
    Ok(transaction.commit()?)
}

// === impl Change ===

impl Change {
    /// About how many bytes it writes.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::CompareAndSet { key, value, .. } => key.len() + value.as_ref().map_or(0, Vec::len),
            Self::Add { key, .. } => key.len() + size_of::<i64>(),
        }
    }
}

// === impl Held ===

impl Held {
    fn give(self, failure: Option<&StateFault>) {
        // Nobody waits any more where the decision ran into its own deadline.
        match (self, failure.cloned()) {
            (Self::CompareAndSet(answer, _), Some(failure)) => drop(answer.send(Err(failure))),
            (Self::Add(answer, _), Some(failure)) => drop(answer.send(Err(failure))),
            (Self::CompareAndSet(answer, done), None) => drop(answer.send(done)),
            (Self::Add(answer, done), None) => drop(answer.send(done)),
        }
    }
}

// === impl Tables ===

impl<'t> Tables<'t> {
    fn open(transaction: &'t WriteTransaction) -> Result<Self, redb::Error> {
        Ok(Self {
            entries: transaction.open_table(ENTRIES)?,
            usage: transaction.open_table(USAGE)?,
            sums: transaction.open_table(SUMS)?,
        })
    }
}

/// What a space, or a tenant, keeps now.
fn kept(table: &Usages<'_>, whose: &str) -> Result<Usage, StateFault> {
    let kept = table.get(whose).map_err(unavailable)?;
    Ok(kept.map_or_else(Usage::default, |kept| kept.value().into()))
}

fn unavailable(error: redb::StorageError) -> StateFault {
    StateFault::Unavailable(error.to_string())
}

/// One policy's space in a transaction.
struct Space<'s, 't> {
    name: &'s SpaceName,
    limits: StateLimits,
    sum: StateLimits,
    tables: &'s mut Tables<'t>,
}

// === impl Space ===

impl Space<'_, '_> {
    fn compare_and_set(
        &mut self,
        key: &str,
        expected: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Result<bool, StateFault> {
        let current = self.current(key)?;
        if current.as_deref() != expected {
            return Ok(false);
        }
        self.set(key, current.as_deref(), value)?;
        Ok(true)
    }

    fn add(&mut self, key: &str, delta: i64) -> Result<i64, StateFault> {
        let current = self.current(key)?;
        let sum = added(key, current.as_deref(), delta)?;
        self.set(key, current.as_deref(), Some(&sum.to_le_bytes()))?;
        Ok(sum)
    }

    fn current(&self, key: &str) -> Result<Option<Vec<u8>>, StateFault> {
        let value = self.tables.entries.get((self.name.as_str(), key)).map_err(unavailable)?;
        Ok(value.map(|value| value.value().to_vec()))
    }

    /// Refused where what the space, or all of its tenant's together, holds would grow past its limit.
    fn set(&mut self, key: &str, current: Option<&[u8]>, value: Option<&[u8]>) -> Result<(), StateFault> {
        let (space, tenant) = (self.name.as_str(), self.name.tenant().as_str());
        let (old, new) = (Usage::of(key, current), Usage::of(key, value));
        let Tables { entries, usage, sums } = &mut *self.tables;
        let space_holds = kept(usage, space)?.replacing(old, new, self.limits).map_err(Excess::of_policy)?;
        let tenant_holds = kept(sums, tenant)?.replacing(old, new, self.sum).map_err(Excess::of_tenant)?;
        match value {
            Some(value) => entries.insert((space, key), value).map(drop),
            None => entries.remove((space, key)).map(drop),
        }
        .map_err(unavailable)?;
        usage.insert(space, <(u32, u64)>::from(space_holds)).map_err(unavailable)?;
        sums.insert(tenant, <(u32, u64)>::from(tenant_holds)).map_err(unavailable)?;
        Ok(())
    }
}
