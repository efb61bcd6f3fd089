//! `portcullis why`

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use hyper::Method;
use portcullis_decision_log::archive::Logs;
use portcullis_decision_log::id::Wanted;
use portcullis_decision_log::record::{DecisionRecord, PolicyRecord, RequestRecord};

use crate::admin::{Call, escaped};
use crate::args::Why;
use crate::exit::Exit;
use crate::out;
use crate::out::fail;
use crate::words::{micros, plain, short, when};

/// Hexadecimal digits of a digest that are shown.
const DIGEST: usize = 12;
const SHA256: &str = "sha256:";

pub(crate) fn run(args: &Why) -> Exit {
    Exit::from(why(args))
}

fn why(args: &Why) -> Result<(), Exit> {
    let record = find(args)?;
    if args.json {
        return out::json(&record);
    }
    out::styled(|out| tell(out, &record));
    Ok(())
}

fn find(args: &Why) -> Result<DecisionRecord<'static>, Exit> {
    let wanted = Wanted::new(&args.id).map_err(|error| fail(Exit::Usage, error))?;
    if args.file.is_empty() {
        return Call::new(Method::GET, format!("/v1/decisions/{}", escaped(wanted.as_str()))).json(&args.host);
    }
    let found = Logs::open(&args.file).and_then(|logs| logs.find(|id| wanted.is(id)));
    let found = found.map_err(|error| fail(Exit::Failed, error))?;
    found.ok_or_else(|| {
        let what = format!(
            "no decision `{}` is in the log\n  help: name the rotated files too, with a `--file` for each; the ID stands in \
             brackets at the end of what the caller was told",
            wanted.as_str()
        );
        fail(Exit::Failed, what)
    })
}

/// The story, from the call to what the caller was told.
fn tell(out: &mut dyn Write, record: &DecisionRecord) -> io::Result<()> {
    answer(out, record)?;
    writeln!(out)?;
    call(out, record)?;
    whose(out, record)?;
    read(out, record)?;
    asked(out, record)?;
    writeln!(out)?;
    paragraph(out, "so", &verdict(record))?;
    if let Some(would) = &record.would {
        let said = match &would.reason {
            Some(reason) => format!("denied: {}", plain(reason)),
            None => "allowed".to_owned(),
        };
        paragraph(out, "would", &format!("if nothing were only observed, the call would have been {said}"))?;
    }
    summary(out, record)?;
    paragraph(out, "took", &times(record))?;
    let DecisionRecord { generation, id, .. } = record;
    paragraph(out, "active", &format!("generation {generation} of policies and data"))?;
    paragraph(out, "id", &plain(id))
}

fn answer(out: &mut dyn Write, record: &DecisionRecord) -> io::Result<()> {
    let DecisionRecord { answer, operation, method, path, timestamp, id, .. } = record;
    let style = style(answer).bold();
    let what = match (operation, method, path) {
        (Some(operation), _, _) => plain(operation),
        (None, Some(method), Some(path)) => format!("{} {}", plain(method), plain(path)),
        (None, _, _) => "a call that could not be read".to_owned(),
    };
    let done = if answer == "allow" { "allowed" } else { "denied" };
    writeln!(out, "{style}{done}{style:#}  {what}, {} UTC  [{}]", when(timestamp), short(id))
}

fn call(out: &mut dyn Write, record: &DecisionRecord) -> io::Result<()> {
    let DecisionRecord { method, path, user, certificate, listener, peer, .. } = record;
    let user = match (user, certificate) {
        (Some(user), Some(print)) => format!("{}, certificate {}", plain(user), print.get(..DIGEST).unwrap_or(print)),
        (Some(user), None) => plain(user),
        (None, _) => "unknown: dockerd named no user, as the caller showed no client certificate".to_owned(),
    };
    paragraph(out, "who", &user)?;
    match (method, path) {
        (Some(method), Some(path)) => paragraph(out, "called", &format!("{} {}", plain(method), plain(path)))?,
        _ => paragraph(out, "called", "unknown: the call could not be read")?,
    }
    let peer = match peer {
        Some(peer) => match peer.pid {
            Some(pid) => format!(", from process {pid} of user {}", peer.uid),
            None => format!(", from a process of user {}", peer.uid),
        },
        None => String::new(),
    };
    paragraph(out, "came in", &format!("at listener {}{peer}", plain(listener)))
}

fn whose(out: &mut dyn Write, record: &DecisionRecord) -> io::Result<()> {
    let observed = if record.mode == "observe" { ", which is only observed" } else { "" };
    let text = match record.tenant.as_deref() {
        Some("default") => format!("default: the caller belongs to no other tenant{observed}"),
        Some(tenant) => format!("{}: a `[[match]]` of its tenant.toml, or its listener{observed}", plain(tenant)),
        None => "unknown: Portcullis could not tell which tenant the caller belongs to".to_owned(),
    };
    paragraph(out, "tenant", &text)
}

/// What is known of the call's content.
fn read(out: &mut dyn Write, record: &DecisionRecord) -> io::Result<()> {
    let Some(request) = &record.request else {
        return paragraph(out, "read", "the log keeps nothing of this call's content");
    };
    let RequestRecord { uri, body, resolved, redacted, left_out, .. } = request;
    paragraph(out, "read", &plain(uri))?;
    if let Some(body) = body {
        more(out, &plain(&body.to_string()))?;
    }
    for (path, led) in resolved {
        let led =
            led.as_deref().map_or_else(|| "an unknown place: it could not be looked up in time".to_owned(), plain);
        more(out, &format!("{} leads to {led}", plain(path)))?;
    }
    let notes =
        [(redacted, "redacted, because it may be secret"), (left_out, "not in the log: not read, or too large")];
    for (pointers, note) in notes {
        if !pointers.is_empty() {
            more(out, &format!("{note}: {}", plain(&pointers.join(" "))))?;
        }
    }
    Ok(())
}

fn asked(out: &mut dyn Write, record: &DecisionRecord) -> io::Result<()> {
    if record.policies.is_empty() {
        return paragraph(out, "asked", "no policy was asked");
    }
    for (at, policy) in record.policies.iter().enumerate() {
        let label = if at == 0 { "asked" } else { "then" };
        let PolicyRecord { policy, origin, mode, digest, verdict, reason, demands, unmet, took_us, log, log_dropped } =
            policy;
        let whose = if origin == "tenant" { "the tenant's" } else { "host-wide" };
        let observed = if mode == "observe" { ", only observed" } else { "" };
        let style = style(verdict);
        let said = match &**verdict {
            "allow" | "abstain" | "deny" => plain(verdict),
            fault => format!("failed ({})", plain(fault)),
        };
        let reason = reason.as_deref().map(|reason| format!(": {}", plain(reason))).unwrap_or_default();
        let policy = format!("{} ({whose}{observed}): {style}{said}{style:#}{reason}", plain(policy));
        paragraph(out, label, &policy)?;
        let digest = digest.as_deref().map_or("(could not be read)", |digest| shortened(digest));
        more(out, &format!("file {}, in {}", plain(digest), micros(*took_us)))?;
        for demand in demands {
            more(out, &format!("it demands: {}", plain(demand)))?;
        }
        if let Some(unmet) = unmet {
            more(out, &format!("the call is not as it demands: {}", plain(unmet)))?;
        }
        for line in log {
            more(out, &format!("it logged {}: {}", plain(&line.level), plain(&line.message)))?;
        }
        if *log_dropped > 0 {
            more(out, &format!("{log_dropped} more lines were dropped: the policy wrote more than its limit"))?;
        }
    }
    Ok(())
}

fn shortened(digest: &str) -> &str {
    let hex = digest.strip_prefix(SHA256).unwrap_or(digest);
    hex.get(..DIGEST).unwrap_or(hex)
}

/// Why that came to the answer.
fn verdict(record: &DecisionRecord) -> String {
    let objected = |counts: &PolicyRecord| counts.mode == "enforce" && counts.is_objection();
    let speaker = record.policies.iter().find(|policy| objected(policy)).map(|policy| plain(&policy.policy));
    let speaker = speaker.unwrap_or_else(|| "a policy".to_owned());
    let problem = record.problem.as_deref().map(|problem| format!(" ({})", plain(problem))).unwrap_or_default();
    let rule = record.rule.as_deref().map(plain).unwrap_or_default();
    let text = match &*record.cause {
        "allowed" => "allowed: a policy allowed it, and none denied".to_owned(),
        "denied" => format!("denied: {speaker} denied it, and one denial outweighs every allow"),
        "fault" => format!("denied: {speaker} gave no verdict, and a fault denies"),
        "unmet" => {
            let demands = |policy: &&PolicyRecord| policy.mode == "enforce" && policy.unmet.is_some();
            let whose = record.policies.iter().find(demands).map(|policy| plain(&policy.policy));
            let whose = whose.unwrap_or_else(|| "a policy".to_owned());
            format!("denied: it would be allowed, but is not as {whose} demands")
        }
        "contradiction" => "denied: two policies demand what no call can have together".to_owned(),
        "default" if record.mode == "observe" => {
            "allowed: the tenant is only observed, so its own policies and its default do not count".to_owned()
        }
        "default" if record.answer == "allow" => {
            "allowed: no policy that counts allowed or denied it, and the default is to allow".to_owned()
        }
        "default" => "denied: no policy that counts allowed it, and an allow is needed".to_owned(),
        "exempt" => "allowed without asking a policy: it is a ping".to_owned(),
        "rule" => format!("denied by the host rule `{rule}`, before any policy was asked"),
        "bad-call" => "denied: the plugin call itself could not be read".to_owned(),
        "unplaced" => "denied: the call's tenant is unknown, so no policy was asked".to_owned(),
        "overloaded" => "denied: the host was overloaded, or had no decision in time".to_owned(),
        "data" => "denied: the data that policies need could not be read, so none was asked".to_owned(),
        "log" => "denied: the decision log could not record it, and `on_full = \"deny\"` allows nothing unrecorded"
            .to_owned(),
        "internal" => "denied: the host itself failed; its log says how".to_owned(),
        other => format!("{}: {}", plain(&record.answer), plain(other)),
    };
    text + &problem
}

fn summary(out: &mut dyn Write, record: &DecisionRecord) -> io::Result<()> {
    match &record.reason {
        Some(reason) => paragraph(out, "told", &format!("{} [{}]", plain(reason), short(&record.id))),
        None if record.answer == "allow" => paragraph(out, "told", "nothing: dockerd carried the call out"),
        None => paragraph(out, "told", "no reason"),
    }
}

fn times(record: &DecisionRecord) -> String {
    let DecisionRecord { took_us, read_us, wait_us, ask_us, .. } = record;
    let [whole, read, wait, ask] = [took_us, read_us, wait_us, ask_us].map(|time| micros(*time));
    format!("{whole}: {read} to read the call, {wait} in the queue, {ask} asking policies")
}

fn style(verdict: &str) -> Style {
    match verdict {
        "allow" => AnsiColor::Green.on_default(),
        "abstain" => Style::new(),
        _ => AnsiColor::Red.on_default(),
    }
}

fn paragraph(out: &mut dyn Write, label: &str, text: &str) -> io::Result<()> {
    let bold = Style::new().bold();
    writeln!(out, "{bold}{label:<9}{bold:#}{text}")
}

fn more(out: &mut dyn Write, text: &str) -> io::Result<()> {
    writeln!(out, "{:<9}{text}", "")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(cause: &str, answer: &str, mode: &str) -> DecisionRecord<'static> {
        let record = json!({
            "timestamp": "2026-11-25T08:00:00.000001Z", "level": "INFO", "message": "decision",
            "id": "01KAXJ3Q7Q2M9X4KPD01234567", "answer": answer, "cause": cause, "rule": "start-body", "mode": mode,
            "problem": "the bound", "tenant": null, "listener": "docker", "generation": 7, "operation": null,
            "method": null, "path": null, "user": null, "took_us": 1500, "read_us": 40, "wait_us": 0, "ask_us": 1460,
            "policies": [
                { "policy": "a", "origin": "host", "mode": "observe", "digest": null, "verdict": "deny", "took_us": 1 },
                { "policy": "b", "origin": "tenant", "mode": "enforce", "digest": null, "verdict": "panic", "took_us": 1 },
            ],
            "request": null,
        });
        serde_json::from_value(record).expect("a record")
    }

    #[test]
    fn every_cause_has_a_sentence() {
        let cases = [
            ("allowed", "allow", "enforce", "allowed: a policy allowed it, and none denied"),
            ("denied", "deny", "enforce", "denied: b denied it, and one denial outweighs every allow"),
            ("fault", "deny", "enforce", "denied: b gave no verdict, and a fault denies"),
            ("default", "allow", "observe", "allowed: the tenant is only observed"),
            ("default", "allow", "enforce", "allowed: no policy that counts allowed or denied it"),
            ("default", "deny", "enforce", "denied: no policy that counts allowed it"),
            ("exempt", "allow", "enforce", "allowed without asking"),
            ("rule", "deny", "enforce", "denied by the host rule `start-body`"),
            ("bad-call", "deny", "enforce", "denied: the plugin call itself"),
            ("unplaced", "deny", "enforce", "denied: the call's tenant is unknown"),
            ("overloaded", "deny", "enforce", "denied: the host was overloaded"),
            ("data", "deny", "enforce", "denied: the data that policies need"),
            ("log", "deny", "enforce", "denied: the decision log could not record it"),
            ("internal", "deny", "enforce", "denied: the host itself failed"),
            ("of-a-later-version", "deny", "enforce", "deny: of-a-later-version"),
        ];
        for (cause, answer, mode, message) in cases {
            let said = verdict(&record(cause, answer, mode));
            assert!(said.starts_with(message) && said.ends_with(" (the bound)"), "{cause}: {said}");
        }
    }

    #[test]
    fn a_record_of_which_little_is_known_is_told() {
        let mut out = Vec::new();
        tell(&mut out, &record("bad-call", "deny", "enforce")).expect("a vector takes all");
        let message = anstream::adapter::strip_bytes(&out).into_vec();
        let message = String::from_utf8(message).expect("is text");
        for text in [
            "denied  a call that could not be read, 2026-11-25 08:00:00 UTC  [PD01234567]",
            "unknown: Portcullis could not tell",
            "a (host-wide, only observed): deny",
            "then     b (the tenant's): failed (panic)",
            "took     1.5 ms: 40 µs to read the call",
        ] {
            assert!(message.contains(text), "{text} is not in\n{message}");
        }
    }
}
