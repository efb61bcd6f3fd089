//! What is written down of every decision, besides its record in the log.

use std::time::Duration;

use portcullis_decision_log::{About, Times};
use portcullis_engine::PolicyLog;
use portcullis_model::Decision;
use portcullis_policies::Tenant;
use portcullis_policies::tenant::Counters;
use portcullis_telemetry::metrics::calls::Noted;

use crate::phases::Phases;
use crate::traces::{Trace, Tracer};

/// Counts decisions, and hands some over to be traced. Nothing here locks or allocates, unless the decision is traced.
#[derive(Debug)]
pub struct Recorder {
    phases: Phases,
    tracer: Option<Tracer>,
}

/// A decision that is being answered.
#[derive(Debug)]
pub struct Pending {
    counted: Noted,
    took: Duration,
    trace: Option<Box<Trace>>,
}

// === impl Recorder ===

impl Recorder {
    /// Counts; and traces what is sampled, if there is a tracer.
    pub fn new(tracer: Option<Tracer>) -> Self {
        Self { phases: Phases::default(), tracer }
    }

    /// Takes what is to be known of a decision, before the log has it.
    pub fn note(
        &self,
        decision: &Decision,
        about: &About,
        lines: &PolicyLog,
        tenant: Option<&Tenant>,
        counters: &Counters,
        times: &Times,
    ) -> Pending {
        let dropped = lines.iter().fold(0_u32, |sum, (_, _, dropped)| sum.saturating_add(*dropped));
        if dropped > 0 {
            counters.calls().drop_lines(dropped);
        }
        self.phases.observe(times, &decision.opinions);
        let operation = about.subject().operation;
        let trace = self.tracer.as_ref().and_then(|tracer| tracer.sample(decision, about, tenant, times));
        Pending { counted: counters.calls().note(decision, operation), took: times.whole, trace }
    }

    /// Counts a decision that was answered. `is_kept` is false where it was denied because its record could not be kept;
    /// `in_all` is the time until the answer.
    pub fn finish(&self, pending: Pending, counters: &Counters, is_kept: bool, in_all: Duration) {
        let Pending { counted, took, trace } = pending;
        self.phases.observe_log(in_all.saturating_sub(took));
        counters.calls().count(if is_kept { counted } else { counted.overturned() }, in_all);
        if let Some((tracer, trace)) = self.tracer.as_ref().zip(trace) {
            tracer.send(trace, is_kept, in_all);
        }
    }

    /// How long the parts of decisions took.
    pub fn phases(&self) -> &Phases {
        &self.phases
    }
}
