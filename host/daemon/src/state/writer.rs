//! The one thread that changes the store. What waits while a transaction is on its way to the disk goes into the next
//! one together, so that many decisions share one fsync.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use portcullis_model::fault::StateFault;
use portcullis_model::limits::StateLimits;
use redb::{Database, ReadableTable, Table};
use tokio::sync::oneshot;

use crate::state::added;
use crate::state::disk::{ENTRIES, USAGE};

/// Changes that may wait; one more is refused, and its decision is a fault.
const QUEUE: usize = 4096;
/// Changes of one transaction.
const BATCH: usize = 512;

#[derive(Debug)]
pub(crate) struct Writer(SyncSender<Order>);

/// A change, and whose.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) space: Arc<str>,
    pub(crate) limits: StateLimits,
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
type Usage<'t> = Table<'t, &'static str, (u32, u64)>;

// === impl Writer ===

impl Writer {
    pub(crate) fn start(database: Arc<Database>) -> std::io::Result<Self> {
        let (sender, orders) = sync_channel(QUEUE);
        std::thread::Builder::new().name("state".into()).spawn(move || run(&database, &orders))?;
        Ok(Self(sender))
    }

    pub(crate) fn send(&self, order: Order) -> Result<(), StateFault> {
        self.0.try_send(order).map_err(|error| {
            StateFault::Unavailable(match error {
                TrySendError::Full(_) => "too many changes wait for the disk".into(),
                TrySendError::Disconnected(_) => "the store is closing".into(),
            })
        })
    }
}

fn run(database: &Database, orders: &Receiver<Order>) {
    while let Ok(first) = orders.recv() {
        let batch = std::iter::once(first).chain(orders.try_iter().take(BATCH - 1));
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
fn write(database: &Database, batch: impl Iterator<Item = Order>, held: &mut Vec<Held>) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    {
        let mut entries = transaction.open_table(ENTRIES)?;
        let mut usage = transaction.open_table(USAGE)?;
        for Order { space, limits, change } in batch {
            let mut space = Space { name: &space, limits, entries: &mut entries, usage: &mut usage };
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

/// One policy's space in a transaction.
struct Space<'s, 't> {
    name: &'s str,
    limits: StateLimits,
    entries: &'s mut Entries<'t>,
    usage: &'s mut Usage<'t>,
}

fn unavailable(error: redb::StorageError) -> StateFault {
    StateFault::Unavailable(error.to_string())
}

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
        let value = self.entries.get((self.name, key)).map_err(unavailable)?;
        Ok(value.map(|value| value.value().to_vec()))
    }

    fn set(&mut self, key: &str, current: Option<&[u8]>, value: Option<&[u8]>) -> Result<(), StateFault> {
        let used = self.usage.get(self.name).map_err(unavailable)?.map_or((0, 0), |usage| usage.value());
        let usage = self.after(used, key, current, value)?;
        match value {
            Some(value) => self.entries.insert((self.name, key), value).map(drop),
            None => self.entries.remove((self.name, key)).map(drop),
        }
        .map_err(unavailable)?;
        self.usage.insert(self.name, usage).map(drop).map_err(unavailable)
    }

    /// What the space uses after a change; refused where that grows past a limit.
    fn after(
        &self,
        (keys, bytes): (u32, u64),
        key: &str,
        current: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Result<(u32, u64), StateFault> {
        let size = |value: Option<&[u8]>| value.map_or(0, |value| (key.len() + value.len()) as u64);
        let count = |value: Option<&[u8]>| u32::from(value.is_some());
        let (keys_after, bytes_after) = (
            keys.saturating_sub(count(current)).saturating_add(count(value)),
            bytes.saturating_sub(size(current)).saturating_add(size(value)),
        );
        if keys_after > keys && keys_after > self.limits.keys {
            return Err(StateFault::TooManyKeys { limit: self.limits.keys });
        }
        if bytes_after > bytes && bytes_after > self.limits.bytes {
            return Err(StateFault::TooManyBytes { limit: self.limits.bytes });
        }
        Ok((keys_after, bytes_after))
    }
}
