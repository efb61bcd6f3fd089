//! A collector, by OTLP.

use crate::decision_log::sink::{Batch, Logged, Sink, SinkError};
use crate::otlp::Exporter;
use crate::otlp::logs::Record;

/// Hands records to the task that sends them. What is lost on the way is counted there.
#[derive(Debug)]
pub(crate) struct Otlp(pub(crate) Exporter<Record>);

impl Sink for Otlp {
    fn name(&self) -> &'static str {
        "otlp"
    }

    fn write(&mut self, batch: &Batch<'_>) -> Result<(), SinkError> {
        for Logged { entry, line } in batch.records {
            let decision = &entry.decision;
            self.0.offer(Record {
                at: entry.at,
                line: line.clone(),
                answer: if decision.answer.is_allow() { "allow" } else { "deny" },
                cause: decision.cause.kind(),
                tenant: entry.tenant.clone(),
            });
        }
        Ok(())
    }
}
