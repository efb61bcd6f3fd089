//! A change that is to be made, and who waits for it.

use portcullis_model::TenantName;
use portcullis_model::fault::StateFault;
use tokio::sync::oneshot;

use crate::space::SpaceName;
use crate::tables::{Extent, Stop, Tables};
use crate::usage::{Bounds, Usage};

/// A change, and whose turn it takes.
#[derive(Debug)]
pub(crate) struct WriteRequest {
    pub(crate) tenant: TenantName,
    pub(crate) change: Change,
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

    /// The space and the key that it changes; none where it may be many.
    pub(crate) fn key(&self) -> Option<(&str, &str)> {
        match self {
            Self::CompareAndSet { space, key, .. } | Self::Add { space, key, .. } => Some((space.as_str(), key)),
            Self::Clear { .. } => None,
        }
    }

    pub(crate) fn carry_out(&mut self, tables: &mut Tables<'_>) -> Result<(), redb::Error> {
        match self {
            Self::CompareAndSet { space, bounds, key, expected, value, reply } => {
                reply.hold(tables.compare_and_set(space, *bounds, key, expected.as_deref(), value.as_deref()))
            }
            Self::Add { space, bounds, key, delta, reply } => reply.hold(tables.add(space, *bounds, key, *delta)),
            Self::Clear { extent, reply } => reply.hold(tables.clear(extent)),
        }
    }

    pub(crate) fn answer(self, failure: Option<&StateFault>) {
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
