//! What waits for the writer: a queue for each tenant, so that none can fill it for the others, and batches that take
//! from each in turn.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use portcullis_model::TenantName;
use portcullis_model::fault::StateFault;

use crate::write_request::WriteRequest;

/// Changes that may wait; one more is refused, and its decision is a fault.
const QUEUE: usize = 4096;
/// How many of them may be one tenant's.
const QUEUE_OF_TENANT: usize = QUEUE / 8;
/// Changes of one transaction.
const BATCH: usize = 512;
/// Bytes after which a transaction takes no more changes: the next tenant's turn comes before a great many large values
/// of this one are on disk.
const BATCH_BYTES: usize = 1 << 20;

#[derive(Debug)]
pub(crate) struct Sender(Arc<Queue>);

#[derive(Debug)]
pub(crate) struct Receiver(Arc<Queue>);

#[derive(Debug, Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    /// Something waits, or nothing more will come.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    /// In the order in which they came. A tenant is in here as long as something of it waits.
    orders: HashMap<TenantName, VecDeque<WriteRequest>>,
    /// The same tenants, in the order of their turns.
    turns: VecDeque<TenantName>,
    count: usize,
    closed: bool,
}

pub(crate) fn queue() -> (Sender, Receiver) {
    let queue = Arc::new(Queue::default());
    (Sender(Arc::clone(&queue)), Receiver(queue))
}

// === impl Sender ===

impl Sender {
    pub(crate) fn send(&self, order: WriteRequest) -> Result<(), StateFault> {
        self.put(|waiting| waiting.push(order))
    }

    /// Before all that waits of the same tenant, and however much that is.
    pub(crate) fn send_first(&self, order: WriteRequest) -> Result<(), StateFault> {
        self.put(|waiting| waiting.push_first(order))
    }

    fn put(&self, put: impl FnOnce(&mut Waiting) -> Result<(), &'static str>) -> Result<(), StateFault> {
        put(&mut self.0.locked()).map_err(|problem| StateFault::Unavailable(problem.into()))?;
        self.0.changed.notify_one();
        Ok(())
    }

    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        self.0.locked().count
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.0.locked().closed = true;
        self.0.changed.notify_one();
    }
}

// === impl Receiver ===

impl Receiver {
    /// Waits for changes. None once there is no sender, and what it sent was taken.
    pub(crate) fn next_batch(&self) -> Option<Vec<WriteRequest>> {
        let idle = |waiting: &mut Waiting| waiting.count == 0 && !waiting.closed;
        let woken = self.0.changed.wait_while(self.0.locked(), idle);
        let batch = woken.unwrap_or_else(PoisonError::into_inner).take_batch();
        (!batch.is_empty()).then_some(batch)
    }
}

impl Drop for Receiver {
    /// Whoever still waits for an answer is told that none comes, by the end of its order.
    fn drop(&mut self) {
        *self.0.locked() = Waiting { closed: true, ..Waiting::default() };
    }
}

// === impl Queue ===

impl Queue {
    fn locked(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Waiting ===

impl Waiting {
    fn push(&mut self, order: WriteRequest) -> Result<(), &'static str> {
        let tenant = &order.tenant;
        let of_tenant = self.orders.get(tenant).map_or(0, VecDeque::len);
        if self.closed {
            return Err("the store is closing");
        }
        if of_tenant >= QUEUE_OF_TENANT {
            return Err("too many changes of this tenant wait for the disk");
        }
        if self.count >= QUEUE {
            return Err("too many changes wait for the disk");
        }
        if of_tenant == 0 {
            self.turns.push_back(tenant.clone());
        }
        self.orders.entry(tenant.clone()).or_default().push_back(order);
        self.count += 1;
        Ok(())
    }

    fn push_first(&mut self, order: WriteRequest) -> Result<(), &'static str> {
        if self.closed {
            return Err("the store is closing");
        }
        self.count += 1;
        let tenant = order.tenant.clone();
        let orders = self.orders.entry(tenant.clone()).or_default();
        if orders.is_empty() {
            self.turns.push_back(tenant);
        }
        orders.push_front(order);
        Ok(())
    }

    /// One of each tenant in turn. Who got less than others by the end of a batch is the first in the next.
    fn take_batch(&mut self) -> Vec<WriteRequest> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while batch.len() < BATCH && bytes < BATCH_BYTES {
            let Some(order) = self.pop() else { break };
            bytes += order.change.size();
            batch.push(order);
        }
        batch
    }

    fn pop(&mut self) -> Option<WriteRequest> {
        let tenant = self.turns.pop_front()?;
        let orders = self.orders.get_mut(&tenant)?;
        let order = orders.pop_front()?;
        if orders.is_empty() {
            self.orders.remove(&tenant);
        } else {
            self.turns.push_back(tenant);
        }
        self.count -= 1;
        Some(order)
    }
}

#[cfg(test)]
mod tests;
