//! The one thread that changes the store. What waits while a transaction is on its way to the disk goes into the next
//! one together, so that many decisions share one commit.

use std::sync::Arc;
use std::time::Instant;

use portcullis_model::TenantName;
use portcullis_model::fault::StateFault;
use portcullis_telemetry::metrics::Commits;
use redb::Database;
use tokio::sync::oneshot;

use crate::base::{Base, REST};
use crate::queue::{Receiver, Sender, queue};
use crate::space::SpaceName;
use crate::tables::{Extent, Stop, Tables, begin};
use crate::usage::{Bounds, Usage};

#[derive(Debug)]
pub(crate) struct Writer {
    orders: Sender,
    commits: Arc<Commits>,
}

/// A change, and whose turn it takes.
#[derive(Debug)]
pub(crate) struct Order {
    pub tenant: TenantName,
    pub change: Change,
}

#[derive(Debug)]
pub(crate) enum Change {
    CompareAndSet {
        space: SpaceName,
        bounds: Bounds,
        key: String,
        expected: Option<Vec<u8>>,
        value: Option<Vec<u8>>,
        reply: Reply<bool>,
    },
    Add {
        space: SpaceName,
        bounds: Bounds,
        key: String,
        delta: i64,
        reply: Reply<i64>,
    },
    Clear {
        extent: Extent,
        reply: Reply<Usage>,
    },
}

/// An answer, which waits for its transaction to be on disk.
#[derive(Debug)]
pub(crate) struct Reply<T> {
    to: oneshot::Sender<Result<T, StateFault>>,
    held: Option<Result<T, StateFault>>,
}

/// How a commit failed, and when the next may be tried: a disk that fails is not asked with every change.
struct Failed {
    fault: StateFault,
    again: Instant,
}

// === impl Writer ===

impl Writer {
    pub(crate) fn start(base: Arc<Base>) -> std::io::Result<Self> {
        let (sender, orders) = queue();
        let commits = Arc::new(Commits::default());
        let counted = Arc::clone(&commits);
        std::thread::Builder::new().name("state".into()).spawn(move || run(&base, &orders, &counted))?;
        Ok(Self { orders: sender, commits })
    }

    /// A policy's change.
    pub(crate) fn send(&self, order: Order) -> Result<(), StateFault> {
        self.orders.send(order)
    }

    /// The operator's, which waits behind nothing of the same tenant's.
    pub(crate) fn send_first(&self, order: Order) -> Result<(), StateFault> {
        self.orders.send_first(order)
    }

    pub(crate) fn commits(&self) -> &Commits {
        &self.commits
    }

    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        self.orders.waiting()
    }
}

fn run(base: &Base, orders: &Receiver, commits: &Commits) {
    let mut failed: Option<Failed> = None;
    while let Some(mut batch) = orders.next_batch() {
        let resting = failed.take_if(|failed| Instant::now() < failed.again && base.problem().is_none());
        failed = match resting {
            Some(failed) => Some(failed),
            None => {
                let start = Instant::now();
                let written = base.with(|database| write(database, &mut batch));
                commits.count(written.is_ok(), batch.len(), start.elapsed());
                commits.set_problem(written.as_ref().err().map(|fault| (fault.to_string(), base.is_full())));
                written.err().map(|fault| Failed { fault, again: Instant::now() + REST })
            }
        };
        for order in batch {
            order.change.answer(failed.as_ref().map(|failed| &failed.fault));
        }
    }
}

/// Carries out a batch in one durable transaction.
fn write(database: &Database, batch: &mut [Order]) -> Result<(), redb::Error> {
    let transaction = begin(database)?;
    {
        let mut tables = Tables::open(&transaction)?;
        for order in batch {
            order.change.carry_out(&mut tables)?;
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
            Self::Clear { .. } => 0,
        }
    }

    fn carry_out(&mut self, tables: &mut Tables<'_>) -> Result<(), redb::Error> {
        match self {
            Self::CompareAndSet { space, bounds, key, expected, value, reply } => {
                reply.hold(tables.compare_and_set(space, *bounds, key, expected.as_deref(), value.as_deref()))
            }
            Self::Add { space, bounds, key, delta, reply } => reply.hold(tables.add(space, *bounds, key, *delta)),
            Self::Clear { extent, reply } => reply.hold(tables.clear(extent)),
        }
    }

    fn answer(self, failure: Option<&StateFault>) {
        match self {
            Self::CompareAndSet { reply, .. } => reply.give(failure),
            Self::Add { reply, .. } => reply.give(failure),
            Self::Clear { reply, .. } => reply.give(failure),
        }
    }
}

// === impl Reply ===

impl<T> Reply<T> {
    pub(crate) fn new() -> (Self, oneshot::Receiver<Result<T, StateFault>>) {
        let (to, answer) = oneshot::channel();
        (Self { to, held: None }, answer)
    }

    fn hold(&mut self, done: Result<T, Stop>) -> Result<(), redb::Error> {
        self.held = Some(match done {
            Ok(done) => Ok(done),
            Err(Stop::Refused(fault)) => Err(fault),
            Err(Stop::Broken(error)) => return Err(error),
        });
        Ok(())
    }

    /// Without an answer, whoever waits is told that the store is closing.
    fn give(self, failure: Option<&StateFault>) {
        let answer = failure.cloned().map(Err).or(self.held);
        // Nobody waits any more where the decision ran into its own deadline.
        answer.map(|answer| self.to.send(answer).is_ok());
    }
}
