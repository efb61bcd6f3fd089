//! What is printed: text that anybody may have written is escaped, wherever it is shown; a reader that has gone, or a full
//! disk, is no panic.

use std::fs::{self, File};
use std::process::{Command, Stdio};

use portcullis_model::printable::is_unprintable;
use portcullis_tests::caller::Caller;
use portcullis_tests::command::Finished;
use portcullis_tests::log::Log;
use portcullis_tests::portcullis::{Config, Portcullis, run};
use portcullis_tests::{Error, Result, artifacts, plugin, wait};
use serde_json::{Value, json};

/// Of each kind one: controls of both sets, what reorders, what is invisible, what ends a line.
const NASTY: &str = "x\u{1b}[2J\u{7f}\u{85}\u{9b}31m\u{ad}\u{61c}\u{200e}\u{200f}\u{2028}\u{2029}\u{202a}\u{202e}\u{2066}\u{2069}\u{feff}\u{e0041}y";
const NASTY_FILE: &str = "x\u{1b}[2J\u{9b}31m\u{202e}y";

fn io(error: std::io::Error) -> Error {
    Error::Unexpected(error.to_string())
}

fn assert_printable(what: &str, text: &str) {
    let found = text.chars().find(|c| !matches!(c, '\n') && is_unprintable(*c));
    assert_eq!(found, None, "{what}: {text:?}");
}

/// Calls in which everything that a caller can write is nasty.
fn ask(host: &Portcullis) -> Result<Vec<String>> {
    let body = json!({ "Image": NASTY, "Labels": { NASTY: NASTY }, "Cmd": [NASTY] }).to_string();
    let caller = Caller::named(NASTY).header("Content-Type", "application/json").header("X-Nasty", NASTY);
    let caller = caller.header("Content-Length", &body.len().to_string());
    let calls = [
        caller.call("POST", "/v1.44/containers/create", body.as_bytes()),
        Caller::named(NASTY).call("GET", &format!("/v1.44/containers/{NASTY}/json"), b""),
        Caller::named(NASTY).call("GET", "/v1.44/containers/%1b%C2%9b%E2%80%ae/json", b""),
        Caller::named(NASTY).call(NASTY, "/nowhere", b""),
        Caller::named(NASTY).call("DELETE", "/v1.44/containers/x", b""),
    ];
    calls.iter().map(|call| Ok(plugin::ask(&host.socket(), call)?.id)).collect()
}

/// A host whose files have nasty names and contents, too.
fn nasty_host() -> Result<Portcullis> {
    let config = Config::new()?;
    let log = config.path().join("decisions.log");
    let config = config
        .toml(&format!("[decision_log]\nsinks = [\"stderr\", \"file\"]\n[decision_log.file]\npath = {log:?}"))
        .tenant("ci", &format!("[[match]]\nuser = {:?}\n", "nobody"))?
        .tenant_says("ci", "no")?
        .policy("user-roles")?
        .file("data/users.json", json!({ NASTY: { "role": NASTY } }).to_string().as_bytes())?
        .file(&format!("data/{NASTY_FILE}.json"), b"{")?
        .file(&format!("policies/{NASTY_FILE}.toml"), format!("\"{NASTY}\" = 1\n").as_bytes())?
        .file(&format!("policies/{NASTY_FILE}.WASM"), b"")?
        .file("policies/broken.wasm", b"\0asm\x01\0\0\0\x9b")?;
    config.start()
}

#[test]
fn what_callers_and_files_say_is_escaped_in_every_log() -> Result<()> {
    let host = nasty_host()?;
    let ids = ask(&host)?;
    let file = host.config().path().join("decisions.log");
    let records = wait::until("every record", wait::DEADLINE, || {
        fs::read_to_string(&file).ok().filter(|text| text.lines().count() >= ids.len())
    })?;
    assert_printable("the file", &records);
    // It is the same text all the same.
    let users: Vec<Value> = records.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    assert!(users.iter().any(|record| record["user"] == NASTY), "{records}");
    assert!(users.iter().any(|record| record["request"]["body"]["Image"] == NASTY), "{records}");
    host.process().terminate(wait::DEADLINE)?;
    let lines = host.process().log().since(Log::START);
    assert!(lines.iter().filter(|line| line.contains("\"decision\"")).count() >= ids.len());
    lines.iter().for_each(|line| assert_printable("stderr", line));
    Ok(())
}

#[test]
fn a_log_for_a_person_is_escaped_too() -> Result<()> {
    let config = nasty_host()?;
    config.process().terminate(wait::DEADLINE)?;
    let path = config.config().path().to_owned();
    let binary = artifacts::portcullis()?;
    let process = portcullis_tests::process::Process::start("portcullis", &binary.to_string_lossy(), |command| {
        command.args(["serve", "--log-format", "text", "--config"]).arg(&path);
    })?;
    process.wait_for_line(Log::START, "that it is ready", |line| line.ends_with("INFO ready").then_some(()))?;
    let ids = ask(&config)?;
    let is_logged = |line: &str| ids.last().filter(|id| line.contains(*id)).map(drop);
    process.wait_for_line(Log::START, "the last decision", is_logged)?;
    process.terminate(wait::DEADLINE)?;
    process.log().since(Log::START).iter().for_each(|line| assert_printable("the text log", line));
    Ok(())
}

#[test]
fn what_a_command_prints_is_escaped() -> Result<()> {
    let host = nasty_host()?;
    let ids = ask(&host)?;
    let folder = host.config().path();
    let (dir, file) = (folder.display().to_string(), folder.join("decisions.log").display().to_string());
    wait::until("every record", wait::DEADLINE, || {
        fs::read_to_string(&file).ok().filter(|text| text.lines().count() >= ids.len())
    })?;
    let call = folder.join("call.json").display().to_string();
    host.config().put("call.json", &Caller::named(NASTY).call("GET", &format!("/containers/{NASTY}/json"), b""))?;
    let mut commands: Vec<Vec<&str>> = vec![
        vec!["logs", "--no-follow", "--config", &dir],
        vec!["logs", "--file", &file],
        vec!["logs", "--file", &file, "--json"],
        vec!["status", "--config", &dir],
        vec!["status", "--config", &dir, "--json"],
        vec!["ready", "--config", &dir],
        vec!["ready", "--config", &dir, "--json"],
        vec!["reload", "--config", &dir],
        vec!["config", "check", &dir],
        vec!["config", "check", &dir, "--json"],
        vec!["data", "ls", "--config", &dir],
        vec!["data", "get", "/users", "--config", &dir],
        vec!["policy", "ls", "--config", &dir],
        vec!["decide", "--live", "--request", &call, "--explain", "--config", &dir],
        vec!["decide", "--live", "--request", &call, "--explain", "--json", "--config", &dir],
        vec!["explain", "--request", &call],
        vec!["explain", "--request", &call, "--json"],
        vec!["replay", &file, "--config", &dir, "--json"],
        vec!["why", NASTY, "--file", &file],
        vec!["data", "get", NASTY, "--config", &dir],
        vec!["data", "get", "/users/\u{202e}", "--config", &dir],
        vec!["policy", "config", "get", NASTY, "--config", &dir],
        vec!["status", "--tenant", NASTY, "--config", &dir],
        vec!["check", NASTY],
        vec!["logs", "--file", NASTY],
        vec!["status", "--config", NASTY],
    ];
    for id in &ids {
        commands.push(vec!["why", id, "--file", &file]);
        commands.push(vec!["why", id, "--json", "--config", &dir]);
    }
    for arguments in &commands {
        let printed = run(arguments)?;
        assert!(!printed.stdout.is_empty() || !printed.stderr.is_empty(), "{arguments:?} says nothing");
        assert_printable(&format!("stdout of {arguments:?}"), &printed.stdout);
        assert_printable(&format!("stderr of {arguments:?}"), &printed.stderr);
    }
    let told = run(&["why", &ids[0], "--file", &file])?;
    assert!(told.stdout.contains("\\u{202e}") && told.stdout.contains("\\u{9b}"), "{told:?}");
    Ok(())
}

/// A terminal gets styles, and nothing else that it obeys.
#[test]
fn a_terminal_is_shown_what_was_written_and_does_not_obey_it() -> Result<()> {
    let host = nasty_host()?;
    let ids = ask(&host)?;
    let (dir, binary) = (host.config().path().display().to_string(), artifacts::portcullis()?.display().to_string());
    let first = format!("why {}", ids[0]);
    for command in ["logs --no-follow", "status", "data ls", &first] {
        let command = format!("'{binary}' {command} --config '{dir}'");
        let mut on_terminal = Command::new("script");
        on_terminal.args(["--quiet", "--return", "--command", &command, "/dev/null"]).env("NO_COLOR", "1");
        let shown = Finished::of(on_terminal.stdin(Stdio::null()))?;
        assert!(shown.stdout.contains("\\u{202e}"), "{command}: {shown:?}");
        assert_printable(&command, &shown.stdout.replace("\r\n", "\n"));
    }
    Ok(())
}

/// Every command that prints, with the exit code that it has when somebody reads.
fn printing<'a>(dir: &'a str, file: &'a str, wasm: &'a str, call: &'a str) -> Vec<(Vec<&'a str>, i32)> {
    vec![
        (vec!["version"], 0),
        (vec!["version", "--json"], 0),
        (vec!["help"], 0),
        (vec!["help", "serve"], 0),
        (vec!["completions", "bash"], 0),
        (vec!["check", wasm], 0),
        (vec!["check", wasm, "--json"], 0),
        (vec!["config", "check", dir], 0),
        (vec!["config", "check", dir, "--json"], 0),
        (vec!["decide", "--request", call, "--config", dir], 3),
        (vec!["decide", "--request", call, "--config", dir, "--json"], 3),
        (vec!["decide", "--live", "GET", "/_ping", "--config", dir], 0),
        (vec!["explain", "--request", call], 0),
        (vec!["explain", "--request", call, "--json"], 0),
        (vec!["replay", file, "--config", dir], 0),
        (vec!["replay", file, "--config", dir, "--json"], 0),
        (vec!["logs", "--file", file], 0),
        (vec!["logs", "--no-follow", "--config", dir], 0),
        (vec!["logs", "--config", dir], 0),
        (vec!["status", "--config", dir], 0),
        (vec!["status", "--json", "--config", dir], 0),
        (vec!["ready", "--config", dir], 0),
        (vec!["ready", "--json", "--config", dir], 0),
        (vec!["reload", "--config", dir], 0),
        (vec!["policy", "ls", "--config", dir], 0),
        (vec!["policy", "ls", "--json", "--config", dir], 0),
        (vec!["policy", "get", "seccomp", "--output", "-", "--config", dir], 0),
        (vec!["policy", "config", "get", "seccomp", "--config", dir], 0),
        (vec!["policy", "settings", "seccomp", "--config", dir], 0),
        (vec!["policy", "mode", "seccomp", "enforce", "--config", dir], 0),
        (vec!["data", "ls", "--config", dir], 0),
        (vec!["data", "get", "/x", "--config", dir], 0),
        (vec!["state", "ls", "--config", dir], 0),
        (vec!["state", "ls", "--json", "--config", dir], 0),
        (vec!["state", "clear", "--tenant", "default", "--config", dir], 0),
        (vec!["state", "reset", "--config", dir], 0),
        (vec!["token", "--name", "x", "--scope", "read"], 0),
    ]
}

fn sound_host() -> Result<(Portcullis, [String; 4])> {
    let config = Config::new()?;
    let log = config.path().join("decisions.log");
    let config = config
        .toml(&format!("[decision_log]\nsinks = [\"file\"]\n[decision_log.file]\npath = {log:?}"))
        .policy("seccomp")?
        .policy("deny-all")?
        .file("data/x.json", b"[1, 2, 3]")?
        .file("call.json", &Caller::named("alice").call("GET", "/v1.44/containers/json", b""))?;
    let host = config.start()?;
    for _ in 0..3 {
        let _ = Caller::named("alice").list(&host.socket())?;
    }
    wait::until("the records", wait::DEADLINE, || {
        fs::read_to_string(&log).ok().filter(|text| text.lines().count() == 3)
    })?;
    let path = |name: &str| host.config().path().join(name).display().to_string();
    let paths = [path(""), path("decisions.log"), path("policies/seccomp.wasm"), path("call.json")];
    Ok((host, paths))
}

#[test]
fn a_reader_that_has_gone_ends_no_command_with_a_panic() -> Result<()> {
    let (_host, [dir, file, wasm, call]) = sound_host()?;
    let binary = artifacts::portcullis()?;
    for (arguments, code) in printing(&dir, &file, &wasm, &call) {
        for both in [false, true] {
            // Nobody reads from the first byte on; `| head -1` is the same a little later.
            let (reader, writer) = std::io::pipe().map_err(io)?;
            drop(reader);
            let mut command = Command::new("timeout");
            command.arg("60").arg(&binary).args(&arguments).stdin(Stdio::null());
            let errors = writer.try_clone().map_err(io)?;
            command.stdout(writer);
            if both {
                command.stderr(errors);
            } else {
                drop(errors);
                command.stderr(Stdio::piped());
            }
            let output = command.spawn().and_then(|child| child.wait_with_output()).map_err(io)?;
            let told = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(code), "{arguments:?}: {told}");
            assert!(!told.contains("panicked") && !told.contains("Broken pipe"), "{arguments:?}: {told}");
        }
    }
    Ok(())
}

#[test]
fn head_gets_the_first_line_and_nobody_complains() -> Result<()> {
    let (_host, [dir, file, _, call]) = sound_host()?;
    let binary = artifacts::portcullis()?.display().to_string();
    for command in [
        format!("decide --request '{call}' --config '{dir}'"),
        format!("logs --file '{file}'"),
        format!("logs --config '{dir}'"),
        format!("status --json --config '{dir}'"),
        "completions bash".to_owned(),
    ] {
        let piped = format!("timeout 60 '{binary}' {command} | head -1; exit ${{PIPESTATUS[0]}}");
        let headed = Finished::of(Command::new("bash").args(["-c", &piped]).stdin(Stdio::null()))?;
        let expected = if command.starts_with("decide") { 3 } else { 0 };
        assert_eq!((headed.code(), headed.stderr.as_str()), (Some(expected), ""), "{command}: {headed:?}");
        assert_eq!(headed.stdout.lines().count(), 1, "{command}: {headed:?}");
    }
    Ok(())
}

#[test]
fn a_result_that_a_full_disk_does_not_take_is_a_failure() -> Result<()> {
    let (_host, [dir, file, wasm, call]) = sound_host()?;
    let binary = artifacts::portcullis()?;
    for (arguments, _) in printing(&dir, &file, &wasm, &call) {
        // clap prints the one, and the other has nothing to print.
        if arguments.first() == Some(&"help") || arguments.starts_with(&["state", "ls", "--config"]) {
            continue;
        }
        let full = File::options().write(true).open("/dev/full").map_err(io)?;
        let mut command = Command::new("timeout");
        command.arg("60").arg(&binary).args(&arguments).stdin(Stdio::null()).stdout(full).stderr(Stdio::piped());
        let output = command.spawn().and_then(|child| child.wait_with_output()).map_err(io)?;
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {told}");
        assert!(told.contains("stdout cannot be written: No space left"), "{arguments:?}: {told}");
    }
    Ok(())
}
