//! `portcullis logs`

use std::borrow::Cow;
use std::collections::VecDeque;
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use hyper::Method;
use portcullis_decision_log::filter::Moment;
use portcullis_decision_log::record::DecisionRecord;
use serde_json::Value;

use crate::admin::{Call, escaped, parse};
use crate::args::{Decisions, Logs};
use crate::exit::Exit;
use crate::out::{self, fail, note};
use crate::record::of_logs;
use crate::words::{counted, micros, plain, short, when};

/// How many of the last decisions of a host come first, unless said.
const LAST: usize = 20;

pub(crate) fn run(args: &Logs) -> Exit {
    Exit::from(if args.file.is_empty() { of_host(args) } else { of_files(args) })
}

/// The host's last decisions, and then those that it makes.
fn of_host(args: &Logs) -> Result<(), Exit> {
    let (printer, mut event) = (Printer::new(args.json), Event::default());
    let mut read = Ok(());
    Call::new(Method::GET, path(args)).lines(&args.host, !args.no_follow, |line| {
        let Some((kind, data)) = event.line(line) else { return true };
        match kind.as_str() {
            "decision" => read = printer.print_line(&data),
            "lost" => note!("portcullis: {}", lost(&data)),
            // Of a newer version.
            _ => {}
        }
        read.is_ok() && !out::is_closed()
    })?;
    read?;
    if args.no_follow || out::is_closed() { Ok(()) } else { Err(fail(Exit::Failed, "the host ended the stream")) }
}

fn path(args: &Logs) -> String {
    let Decisions { tenant, user, operation, answer, policy, since, until } = &args.filter;
    let last = args.last.unwrap_or(LAST);
    let mut path = match tenant {
        Some(tenant) => format!("/v1/tenants/{}/decisions", escaped(tenant)),
        None => "/v1/decisions".to_owned(),
    };
    path.push_str(&format!("?last={last}&follow={}", !args.no_follow));
    let answer = answer.map(|answer| answer.as_str().to_owned());
    let moment = |moment: &Option<Moment>| moment.as_ref().map(|moment| moment.as_str().to_owned());
    let options = [
        ("user", user.clone()),
        ("operation", operation.clone()),
        ("answer", answer),
        ("policy", policy.clone()),
        ("since", moment(since)),
        ("until", moment(until)),
    ];
    for (name, value) in options {
        if let Some(value) = value {
            path.push_str(&format!("&{name}={}", escaped(&value)));
        }
    }
    path
}

/// What a host says that could not tell everything.
fn lost(data: &str) -> String {
    let lost = serde_json::from_str::<Value>(data).ok().and_then(|data| data.get("lost")?.as_u64());
    match lost {
        Some(lost) => format!("{} decisions came faster than they were shown, and are missing here", counted(lost)),
        None => "some decisions are missing here: the host holds them no longer".to_owned(),
    }
}

/// An event of a stream, as far as it was read.
#[derive(Debug, Default)]
struct Event {
    kind: String,
    data: String,
}

// === impl Event ===

impl Event {
    /// Takes a line; gives the event's kind and data when it ends.
    fn line(&mut self, line: &str) -> Option<(String, String)> {
        if line.is_empty() {
            let Self { kind, data } = std::mem::take(self);
            return (!data.is_empty()).then_some((kind, data));
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.kind),
            "data" => self.data.push_str(value),
            // A comment, or the ID, which the record has as well.
            _ => {}
        }
        None
    }
}

/// All decisions of the files that are wanted; the last ones where a number is given.
fn of_files(args: &Logs) -> Result<(), Exit> {
    let filter = args.filter.filter();
    let printer = Printer::new(args.json);
    let mut last = VecDeque::new();
    of_logs(&args.file, |record| {
        if !filter.admits(&record) {
            return true;
        }
        match args.last {
            None => printer.print(&record),
            Some(most) => {
                last.push_back(record);
                if last.len() > most {
                    last.pop_front();
                }
            }
        }
        !out::is_closed()
    })?;
    last.iter().for_each(|record| printer.print(record));
    Ok(())
}

/// Writes decisions, a line each.
struct Printer {
    is_json: bool,
}

// === impl Printer ===

impl Printer {
    /// JSON where it is asked for, or where nobody sits at the terminal.
    fn new(wants_json: bool) -> Self {
        Self { is_json: wants_json || !out::is_terminal() }
    }

    /// A record as the host wrote it.
    fn print_line(&self, line: &str) -> Result<(), Exit> {
        if self.is_json {
            out::json_text(line);
            return Ok(());
        }
        self.print(&parse(line.as_bytes())?);
        Ok(())
    }

    fn print(&self, record: &DecisionRecord) {
        if self.is_json {
            // Strings and numbers always have JSON.
            return out::json_text(&serde_json::to_string(record).unwrap_or_default());
        }
        out::styled(|out| one_line(out, record));
    }
}

fn one_line(out: &mut dyn Write, record: &DecisionRecord) -> io::Result<()> {
    let DecisionRecord { timestamp, id, answer, operation, method, path, user, tenant, reason, would, took_us, .. } =
        record;
    let (word, style) = match (&**answer, would) {
        ("allow", Some(would)) if would.answer == "deny" => ("would", AnsiColor::Yellow.on_default()),
        ("allow", _) => ("allow", AnsiColor::Green.on_default()),
        _ => ("deny", AnsiColor::Red.on_default()),
    };
    let what = match (operation, method, path) {
        (Some(operation), _, Some(path)) => format!("{} {}", plain(operation), plain(path)),
        (None, Some(method), Some(path)) => format!("{} {}", plain(method), plain(path)),
        _ => "-".to_owned(),
    };
    let dim = Style::new().dimmed();
    let text = |text: &Option<Cow<'_, str>>| text.as_deref().map_or_else(|| "-".to_owned(), plain);
    let (time, id, user, tenant) = (when(timestamp), short(id), text(user), text(tenant));
    write!(
        out,
        "{dim}{time} {id}{dim:#} {style}{word:<5}{style:#} {what} {dim}user{dim:#} {user} {dim}tenant{dim:#} {tenant}"
    )?;
    let message = reason.as_ref().or_else(|| would.as_ref().and_then(|would| would.reason.as_ref()));
    if let Some(message) = message {
        write!(out, "  {style}{}{style:#}", plain(message))?;
    }
    writeln!(out, "  {dim}{}{dim:#}", micros(*took_us))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_line_by_line() {
        let mut event = Event::default();
        let lines = [":", "", "event: decision", "id: 7", "data: {\"a\":", "data:1}", "", "data: x", "retry: 3", ""];
        let message: Vec<_> = lines.iter().filter_map(|line| event.line(line)).collect();
        let message: Vec<_> = message.iter().map(|(kind, data)| (kind.as_str(), data.as_str())).collect();
        assert_eq!(message, [("decision", "{\"a\":1}"), ("", "x")]);
    }
}
