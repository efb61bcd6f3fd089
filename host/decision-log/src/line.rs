//! A decision as one line of JSON: its [`DecisionRecord`], with the call in its place.

use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::Arc;

use portcullis_model::printable::escape_json;

use crate::event::DecisionEvent;
use crate::json::Json;
use crate::record::DecisionRecord;
use crate::redact::Redactor;
use crate::subject::LoggedSubject;

/// A thread keeps so much of what it needed to write a record.
const MOST_KEPT: usize = 128 << 10;
/// How a record ends that has no call.
const NO_CALL: &str = "null}";

thread_local! {
    /// Where records are written: it stays warm, and what is kept of them is as long as it has to be.
    static DRAFT: RefCell<String> = const { RefCell::new(String::new()) };
}

/// The record of a decision, without a line end; and where in it the call begins.
pub(crate) fn write(event: &DecisionEvent, subject: &LoggedSubject, redactor: &Redactor) -> (Arc<str>, usize) {
    with_draft(|out| {
        let head = head(event, subject, out);
        redactor.request(&event.about, event.size, out);
        out.push('}');
        let (head, call) = out.split_at_checked(head).unwrap_or((out, ""));
        // Whoever reads the log at a terminal is shown what callers wrote, and not what a terminal would make of it.
        match (escape_json(head), escape_json(call)) {
            (Cow::Borrowed(_), Cow::Borrowed(_)) => (out.as_str().into(), head.len()),
            (head, call) => ([&*head, &*call].concat().into(), head.len()),
        }
    })
}

/// The same with a call that was written already, which ends the record.
pub(crate) fn with_call(event: &DecisionEvent, subject: &LoggedSubject, call: &str) -> (Arc<str>, usize) {
    with_draft(|out| {
        head(event, subject, out);
        let head = escape_json(out);
        ([&*head, call].concat().into(), head.len())
    })
}

fn with_draft<T>(write: impl FnOnce(&mut String) -> T) -> T {
    DRAFT.with_borrow_mut(|out| {
        out.clear();
        out.shrink_to(MOST_KEPT);
        write(out)
    })
}

/// Writes all of a record until its call, and says how long that is.
fn head(event: &DecisionEvent, subject: &LoggedSubject, out: &mut String) -> usize {
    DecisionRecord::of(event, subject).write(out);
    out.truncate(out.len().saturating_sub(NO_CALL.len()));
    out.len()
}
