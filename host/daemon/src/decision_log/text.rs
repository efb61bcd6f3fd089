//! What stderr is told of a decision: lines for a person, and those that policies wrote.

use std::fmt::Write as _;

use serde::Serialize;

use crate::decision_log::entry::{Entry, Subject};
use crate::decision_log::id::DecisionId;
use crate::decision_log::line::{answer, level, micros, reason};
use crate::log_sink::Format;

#[derive(Serialize)]
struct PolicyLine<'a> {
    timestamp: &'a str,
    level: &'static str,
    message: &'a str,
    tenant: Option<&'a str>,
    policy: &'a str,
    generation: u64,
    id: &'a str,
}

/// Appends the lines that policies wrote, each with its end.
pub(crate) fn policy_lines(entry: &Entry, format: Format, out: &mut String) {
    if entry.lines.iter().all(|(_, lines, dropped)| lines.is_empty() && *dropped == 0) {
        return;
    }
    let timestamp = humantime::format_rfc3339_micros(entry.at).to_string();
    for (policy, lines, dropped) in &entry.lines {
        for line in lines {
            let (level, message) = (level(line.level), line.message.as_str());
            policy_line(entry, format, &timestamp, policy.as_str(), level, message, out);
        }
        if *dropped > 0 {
            let message =
                format!("{dropped} more lines were dropped: `log_lines` or `log_lines_per_second` is reached");
            policy_line(entry, format, &timestamp, policy.as_str(), "WARN", &message, out);
        }
    }
}

fn policy_line(
    entry: &Entry,
    format: Format,
    timestamp: &str,
    policy: &str,
    level: &'static str,
    message: &str,
    out: &mut String,
) {
    let tenant = entry.tenant.as_ref().map(|tenant| tenant.as_str());
    match format {
        Format::Json => {
            let generation = entry.decision.generation.0;
            let mut buffer = [0; DecisionId::LEN];
            let id = entry.id.text(&mut buffer);
            let line = PolicyLine { timestamp, level, message, tenant, policy, generation, id };
            // Strings and numbers always have JSON.
            out.push_str(&serde_json::to_string(&line).unwrap_or_default());
            out.push('\n');
        }
        // A text takes all that is written.
        Format::Text => {
            let tenant = tenant.unwrap_or("-");
            let _ = writeln!(out, "{timestamp} {level:>5} {policy}: {message} tenant={tenant}");
        }
    }
}

/// Appends a decision as a person reads it: a line, and one more for each fault.
pub(crate) fn decision(entry: &Entry, out: &mut String) {
    let Entry { decision, times, .. } = entry;
    let Subject { operation, method, path, user } = entry.call.subject();
    let timestamp = humantime::format_rfc3339_micros(entry.at);
    let mut buffer = [0; DecisionId::LEN];
    let (said, kind) = (answer(&decision.answer), decision.cause.kind());
    let tenant = entry.tenant.as_ref().map_or("-", |tenant| tenant.as_str());
    let (what, method, user) = (operation.unwrap_or("-"), method.unwrap_or("-"), user.unwrap_or("-"));
    let path = path.unwrap_or("-");
    // A text takes all that is written.
    let _ = write!(out, "{timestamp}  INFO {said:<5} {kind} {what} {method} {path:?} user={user:?} tenant={tenant}");
    if let Some(reason) = reason(&decision.answer) {
        let _ = write!(out, " reason={reason:?}");
    }
    if let Some(problem) = &entry.problem {
        let _ = write!(out, " problem={problem:?}");
    }
    if let Some(would) = &decision.would {
        let _ = write!(out, " would={}", answer(&would.answer));
        if let Some(reason) = reason(&would.answer) {
            let _ = write!(out, ":{reason:?}");
        }
    }
    let (generation, took, id) = (decision.generation, micros(times.whole), entry.id.short(&mut buffer));
    let _ = writeln!(out, " generation={generation} took={took}us id={id}");
    for opinion in &decision.opinions {
        if let Err(fault) = &opinion.judgement {
            let _ = writeln!(out, "{timestamp}  WARN {}: {fault}", opinion.policy);
        }
    }
}
