//! The one thread that changes the store. What waits while a transaction is on its way to the disk goes into the next
//! one together, so that many decisions share one commit.

use std::sync::Arc;
use std::time::Instant;

use portcullis_model::fault::StateFault;
use portcullis_telemetry::metrics::Commits;
use redb::Database;

use crate::base::{Base, REST};
use crate::queue::{Receiver, Sender, queue};
use crate::tables::{Tables, begin};
use crate::write_request::WriteRequest;

#[derive(Debug)]
pub(crate) struct Writer {
    orders: Sender,
    commits: Arc<Commits>,
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
    pub(crate) fn send(&self, order: WriteRequest) -> Result<(), StateFault> {
        self.orders.send(order)
    }

    /// The operator's, which waits behind nothing of the same tenant's.
    pub(crate) fn send_first(&self, order: WriteRequest) -> Result<(), StateFault> {
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
                // Also where that failed: what became of it is not known.
                match batch.iter().map(|order| order.change.key()).collect::<Option<Vec<_>>>() {
                    Some(keys) => base.cache().forget(keys.into_iter()),
                    None => base.cache().clear(),
                }
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
fn write(database: &Database, batch: &mut [WriteRequest]) -> Result<(), redb::Error> {
    let transaction = begin(database)?;
    {
        let mut tables = Tables::open(&transaction)?;
        for order in batch {
            order.change.carry_out(&mut tables)?;
        }
    }
    Ok(transaction.commit()?)
}
