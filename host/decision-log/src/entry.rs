//! The record that is written of a decision, on its way.

use std::sync::Arc;
use std::time::SystemTime;

use portcullis_model::{Cause, TenantName};
use tokio::sync::oneshot;
use tracing::error;

use crate::event::{DecisionEvent, OVERHEAD};
use crate::id::DecisionId;
use crate::line;
use crate::record::DecisionRecord;
use crate::redact::Redactor;

/// What the caller is told where the record cannot be kept.
pub const UNWRITTEN: &str = "the decision log cannot be written";

/// One decision, on its way to the sinks.
#[derive(Debug)]
pub struct Entry {
    pub id: DecisionId,
    /// When the call had arrived.
    pub at: SystemTime,
    /// None where it cannot be told.
    pub tenant: Option<TenantName>,
    pub answer: &'static str,
    /// [`Cause::kind`].
    pub cause: &'static str,
    /// Whether policies wrote lines.
    pub has_lines: bool,
    /// The [`DecisionRecord`] as JSON, without a line end.
    pub line: Arc<str>,
    /// Where in the line all is told but the call.
    pub head: usize,
    /// Who waits for the record to be kept.
    pub waits: Option<oneshot::Sender<()>>,
}

// === impl Entry ===

impl Entry {
    /// Writes the record of a decision.
    pub fn new(event: DecisionEvent, redactor: &Redactor) -> Self {
        let (line, head) = line::write(&event, redactor);
        let DecisionEvent { id, at, decision, tenant, lines, waits, .. } = event;
        Self {
            id,
            at,
            tenant,
            answer: line::answer(&decision.answer),
            cause: decision.cause.kind(),
            has_lines: lines.iter().any(|(_, lines, dropped)| !lines.is_empty() || *dropped > 0),
            line,
            head,
            waits,
        }
    }

    /// All of its record but the call.
    pub fn record(&self) -> serde_json::Result<DecisionRecord> {
        let (head, _) = self.line.split_at_checked(self.head).unwrap_or_default();
        serde_json::from_str(&format!("{head}}}"))
    }

    /// Bytes that it holds, roughly.
    pub(crate) fn weight(&self) -> usize {
        OVERHEAD + self.line.len()
    }

    /// What becomes of an allowed call whose record cannot be kept.
    pub fn overturn(&mut self) {
        let cause = Cause::Log.kind();
        match self.record() {
            Ok(record) => {
                let reason = Some(UNWRITTEN.to_owned());
                let (answer, cause) = ("deny".to_owned(), cause.to_owned());
                let denied = DecisionRecord { answer, cause, rule: None, reason, would: None, ..record };
                let call = self.line.get(self.head..).unwrap_or_default();
                let (line, head) = line::with_call(denied, call);
                (self.line, self.head) = (line.into(), head);
            }
            Err(problem) => error!(id = %self.id, %problem, "the host cannot read a record that it wrote"),
        }
        (self.answer, self.cause) = ("deny", cause);
    }
}
