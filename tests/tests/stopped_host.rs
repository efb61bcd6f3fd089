//! A host that is stopped (SIGSTOP) accepts connections in the kernel and answers nothing: no command waits for it longer
//! than it was told to.

use std::fs;
use std::panic::resume_unwind;
use std::thread;
use std::time::{Duration, Instant};

use portcullis_tests::admin::{self, Door};
use portcullis_tests::portcullis::{self, Config};
use portcullis_tests::tls::Authority;
use portcullis_tests::{Portcullis, Result};
use rustix::process::Signal;

const TIMEOUT: &str = "1";

/// Runs a command on a stopped host; it must end by itself, with 1.
fn refused(arguments: &[&str], expected: &str) -> Result<Duration> {
    let started = Instant::now();
    let finished = portcullis::run(arguments)?;
    let took = started.elapsed();
    assert_eq!(finished.code(), Some(1), "{arguments:?} after {took:?}: {finished:?}");
    assert!(finished.stderr.contains(expected), "{arguments:?}: {finished:?}");
    Ok(took)
}

fn commands<'a>(wasm: &'a str, document: &'a str) -> Vec<Vec<&'a str>> {
    vec![
        vec!["status"],
        vec!["status", "--json"],
        vec!["status", "--tenant", "ci"],
        vec!["ready"],
        vec!["reload"],
        vec!["logs"],
        vec!["logs", "--no-follow"],
        vec!["why", "0123456789"],
        vec!["policy", "ls"],
        vec!["policy", "get", "allow-all", "--output", "/dev/null"],
        vec!["policy", "put", "--name", "new", wasm],
        vec!["policy", "rm", "allow-all"],
        vec!["policy", "mode", "allow-all", "observe"],
        vec!["policy", "config", "get", "allow-all"],
        vec!["data", "ls"],
        vec!["data", "get", "/users"],
        vec!["data", "put", "/users", document],
        vec!["data", "rm", "/users"],
        vec!["state", "ls"],
        vec!["state", "get", "--policy", "a", "k"],
        vec!["state", "clear", "--tenant", "default"],
        vec!["state", "reset"],
        vec!["decide", "--live", "GET", "/v1.41/containers/json"],
    ]
}

#[test]
fn every_command_gives_up_on_a_host_that_says_nothing() -> Result<()> {
    let host = Config::new()?.policy("allow-all")?.file("users.json", b"{}")?.start()?;
    let document = host.config().path().join("users.json").display().to_string();
    let wasm = host.config().path().join("policies/allow-all.wasm").display().to_string();
    let socket = host.config().admin_socket().display().to_string();
    host.process().signal(Signal::STOP)?;
    let gives_up = |command: Vec<&str>| {
        let arguments = [&command[..], &["--admin-socket", &socket, "--timeout", TIMEOUT]].concat();
        refused(&arguments, "no answer within 1 s").map(drop)
    };
    thread::scope(|scope| {
        let gives_up = &gives_up;
        let commands = commands(&wasm, &document).into_iter();
        let running: Vec<_> = commands.map(|command| scope.spawn(move || gives_up(command))).collect();
        running.into_iter().try_for_each(|command| command.join().unwrap_or_else(|panic| resume_unwind(panic)))
    })?;
    host.process().signal(Signal::CONT)?;
    let again = portcullis::run(&["ready", "--admin-socket", &socket, "--wait", "60"])?;
    assert_eq!(again.code(), Some(0), "{again:?}");
    Ok(())
}

#[test]
fn a_change_without_an_answer_says_that_it_may_be_made() -> Result<()> {
    let host = Config::new()?.policy("allow-all")?.start()?;
    let socket = host.config().admin_socket().display().to_string();
    host.process().signal(Signal::STOP)?;
    refused(&["reload", "--admin-socket", &socket, "--timeout", TIMEOUT], "is not known")?;
    Ok(())
}

#[test]
fn ready_waits_as_long_as_it_is_told() -> Result<()> {
    let host = Config::new()?.policy("allow-all")?.start()?;
    let socket = host.config().admin_socket().display().to_string();
    host.process().signal(Signal::STOP)?;
    for (more, limit, help) in [
        (&["--wait", "3"][..], "no answer within ", "`--wait SECONDS` waits longer"),
        (&["--wait", "2", "--timeout", "5"], "no answer within ", "`--wait SECONDS` waits longer"),
        (&["--timeout", "2"], "no answer within 2 s: ", "`--timeout SECONDS` waits longer"),
    ] {
        let arguments = [&["ready", "--admin-socket", &socket], more].concat();
        let started = Instant::now();
        let finished = portcullis::run(&arguments)?;
        let took = started.elapsed();
        assert_eq!(finished.code(), Some(1), "{finished:?}");
        assert!(finished.stderr.contains(limit) && finished.stderr.contains(help), "{arguments:?}: {finished:?}");
        let span = finished.stderr.split(limit).nth(1).and_then(|rest| rest.split(" s").next()).unwrap_or_default();
        let digits = span.split_once('.').map_or(0, |(_, digits)| digits.len());
        assert!(limit.ends_with(": ") || digits <= 2, "{arguments:?}: {finished:?}");
        assert!(took >= Duration::from_secs(2), "{arguments:?}: {took:?}");
    }
    Ok(())
}

#[test]
fn a_host_that_is_stopped_is_named_where_another_one_would_take_its_place() -> Result<()> {
    let host = Config::new()?.policy("allow-all")?.start()?;
    let folder = host.config().path().display().to_string();
    let pid = host.process().id().to_string();
    let refused = portcullis::run(&["serve", "--config", &folder])?;
    assert_eq!(refused.code(), Some(1), "{refused:?}");
    let words = ["is in use: process ", pid.as_str(), "listens there", "--take-over", "another path"];
    for text in words {
        assert!(refused.stderr.contains(text), "{text}: {refused:?}");
    }
    host.process().signal(Signal::STOP)?;
    let refused = portcullis::run(&["serve", "--config", &folder, "--take-over"])?;
    assert_eq!(refused.code(), Some(1), "{refused:?}");
    for text in ["does not answer", pid.as_str(), "within 5 s", "kill -CONT", "without `--take-over`"] {
        assert!(refused.stderr.contains(text), "{text}: {refused:?}");
    }
    host.process().signal(Signal::CONT)?;
    Ok(())
}

#[test]
fn a_host_that_is_reached_by_tcp_is_no_other() -> Result<()> {
    let authority = Authority::new()?;
    let toml = admin::listen(&authority) + &admin::token("ops", "secret", &["read"], None);
    let host: Portcullis = Config::new()?.policy("allow-all")?.toml(&toml).start()?;
    let url = Door::of(&host, &authority)?.url();
    let token = host.config().path().join("token");
    fs::write(&token, "secret").map_err(|error| portcullis_tests::Error::Unexpected(error.to_string()))?;
    let (ca, token) = (authority.path().join("ca.pem").display().to_string(), token.display().to_string());
    host.process().signal(Signal::STOP)?;
    let by_tcp = ["--admin-url", &url, "--admin-ca", &ca, "--admin-token-file", &token];
    refused(&[&["status"], &by_tcp[..], &["--timeout", TIMEOUT]].concat(), "no connection within 1 s").map(drop)
}
