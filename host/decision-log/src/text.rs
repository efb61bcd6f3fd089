//! What stderr is told of a decision: lines for a person, and those that policies wrote.

use std::borrow::Cow;
use std::fmt::Write as _;

use portcullis_model::printable::{escape, escape_json};
use portcullis_telemetry::log_sink::Format;
use serde::Serialize;

use crate::id::DecisionId;
use crate::record::{DecisionRecord, PolicyLineRecord, PolicyRecord};

#[derive(Serialize)]
struct PolicyLine<'a> {
    timestamp: &'a str,
    level: &'a str,
    message: &'a str,
    tenant: Option<&'a str>,
    policy: &'a str,
    generation: u64,
    id: &'a str,
}

/// Appends the lines that policies wrote, each with its end.
pub(crate) fn policy_lines(record: &DecisionRecord, format: Format, out: &mut String) {
    for PolicyRecord { policy, log, log_dropped, .. } in &record.policies {
        for PolicyLineRecord { level, message } in log {
            policy_line(record, format, policy, level, message, out);
        }
        if *log_dropped > 0 {
            let message =
                format!("{log_dropped} more lines were dropped: `log_lines` or `log_lines_per_second` is reached");
            policy_line(record, format, policy, "WARN", &message, out);
        }
    }
}

fn policy_line(record: &DecisionRecord, format: Format, policy: &str, level: &str, message: &str, out: &mut String) {
    let DecisionRecord { timestamp, generation, id, .. } = record;
    let tenant = record.tenant.as_deref();
    match format {
        Format::Json => {
            let line = PolicyLine { timestamp, level, message, tenant, policy, generation: *generation, id };
            // Strings and numbers always have JSON.
            out.push_str(&escape_json(&serde_json::to_string(&line).unwrap_or_default()));
            out.push('\n');
        }
        // A text takes all that is written.
        Format::Text => {
            let tenant = tenant.unwrap_or("-");
            let message = escape(message);
            let _ = writeln!(out, "{timestamp} {level:>5} {policy}: {message} tenant={tenant}");
        }
    }
}

/// Appends a decision as a person reads it: a line, and one more for each fault.
pub(crate) fn decision(record: &DecisionRecord, out: &mut String) {
    let DecisionRecord { timestamp, id, answer, cause, generation, took_us, .. } = record;
    let or_none = |text: &Option<Cow<'_, str>>| text.as_deref().unwrap_or("-").to_owned();
    let [path, user, tenant] = [&record.path, &record.user, &record.tenant].map(or_none);
    let [what, method] = [&record.operation, &record.method].map(|text| escape(&or_none(text)).into_owned());
    // A text takes all that is written.
    let _ = write!(out, "{timestamp}  INFO {answer:<5} {cause} {what} {method} {path:?} user={user:?} tenant={tenant}");
    if let Some(reason) = &record.reason {
        let _ = write!(out, " reason={reason:?}");
    }
    if let Some(problem) = &record.problem {
        let _ = write!(out, " problem={problem:?}");
    }
    if let Some(would) = &record.would {
        let _ = write!(out, " would={}", would.answer);
        if let Some(reason) = &would.reason {
            let _ = write!(out, ":{reason:?}");
        }
    }
    let _ = writeln!(out, " generation={generation} took={took_us}us id={}", DecisionId::short_of(id));
    for PolicyRecord { policy, reason, .. } in record.policies.iter().filter(|policy| policy.is_fault()) {
        let _ = writeln!(out, "{timestamp}  WARN {policy}: {}", escape(reason.as_deref().unwrap_or_default()));
    }
}
