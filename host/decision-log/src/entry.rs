//! The record that is written of a decision, on its way.

use std::sync::Arc;

use portcullis_model::{Answer, Cause};
use tokio::sync::oneshot;

use crate::event::{About, DecisionEvent, OVERHEAD};
use crate::line;
use crate::record::DecisionRecord;
use crate::redact::Redactor;
use crate::subject::LoggedSubject;

/// What the caller is told where the record cannot be kept.
pub const UNWRITTEN: &str = "the decision log cannot be written";

/// One decision, on its way to the sinks.
#[derive(Debug)]
pub struct Entry {
    /// Without the call.
    pub(crate) event: DecisionEvent,
    subject: LoggedSubject,
    /// The [`DecisionRecord`] as JSON, without a line end.
    pub(crate) line: Arc<str>,
    /// Where in the line the call begins.
    head: usize,
}

// === impl Entry ===

impl Entry {
    /// Writes the record of a decision.
    pub(crate) fn new(event: DecisionEvent, redactor: &Redactor) -> Self {
        let subject = LoggedSubject::of(&event.about);
        let (line, head) = line::write(&event, &subject, redactor);
        Self { event: DecisionEvent { about: About::Nothing, ..event }, subject, line, head }
    }

    /// All of its record but the call.
    pub(crate) fn record(&self) -> DecisionRecord<'_> {
        DecisionRecord::of(&self.event, &self.subject)
    }

    /// Whether policies wrote lines.
    pub(crate) fn has_lines(&self) -> bool {
        self.event.lines.iter().any(|(_, lines, dropped)| !lines.is_empty() || *dropped > 0)
    }

    /// Who waits for the record to be kept.
    pub(crate) fn waits(&mut self) -> &mut Option<oneshot::Sender<()>> {
        &mut self.event.waits
    }

    /// Bytes that it holds, roughly: what stands before the call in its line, it also holds apart.
    pub(crate) fn weight(&self) -> usize {
        OVERHEAD + self.line.len() + self.head
    }

    /// What becomes of an allowed call whose record cannot be kept.
    pub(crate) fn overturn(&mut self) {
        let decision = &mut self.event.decision;
        (decision.answer, decision.cause, decision.would) = (Answer::deny(UNWRITTEN), Cause::Log, None);
        let call = self.line.get(self.head..).unwrap_or_default();
        (self.line, self.head) = line::with_call(&self.event, &self.subject, call);
    }
}
