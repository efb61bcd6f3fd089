//! `[decision_log]` of `portcullis.toml`.

use std::path::PathBuf;
use std::time::Duration;

use portcullis_model::Span;
use portcullis_telemetry::otlp::Endpoint;
use toml::de::DeValue;

use crate::reader::{Table, nearest};
use crate::redaction::{Redaction, Rule};
use crate::setting::{Bytes, Setting};
use crate::telemetry;

/// Where systemd's journal listens.
pub const JOURNAL: &str = "/run/systemd/journal/socket";

type Objection = Result<(), (String, String)>;

/// What is kept of decisions, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecisionLogSettings {
    pub sinks: Vec<SinkSettings>,
    pub on_full: OnFull,
    /// Bytes of the last records, which are held to be looked at.
    pub recent: u64,
    pub redaction: Redaction,
}

/// One place where decisions go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SinkSettings {
    Stderr,
    Stdout,
    File(FileSettings),
    /// With the path of the journal's socket.
    Journald(PathBuf),
    /// A collector.
    Otlp(Endpoint),
}

/// A file sink, as it is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSettings {
    pub path: PathBuf,
    /// Bytes from which on it is rotated.
    pub max_size: u64,
    /// Age from which on it is rotated; none where it is not.
    pub max_age: Option<Duration>,
    /// Rotated files that are kept: `PATH.1`, the newest, to `PATH.N`.
    pub files: u32,
    /// Whether what is written is brought to the disk: each batch where that is waited for, else what has come together.
    pub sync: bool,
}

/// What becomes of a call whose record cannot be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OnFull {
    /// It is denied, if it would have been allowed.
    Deny,
    /// Its record is lost, and counted.
    #[default]
    Drop,
}

impl Default for DecisionLogSettings {
    fn default() -> Self {
        let sinks = vec![SinkSettings::Stderr];
        Self { sinks, on_full: OnFull::Drop, recent: 4 << 20, redaction: Redaction::default() }
    }
}

impl Default for FileSettings {
    fn default() -> Self {
        Self {
            path: PathBuf::from("/var/log/portcullis/decisions.log"),
            max_size: 100 << 20,
            max_age: None,
            files: 10,
            sync: true,
        }
    }
}

impl SinkSettings {
    const NAMES: [&str; 5] = ["stderr", "stdout", "file", "journald", "otlp"];
    const EXPECTED: &str = "expected a list of \"stderr\", \"stdout\", \"file\", \"journald\" and \"otlp\", such as [\"stderr\", \"file\"]";
}

pub(crate) fn read(table: &mut Table<'_, '_, '_>) -> DecisionLogSettings {
    let default = DecisionLogSettings::default();
    let names = table.get_checked("sinks", |names: &Sinks| known(&names.0));
    let names = names.map_or_else(|| vec!["stderr".to_owned()], |names| names.0);
    let on_full = on_full(table, &names);
    let sync = table.get("sync").unwrap_or(true);
    let file =
        table.table("file", |table| file(table, sync)).unwrap_or_else(|| FileSettings { sync, ..Default::default() });
    let journal = table.table("journald", |table| table.get("socket")).flatten();
    let journal = journal.unwrap_or_else(|| PathBuf::from(JOURNAL));
    let collector = table.table("otlp", telemetry::endpoint).flatten();
    if names.iter().any(|name| name == "otlp") && table.line_of("otlp").is_none() {
        let line = table.line_of("sinks");
        table.problem(line, "`sinks` names `otlp`, and `[decision_log.otlp]` has no `endpoint`", Endpoint::EXPECTED);
    }
    let sink = |name: &String| match name.as_str() {
        "stdout" => Some(SinkSettings::Stdout),
        "file" => Some(SinkSettings::File(file.clone())),
        "journald" => Some(SinkSettings::Journald(journal.clone())),
        // Without an endpoint it was refused.
        "otlp" => collector.clone().map(SinkSettings::Otlp),
        // Others were refused.
        _ => Some(SinkSettings::Stderr),
    };
    DecisionLogSettings {
        sinks: names.iter().filter_map(sink).collect(),
        on_full,
        recent: table.get_checked("recent", recent).map_or(default.recent, |bytes| bytes.0),
        redaction: Redaction { redact: rules(table, "redact"), keep: rules(table, "keep") },
    }
}

/// Names of sinks.
struct Sinks(Vec<String>);

impl Setting for Sinks {
    const EXPECTED: &str = SinkSettings::EXPECTED;

    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        Vec::read(value).map(Self)
    }
}

fn known(names: &[String]) -> Objection {
    if let Some(name) = names.iter().find(|name| !SinkSettings::NAMES.contains(&name.as_str())) {
        let meant = nearest(name, &SinkSettings::NAMES).map(|meant| format!("did you mean \"{meant}\"? "));
        let help = format!("{}{}", meant.unwrap_or_default(), SinkSettings::EXPECTED);
        return Err((format!("names `{name}`, which is not a sink"), help));
    }
    let twice = names.iter().enumerate().find(|(at, name)| names.iter().take(*at).any(|before| before == *name));
    match twice {
        Some((_, name)) => Err((format!("names `{name}` twice"), "name each sink once".to_owned())),
        None => Ok(()),
    }
}

fn on_full(table: &mut Table<'_, '_, '_>, sinks: &[String]) -> OnFull {
    let check = |word: &String| match word.as_str() {
        "drop" => Ok(()),
        "deny" if sinks.iter().any(|name| name == "file") => Ok(()),
        "deny" => Err((
            "is \"deny\", and no sink is a file".to_owned(),
            "only of a file can be told that a record is kept: add \"file\" to `sinks`".to_owned(),
        )),
        other => Err((format!("is `{other}`"), "expected \"deny\" or \"drop\"".to_owned())),
    };
    match table.get_checked("on_full", check).as_deref() {
        Some("deny") => OnFull::Deny,
        Some(_) | None => OnFull::Drop,
    }
}

fn file(table: &mut Table<'_, '_, '_>, sync: bool) -> FileSettings {
    let default = FileSettings::default();
    FileSettings {
        path: table.get("path").unwrap_or(default.path),
        max_size: table.get_checked("max_size", max_size).map_or(default.max_size, |bytes| bytes.0),
        max_age: table.get_checked("max_age", max_age),
        files: table.get_checked("files", files).unwrap_or(default.files),
        sync,
    }
}

fn max_size(bytes: &Bytes) -> Objection {
    if *bytes >= Bytes(1 << 20) { Ok(()) } else { Err((format!("is {bytes}"), "expected at least 1MiB".into())) }
}

fn max_age(age: &Duration) -> Objection {
    let help = || "expected at least one minute, such as \"24h\" or \"7d\"".to_owned();
    if *age >= Duration::from_secs(60) { Ok(()) } else { Err((format!("is {}", Span(*age)), help())) }
}

fn files(number: &u32) -> Objection {
    if *number <= 1000 { Ok(()) } else { Err((format!("is {number}"), "expected 0 to 1000".into())) }
}

fn recent(bytes: &Bytes) -> Objection {
    if *bytes <= Bytes(1 << 30) { Ok(()) } else { Err((format!("is {bytes}"), "expected at most 1GiB".into())) }
}

/// Every rule that is one; the others are mistakes.
fn rules(table: &mut Table<'_, '_, '_>, key: &'static str) -> Vec<Rule> {
    let line = table.line_of(key);
    let texts: Vec<String> = table.get(key).unwrap_or_default();
    let mut rules = Vec::new();
    for text in texts {
        match Rule::new(&text) {
            Ok(rule) => rules.push(rule),
            Err(error) => {
                let help = "expected OPERATION:PLACE, such as \"ContainerCreate:/Labels/*internal*\", \
                            \"*:query/NAME\" or \"*:header/NAME\"";
                table.problem(line, format!("`[decision_log] {key}`: the rule `{text}` {error}"), help);
            }
        }
    }
    rules
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::problem::Problems;
    use crate::reader::File;

    fn settings(text: &str) -> Result<DecisionLogSettings, String> {
        let mut problems = Problems::default();
        let path = Path::new("portcullis.toml");
        let settings = File::read(path, text, &mut problems, |file| file.table("decision_log", read));
        let all: Vec<String> = problems.0.iter().map(ToString::to_string).collect();
        if all.is_empty() { Ok(settings.unwrap_or_default()) } else { Err(all.join("\n")) }
    }

    #[test]
    fn what_is_left_out_has_its_default() {
        for text in ["", "[decision_log]\n"] {
            let DecisionLogSettings { sinks, on_full, recent, .. } = settings(text).expect("right");
            assert_eq!((sinks, on_full, recent), (vec![SinkSettings::Stderr], OnFull::Drop, 4 << 20), "{text}");
        }
        let text = "[decision_log]\nsinks = [\"file\", \"journald\"]\non_full = \"deny\"\nsync = false\n\
                    redact = [\"*:/Labels/x\"]\n[decision_log.file]\npath = \"/x\"\nmax_age = \"7d\"\n\
                    [decision_log.journald]\nsocket = \"/y\"\n";
        let DecisionLogSettings { sinks, on_full, redaction, .. } = settings(text).expect("right");
        let file = FileSettings {
            path: "/x".into(),
            max_age: Some(Duration::from_secs(7 * 24 * 3600)),
            sync: false,
            ..FileSettings::default()
        };
        assert_eq!(sinks, [SinkSettings::File(file), SinkSettings::Journald("/y".into())]);
        assert_eq!((on_full, redaction.redact.len()), (OnFull::Deny, 1));
        assert_eq!(settings("[decision_log]\nsinks = []").map(|settings| settings.sinks), Ok(Vec::new()));
    }

    #[test]
    fn mistakes_say_what_is_expected() {
        for (text, expected) in [
            ("sinks = [\"syslog\"]", "names `syslog`, which is not a sink"),
            ("sinks = [\"file\", \"file\"]", "names `file` twice"),
            ("on_full = \"deny\"", "is \"deny\", and no sink is a file"),
            ("on_full = \"block\"", "expected \"deny\" or \"drop\""),
            ("recent = \"2GiB\"", "expected at most 1GiB"),
            ("redact = [\"ContainerCreate:/labels/x\"]", "the rule `ContainerCreate:/labels/x` names `labels`"),
            ("keep = [\"x\"]", "`[decision_log] keep`: the rule `x` has no `:`"),
            ("[decision_log.file]\nmax_size = 5", "expected at least 1MiB"),
            ("[decision_log.file]\nmax_age = \"5s\"", "expected at least one minute"),
            ("[decision_log.file]\nfiles = 5000", "expected 0 to 1000"),
            ("[decision_log.file]\npath = \"x\"", "which is not absolute"),
            ("[decision_log.journald]\nsocket = \"x\"", "which is not absolute"),
            ("sink = []", "did you mean `sinks`?"),
        ] {
            let problems = settings(&format!("[decision_log]\n{text}\n")).expect_err(text);
            assert!(problems.contains(expected), "{text}: {problems}");
        }
    }
}
