//! A collector, by OTLP.

use portcullis_telemetry::otlp::Exporter;
use portcullis_telemetry::otlp::logs::Record;

use crate::entry::Entry;
use crate::event::DecisionEvent;
use crate::sink::{Batch, Sink, SinkError};

/// Hands records to the task that sends them. What is lost on the way is counted there.
#[derive(Debug)]
pub struct Otlp(pub(crate) Exporter<Record>);

impl Sink for Otlp {
    fn name(&self) -> &'static str {
        "otlp"
    }

    fn write(&mut self, batch: &Batch<'_>) -> Result<(), SinkError> {
        for Entry { event, line, .. } in batch.entries {
            let DecisionEvent { at, decision, tenant, .. } = event;
            let (answer, cause) = (decision.answer.as_str(), decision.cause.kind());
            self.0.offer(Record { at: *at, line: line.clone(), answer, cause, tenant: tenant.clone() });
        }
        Ok(())
    }
}
