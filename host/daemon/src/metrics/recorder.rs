//! What is written down of every decision, besides its record in the log.

use std::time::Duration;

use portcullis_model::Decision;

use crate::decision_log::{About, Times};
use crate::metrics::calls::Noted;
use crate::metrics::phases::Phases;
use crate::otlp::Tracer;
use crate::otlp::traces::Trace;
use crate::policies::{PolicyLog, Tenant};
use crate::tenant::Tally;

/// Counts decisions, and hands some over to be traced. Nothing here locks or allocates, unless the decision is traced.
#[derive(Debug)]
pub struct Recorder {
    phases: Phases,
    tracer: Option<Tracer>,
}

/// A decision that is being answered.
#[derive(Debug)]
pub(crate) struct Pending {
    counted: Noted,
    took: Duration,
    trace: Option<Box<Trace>>,
}

// === impl Recorder ===

impl Recorder {
    pub(crate) fn new(tracer: Option<Tracer>) -> Self {
        Self { phases: Phases::default(), tracer }
    }

    /// Takes what is to be known of a decision, before the log has it.
    pub(crate) fn note(
        &self,
        decision: &Decision,
        about: &About,
        lines: &PolicyLog,
        tenant: Option<&Tenant>,
        tally: &Tally,
        times: &Times,
    ) -> Pending {
        let dropped = lines.iter().fold(0_u32, |sum, (_, _, dropped)| sum.saturating_add(*dropped));
        if dropped > 0 {
            tally.calls().drop_lines(dropped);
        }
        self.phases.observe(times, &decision.opinions);
        let operation = about.subject().operation;
        let trace = self.tracer.as_ref().and_then(|tracer| tracer.sample(decision, about, tenant, times));
        Pending { counted: tally.calls().note(decision, operation), took: times.whole, trace }
    }

    /// Counts a decision that was answered. `is_kept` is false where it was denied because its record could not be kept;
    /// `in_all` is the time until the answer.
    pub(crate) fn finish(&self, pending: Pending, tally: &Tally, is_kept: bool, in_all: Duration) {
        let Pending { counted, took, trace } = pending;
        self.phases.observe_log(in_all.saturating_sub(took));
        tally.calls().count(if is_kept { counted } else { counted.overturned() }, in_all);
        if let Some((tracer, trace)) = self.tracer.as_ref().zip(trace) {
            tracer.send(trace, is_kept, in_all);
        }
    }

    pub(crate) fn phases(&self) -> &Phases {
        &self.phases
    }
}
