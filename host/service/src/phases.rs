//! Where the time of calls goes, of all tenants together.

use std::time::Duration;

use portcullis_decision_log::Times;
use portcullis_model::Opinion;
use portcullis_telemetry::metrics::histogram::{Histogram, OF_CALLS};

/// Histograms of the parts.
#[derive(Debug)]
pub struct Phases {
    read: Histogram,
    wait: Histogram,
    queue: Histogram,
    start: Histogram,
    decide: Histogram,
    log: Histogram,
}

// === impl Phases ===

impl Default for Phases {
    fn default() -> Self {
        let histogram = || Histogram::new(OF_CALLS);
        Self {
            read: histogram(),
            wait: histogram(),
            queue: histogram(),
            start: histogram(),
            decide: histogram(),
            log: histogram(),
        }
    }
}

impl Phases {
    pub fn observe(&self, times: &Times, opinions: &[Opinion]) {
        self.read.observe(times.read);
        self.wait.observe(times.wait);
        for opinion in opinions {
            self.queue.observe(opinion.spent.waiting);
            self.start.observe(opinion.spent.starting);
            self.decide.observe(opinion.spent.deciding);
        }
    }

    pub(crate) fn observe_log(&self, took: Duration) {
        self.log.observe(took);
    }

    /// The name and the durations of each phase.
    pub fn read(&self) -> [(&'static str, &Histogram); 6] {
        [
            ("read", &self.read),
            ("wait", &self.wait),
            ("queue", &self.queue),
            ("start", &self.start),
            ("decide", &self.decide),
            ("log", &self.log),
        ]
    }
}
