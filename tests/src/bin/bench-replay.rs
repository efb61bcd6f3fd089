//! How fast a log is asked about again: decisions a second, without and with policies that keep something.
//!
//! `bench-replay [--decisions N] [--json]`, or `make bench-replay`.
//!
//! A host decides a few real calls; the log is made of what it wrote of them, over and over. The whole command is measured,
//! from its start to its report.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use portcullis_tests::caller::Caller;
use portcullis_tests::error::Doing;
use portcullis_tests::log::Log;
use portcullis_tests::measure::Arguments;
use portcullis_tests::portcullis::{self, Config, Portcullis};
use portcullis_tests::{Error, Result, wait};
use serde_json::{Value, json};

const USAGE: &str = "bench-replay [--decisions N] [--json]";
const DECISIONS: u64 = 100_000;
const USERS: &str = r#"{"alice":{"readOnly":false},"bob":{"readOnly":true}}"#;
const KEEPS: &[u8] = b"grants = [\"state\"]\n";
const ID: usize = 26;

fn main() -> ExitCode {
    let mut arguments = Arguments::of_program();
    let is_json = arguments.flag("--json");
    let done = arguments.number("--decisions", DECISIONS).and_then(|decisions| {
        arguments.finish(USAGE)?;
        run(decisions, is_json)
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-replay: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(decisions: u64, is_json: bool) -> Result<()> {
    let stateless =
        || Config::new()?.policy("seccomp")?.policy("user-roles")?.file("data/users.json", USERS.as_bytes());
    let stateful = || stateless()?.policy("say-hello")?.file("policies/say-hello.toml", KEEPS);
    let mut figures = Vec::new();
    for (name, config) in [("two policies, in any order", stateless()?), ("three, one keeps something", stateful()?)] {
        let host = config.start()?;
        let log = log(&host, decisions)?;
        let (config, file) = (host.config().path().display().to_string(), log.display().to_string());
        let started = Instant::now();
        let finished = portcullis::run(&["replay", &file, "--config", &config, "--json"])?;
        let seconds = started.elapsed().as_secs_f64();
        let report: Value = serde_json::from_str(&finished.stdout)
            .map_err(|error| Error::Unexpected(format!("{error}: {finished:?}")))?;
        let number = |name: &str| report.get(name).and_then(Value::as_u64).unwrap_or_default();
        if (number("replayed"), number("changed")) != (decisions, 0) {
            return Err(Error::Unexpected(format!("not every decision stays as it was: {report:#}")));
        }
        let megabytes = std::fs::metadata(&log).doing_to("looking at", &log)?.len() as f64 / 1e6;
        figures.push(json!({
            "policies": name, "decisions": decisions, "megabytes": megabytes.round(), "seconds": seconds,
            "decisions_per_second": (decisions as f64 / seconds).round(),
        }));
    }
    if is_json {
        println!("{:#}", Value::from(figures));
        return Ok(());
    }
    for figure in &figures {
        let number = |name: &str| figure.get(name).and_then(Value::as_f64).unwrap_or_default();
        let name = figure.get("policies").and_then(Value::as_str).unwrap_or_default();
        let (megabytes, seconds, rate) = (number("megabytes"), number("seconds"), number("decisions_per_second"));
        println!("{name:<28} {decisions:>8} decisions, {megabytes:>4} MB  {seconds:>6.2} s  {rate:>7} a second");
    }
    Ok(())
}

/// A log of so many decisions, in the host's folder.
fn log(host: &Portcullis, decisions: u64) -> Result<PathBuf> {
    let calls = [("alice", "hello-world"), ("alice", "alpine"), ("bob", "alpine"), ("carol", "alpine")];
    for (user, image) in calls {
        Caller::named(user).create(&host.socket(), image)?;
        Caller::named(user).list(&host.socket())?;
    }
    let lines = wait::until("logging every decision", wait::DEADLINE, || {
        let lines = host.process().log().since(Log::START);
        let decisions: Vec<_> = lines.into_iter().filter(|line| line.contains("\"decision\"")).collect();
        (decisions.len() == 2 * calls.len()).then_some(decisions)
    })?;
    let path = host.config().path().join("long.log");
    write(&path, &lines, decisions).doing_to("writing", &path)?;
    Ok(path)
}

fn write(path: &Path, lines: &[String], decisions: u64) -> std::io::Result<()> {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
    for (number, line) in (0..decisions).zip(lines.iter().cycle()) {
        let (before, rest) = line.split_once("\"id\":\"").unwrap_or((line, ""));
        let after = rest.get(ID..).unwrap_or_default();
        writeln!(file, "{before}\"id\":\"{number:026}{after}")?;
    }
    file.flush()
}
