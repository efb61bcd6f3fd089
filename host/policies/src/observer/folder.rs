//! What is known of a folder that is watched.

use std::time::{Duration, Instant};

use crate::layer::LayerLoader;
use crate::notices::Watched;

#[derive(Debug)]
pub(super) struct Folder {
    /// Tells it from one of the same name that was removed.
    pub(super) id: u64,
    pub(super) watched: Watched,
    /// None while it is being read.
    pub(super) loader: Option<LayerLoader>,
    pub(super) due: Instant,
    /// When the first of the changes was noticed that are not read yet.
    pub(super) changed: Option<Instant>,
    /// When the first of those was noticed that are being read.
    pub(super) noticed: Option<Instant>,
    /// How long it has been waited for what does not settle.
    pub(super) unsettled: Duration,
    /// It is to be tried again whatever was broken.
    pub(super) retry: bool,
    /// The same of the reading that has begun.
    pub(super) retries: bool,
}

// === impl Folder ===

impl Folder {
    pub(super) fn new(id: u64, watched: Watched, loader: LayerLoader, due: Instant) -> Self {
        Self {
            id,
            watched,
            loader: Some(loader),
            due,
            changed: None,
            noticed: None,
            unsettled: Duration::ZERO,
            retry: false,
            retries: false,
        }
    }

    /// From here on, what is noticed is for the next reading.
    pub(super) fn begin(&mut self) {
        self.noticed = self.noticed.or(self.changed.take());
        self.retries |= std::mem::take(&mut self.retry);
    }
}
