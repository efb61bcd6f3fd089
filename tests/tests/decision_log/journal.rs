//! The journal gets every record, however large: what does not go into a datagram comes as a file, as systemd's own
//! senders do it.

use std::collections::BTreeSet;

use portcullis_tests::log::Log;
use portcullis_tests::process::Process;
use portcullis_tests::{Error, Result, guests, wait};
use serde_json::Value;

use crate::{ask, call, io, numbered, with_file};

const JOURNAL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/decision_log/journal.py");
/// `F_SEAL_SEAL`, `_SHRINK`, `_GROW` and `_WRITE`: the journal takes no other file.
const SEALED: u64 = 15;
/// The largest datagram, unless the system's administrator says otherwise.
const DATAGRAM: u64 = 208 << 10;

/// A policy that writes a thousand long lines with each decision. As far as it may: not each record is large.
fn chatty() -> Result<Vec<u8>> {
    let path = guests::dir().join("flood_log.wat");
    let text = std::fs::read_to_string(&path).map_err(io)?;
    let long = text.replace("(i32.const 16) (i32.const 5))", "(i32.const 16) (i32.const 500))");
    let filled = "(memory.fill (i32.const 16) (i32.const 120) (i32.const 500))\n    (local.set $left";
    guests::from_text("flood_log", &long.replace("(local.set $left", filled))
}

#[test]
fn a_record_that_is_no_datagram_comes_as_a_file_and_takes_none_of_its_batch_along() -> Result<()> {
    let config = with_file("sinks = [\"journald\"]", "")?;
    let socket = config.path().join("journal.sock");
    let journal = Process::start("journal", "python3", |command| {
        command.arg(JOURNAL).arg(&socket);
    })?;
    journal.wait_for_line(Log::START, "that it listens", |line| line.contains("listening").then_some(()))?;
    let host = config
        .toml(&format!("[decision_log.journald]\nsocket = {socket:?}"))
        .tenant("default", "[limits]\nlog_lines_per_second = 3000\n")?
        .file("policies/chatty.wasm", &chatty()?)?
        .file("policies/chatty.toml", b"grants = [\"log\"]\n[limits]\nlog_lines = 1000\n")?
        .start()?;
    // Of the last, which a host rule denies, no policy writes anything.
    let small = call("GET", "/v1.10/containers/small/json", &serde_json::json!({}), None);
    let calls: Vec<_> = (0..16).map(numbered).chain([small]).collect();
    for call in &calls {
        ask(&host, call)?;
    }
    let entries = wait::until("every entry", wait::DEADLINE, || {
        let lines = journal.log().since(Log::START);
        let entries: Vec<Value> = lines.iter().filter_map(|line| serde_json::from_str(line).ok()).skip(1).collect();
        (entries.len() == calls.len()).then_some(entries)
    })?;
    let (datagrams, files): (Vec<_>, Vec<_>) = entries.iter().partition(|entry| entry["seals"] == Value::Null);
    let is_file = |entry: &&Value| entry["seals"] == SEALED && entry["bytes"].as_u64() > Some(DATAGRAM);
    assert!(files.iter().all(is_file), "{files:?}");
    assert!(!files.is_empty() && !datagrams.is_empty(), "{entries:?}");
    assert!(entries.iter().all(|entry| entry["id"].is_string() && entry["missing"] == Value::Null), "{entries:?}");
    let paths: BTreeSet<_> = entries.iter().filter_map(|entry| entry["path"].as_str()).collect();
    assert_eq!(paths.len(), calls.len(), "{paths:?}");
    let problems = host.process().log().since(Log::START);
    let failed = problems.iter().find(|line| line.contains("decision log cannot be written"));
    failed.map_or(Ok(()), |line| Err(Error::Unexpected(line.clone())))
}

#[test]
fn a_journal_that_ends_and_comes_back_is_told_how_many_it_has_not() -> Result<()> {
    let config = with_file("sinks = [\"journald\"]", "")?;
    let socket = config.path().join("journal.sock");
    let start = || -> Result<Process> {
        let journal = Process::start("journal", "python3", |command| {
            command.arg(JOURNAL).arg(&socket);
        })?;
        journal.wait_for_line(Log::START, "that it listens", |line| line.contains("listening").then_some(()))?;
        Ok(journal)
    };
    let journal = start()?;
    let host = config.toml(&format!("[decision_log.journald]\nsocket = {socket:?}")).policy("allow-all")?.start()?;
    ask(&host, &numbered(1))?;
    journal.wait_for_line(Log::START, "the first", |line| line.contains("/containers/c1/json").then_some(()))?;
    drop(journal);
    std::fs::remove_file(&socket).map_err(io)?;
    ask(&host, &numbered(2))?;
    host.process().wait_for_line(Log::START, "the loss", |line| line.contains("cannot be written").then_some(()))?;
    let journal = start()?;
    ask(&host, &numbered(3))?;
    journal.wait_for_line(Log::START, "what is missing", |line| line.contains("\"missing\": \"1\"").then_some(()))?;
    journal.wait_for_line(Log::START, "the next", |line| line.contains("/containers/c3/json").then_some(()))?;
    Ok(())
}
