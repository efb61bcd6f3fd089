//! A tenant's places: so many decisions in flight, a few more that wait for a moment, and the rest is denied at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use portcullis_model::{Span, TenantLimits};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Lets a tenant's decisions in.
#[derive(Debug)]
pub struct Admission {
    decisions: u32,
    queue: u32,
    queue_wait: Duration,
    places: Arc<Semaphore>,
    waiting: AtomicU32,
}

/// A decision's place; given back when this is dropped.
#[derive(Debug)]
pub struct Permit {
    _permit: OwnedSemaphorePermit,
}

/// Why there is no place. The text is for the operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Overload {
    #[error("{decisions} decisions are in flight and {queue} wait, which is as many as may")]
    Full { decisions: u32, queue: u32 },
    #[error("{decisions} decisions are in flight, and a call as large as this does not wait")]
    Large { decisions: u32 },
    #[error("waited {} for one of {decisions} decisions in flight to end", Span(*waited))]
    Waited { decisions: u32, waited: Duration },
}

/// Counts one that waits.
struct Waiting<'a>(&'a AtomicU32);

// === impl Admission ===

impl Admission {
    pub fn new(limits: &TenantLimits) -> Self {
        let TenantLimits { decisions, queue, queue_wait, .. } = *limits;
        let places = Arc::new(Semaphore::new(decisions as usize));
        Self { decisions, queue, queue_wait, places, waiting: AtomicU32::new(0) }
    }

    /// Whether it is what these limits would make.
    pub(crate) fn is_of(&self, limits: &TenantLimits) -> bool {
        (self.decisions, self.queue, self.queue_wait) == (limits.decisions, limits.queue, limits.queue_wait)
    }

    /// Takes a place, or waits for one. What is large holds memory that others need, and so does not wait.
    pub async fn enter(&self, is_large: bool) -> Result<Permit, Overload> {
        if let Ok(permit) = Arc::clone(&self.places).try_acquire_owned() {
            return Ok(Permit { _permit: permit });
        }
        let Self { decisions, queue, .. } = *self;
        if is_large {
            return Err(Overload::Large { decisions });
        }
        let _waiting = Waiting::new(&self.waiting, queue).ok_or(Overload::Full { decisions, queue })?;
        match timeout(self.queue_wait, Arc::clone(&self.places).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(Permit { _permit: permit }),
            // Nobody closes it.
            Ok(Err(_)) | Err(_) => Err(Overload::Waited { decisions, waited: self.queue_wait }),
        }
    }

    /// Decisions that may be in flight.
    pub fn limit(&self) -> u32 {
        self.decisions
    }

    /// Decisions in flight, and those that wait.
    pub fn load(&self) -> (u32, u32) {
        let free = u32::try_from(self.places.available_permits()).unwrap_or(u32::MAX);
        (self.decisions.saturating_sub(free), self.waiting.load(Ordering::Relaxed))
    }
}

// === impl Waiting ===

impl<'a> Waiting<'a> {
    fn new(waiting: &'a AtomicU32, most: u32) -> Option<Self> {
        let counted = waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| (n < most).then_some(n + 1));
        counted.ok().map(|_| Self(waiting))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(decisions: u32, queue: u32, wait: u64) -> Admission {
        let queue_wait = Duration::from_millis(wait);
        Admission::new(&TenantLimits { decisions, queue, queue_wait, ..TenantLimits::default() })
    }

    #[tokio::test]
    async fn one_more_than_places_and_queue_is_refused_at_once() {
        let admission = Arc::new(admission(2, 1, 60_000));
        let first = admission.enter(false).await.expect("a place");
        let _second = admission.enter(false).await.expect("a place");
        let waits = tokio::spawn({
            let admission = Arc::clone(&admission);
            async move { admission.enter(false).await }
        });
        while admission.load() != (2, 1) {
            tokio::task::yield_now().await;
        }
        assert_eq!(admission.enter(false).await.expect_err("full"), Overload::Full { decisions: 2, queue: 1 });
        assert_eq!(admission.enter(true).await.expect_err("large"), Overload::Large { decisions: 2 });
        drop(first);
        let third = waits.await.expect("ends").expect("the place that was given back");
        assert_eq!(admission.load(), (2, 0));
        drop(third);
        assert_eq!(admission.load(), (1, 0));
    }

    #[tokio::test]
    async fn who_waits_too_long_is_refused_and_no_longer_waits() {
        let admission = admission(1, 1, 1);
        let _place = admission.enter(false).await.expect("a place");
        assert!(matches!(admission.enter(false).await, Err(Overload::Waited { decisions: 1, .. })));
        assert_eq!(admission.load(), (1, 0));
    }
}
