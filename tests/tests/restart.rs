//! A host that is restarted loses no call: whoever holds a connection, connects, or waits is answered, by this host or by
//! the next one; and the real dockerd with the real `docker` command notices nothing but a delay.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use portcullis_tests::caller::Caller;
use portcullis_tests::http::{Answer, Connection};
use portcullis_tests::log::Log;
use portcullis_tests::plugin::{self, REQUEST, RESPONSE, Reply};
use portcullis_tests::portcullis::{self, Config};
use portcullis_tests::process::Process;
use portcullis_tests::restart::{Restart, Scene};
use portcullis_tests::scratch::Scratch;
use portcullis_tests::{Error, Portcullis, Result, artifacts, guests, http, wait};
use rustix::process::Signal;
use serde_json::{Value, json};

const STATE: &[u8] = b"grants = [\"state\"]\n";
/// What each restart is tried with here; `bench-restart` takes any number.
const RESTARTS: u64 = 5;

fn allow_all() -> Result<Portcullis> {
    Config::new()?.policy("allow-all")?.start()
}

/// A plugin call with a body that Go writes in more than one piece.
fn large() -> Vec<u8> {
    let caller = Caller::anybody().header("Content-Type", "application/json");
    plugin::call(REQUEST, &caller.call("POST", "/v1.41/containers/create", large_body().as_bytes()))
}

fn large_body() -> String {
    json!({ "Image": "alpine", "Labels": { "text": "x".repeat(60_000) } }).to_string()
}

fn ends(answer: &Answer) -> bool {
    answer.headers.iter().any(|(name, value)| name.eq_ignore_ascii_case("connection") && value == "close")
}

fn assert_allowed(answer: &Answer, note: &str) -> Result<()> {
    assert_eq!(Reply::read(answer)?, Reply { allow: true, ..Reply::default() }, "{note}");
    Ok(())
}

/// A connection that has carried a call.
fn used(host: &Portcullis) -> Result<Connection> {
    let mut connection = Connection::open(&host.socket())?;
    connection.write(&large())?;
    let answer = connection.read()?;
    assert!(!ends(&answer), "a host that serves keeps connections");
    assert_allowed(&answer, "before")?;
    Ok(connection)
}

/// Tells the host to end, and waits until it has heard it.
fn told_to_end(host: &Portcullis) -> Result<()> {
    let mark = host.mark();
    host.process().signal(Signal::TERM)?;
    host.wait_for(mark, "the end's beginning", |record| record.message() == "stopping").map(drop)
}

fn ended(host: &Portcullis) -> Result<()> {
    let status = host.process().wait_for_end(wait::DEADLINE)?;
    assert_eq!(status.code(), Some(0), "{}", host.process().log().tail(20));
    Ok(())
}

#[test]
fn a_host_that_ends_answers_on_the_connections_that_it_has() -> Result<()> {
    let host = allow_all()?;
    let (mut idle, mut writing, mut fresh) = (used(&host)?, used(&host)?, Connection::open(&host.socket())?);
    let large = large();
    let (first, rest) = large.split_at(5_000);
    writing.write(first)?;
    told_to_end(&host)?;
    for (connection, note) in [(&mut idle, "an idle connection"), (&mut fresh, "one without a call so far")] {
        connection.write(&large)?;
        let answer = connection.read()?;
        assert!(ends(&answer), "{note} ends with an answer");
        assert_allowed(&answer, note)?;
    }
    let mut late = Connection::open(&host.socket())?;
    late.write(&plugin::call(RESPONSE, large_body().as_bytes()))?;
    let answer = late.read()?;
    assert!(ends(&answer), "a new connection ends with an answer, too");
    assert_allowed(&answer, "a new connection")?;
    writing.write(rest)?;
    assert_allowed(&writing.read()?, "a call that was being written")?;
    ended(&host)?;
    assert!(!host.socket().exists(), "the socket's file");
    Ok(())
}

#[test]
fn who_waits_in_the_queue_of_a_host_that_ends_is_answered() -> Result<()> {
    let host = allow_all()?;
    let idle = used(&host)?;
    host.process().signal(Signal::STOP)?;
    let mut waiting = Vec::new();
    for _ in 0..50 {
        let mut connection = Connection::open(&host.socket())?;
        connection.write(&large())?;
        waiting.push(connection);
    }
    host.process().signal(Signal::TERM)?;
    host.process().signal(Signal::CONT)?;
    for mut connection in waiting {
        assert_allowed(&connection.read()?, "who waited")?;
    }
    ended(&host)?;
    drop(idle);
    Ok(())
}

#[test]
fn idle_connections_do_not_hold_up_the_end() -> Result<()> {
    // Longer than anybody here waits.
    let host = Config::new()?.policy("allow-all")?.toml("[limits]\nshutdown_grace = \"10m\"").start()?;
    let mut idle = [used(&host)?, used(&host)?, Connection::open(&host.socket())?];
    told_to_end(&host)?;
    ended(&host)?;
    for connection in &mut idle {
        assert!(connection.is_closed()?);
    }
    Ok(())
}

#[test]
fn the_next_host_has_the_sockets_the_connections_and_the_state() -> Result<()> {
    let config = Config::new()?.file("policies/count.wasm", &guests::that_counts()?)?;
    let mut host = config.file("policies/count.toml", STATE)?.start()?;
    let (mut idle, mut fresh) = (Connection::open(&host.socket())?, Connection::open(&host.socket())?);
    let call = plugin::call(REQUEST, &Caller::anybody().listing());
    let count = |connection: &mut Connection| -> Result<Option<u64>> {
        connection.write(&call)?;
        Ok(guests::counted(&Reply::read(&connection.read()?)?.msg))
    };
    let first = count(&mut idle)?.ok_or_else(|| Error::Unexpected("it does not count".to_owned()))?;
    let inode = |host: &Portcullis| fs::metadata(host.socket()).map(|file| file.ino()).ok();
    let (before, pid) = (inode(&host), host.process().id());
    for round in 0..3 {
        host.hand_over()?;
        assert_eq!(inode(&host), before, "the same socket in round {round}");
        assert_ne!(host.process().id(), pid);
        let counted = [count(&mut idle)?, count(&mut fresh)?, count(&mut Connection::open(&host.socket())?)?];
        let expected = [1, 2, 3].map(|more| Some(first + 3 * round + more));
        assert_eq!(counted, expected, "an old connection, one without a call so far, and a new one");
    }
    drop((idle, fresh));
    told_to_end(&host)?;
    ended(&host)?;
    assert!(!host.socket().exists() && !host.config().admin_socket().exists(), "the last host removes the files");
    Ok(())
}

#[test]
fn a_next_host_that_cannot_serve_changes_nothing() -> Result<()> {
    let host = allow_all()?;
    let mut idle = used(&host)?;
    let folder = host.config().path().to_owned();
    let path = folder.display().to_string();
    let toml = fs::read_to_string(folder.join("portcullis.toml")).map_err(io)?;
    // The one is found wrong before the running host is asked, the other after it has given its sockets.
    let taken = "[[listener]]\nname = \"other\"\nsocket = \"/proc/not-to-be-made/other.sock\"\n";
    for (more, code) in [("mistake = 1\n", 2), (taken, 1)] {
        let wrong = if code == 2 { format!("{more}{toml}") } else { format!("{toml}{more}") };
        host.config().put("portcullis.toml", wrong.as_bytes())?;
        let refused = portcullis::run(&["serve", "--config", &path, "--take-over"])?;
        assert_eq!(refused.code(), Some(code), "{refused:?}");
        idle.write(&large())?;
        assert_allowed(&idle.read()?, "the idle connection")?;
        assert_allowed(&http::send(&host.socket(), &large())?, "a new connection")?;
        let ready = portcullis::run(&["ready", "--config", &path, "--admin-socket", &admin(&host)])?;
        assert_eq!(ready.code(), Some(0), "{ready:?}");
    }
    host.config().put("portcullis.toml", toml.as_bytes())?;
    let mut host = host;
    host.hand_over()?;
    assert_allowed(&http::send(&host.socket(), &large())?, "by the next host, when it can serve")
}

/// A host that counts, and that cannot hand over at once: a call is half written. The next host waits for it.
fn half_handed_over() -> Result<(Portcullis, Process, Connection)> {
    let config = Config::new()?.file("policies/count.wasm", &guests::that_counts()?)?;
    let config = config.file("policies/count.toml", STATE)?.toml("[limits]\nshutdown_grace = \"5s\"");
    let host = config.start()?;
    let mut half = Connection::open(&host.socket())?;
    let call = large();
    half.write(call.get(..call.len() / 2).unwrap_or_default())?;
    // It is read: a call after it was answered.
    assert_eq!(guests::counted(&Caller::anybody().list(&host.socket())?.msg), Some(1));
    let mark = host.mark();
    let next = host.start_next()?;
    host.wait_for(mark, "the hand-over", |record| record.message().starts_with("another host takes the place"))?;
    Ok((host, next, half))
}

#[test]
fn a_next_host_that_dies_half_way_has_calls_denied_until_one_is_started() -> Result<()> {
    let (mut host, next, _half) = half_handed_over()?;
    next.kill();
    let status = host.process().wait_for_end(wait::DEADLINE)?;
    assert_eq!(status.code(), Some(1), "{}", host.process().log().tail(20));
    let log = host.process().log().tail(20);
    assert!(log.contains("ended before it served"), "{log}");
    assert!(http::send(&host.socket(), &large()).is_err(), "nobody answers");
    host.crash_and_restart()?;
    assert_eq!(guests::counted(&Caller::anybody().list(&host.socket())?.msg), Some(2), "nothing that was kept is lost");
    Ok(())
}

#[test]
fn a_host_that_dies_half_way_is_replaced_by_the_next() -> Result<()> {
    let (host, next, _half) = half_handed_over()?;
    host.process().kill();
    next.wait_for_line(Log::START, "the next host is ready", |line| line.contains("\"ready\"").then_some(()))?;
    let counted = wait::until("the state", wait::DEADLINE, || {
        guests::counted(&Caller::anybody().list(&host.socket()).ok()?.msg)
    })?;
    assert_eq!(counted, 2, "nothing that was kept is lost");
    Ok(())
}

#[test]
fn only_the_hosts_own_user_may_take_over_and_a_first_host_just_starts() -> Result<()> {
    let config = Config::new()?.policy("allow-all")?;
    let mut host = config.start_with(&["--take-over"])?;
    let beside = PathBuf::from(format!("{}.take-over", admin(&host)));
    let mode = fs::metadata(&beside).map_err(io)?.permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "{}", beside.display());
    // Where the file's mode lets everybody connect, it is still refused to them.
    for path in beside.ancestors().take_while(|path| path.starts_with(host.config().path())) {
        fs::set_permissions(path, fs::Permissions::from_mode(0o777)).map_err(io)?;
    }
    let mark = host.mark();
    let refused =
        portcullis::run_as(65534, &["serve", "--config", &host.config().path().display().to_string(), "--take-over"])?;
    assert_eq!(refused.code(), Some(1), "{refused:?}");
    host.wait_for(mark, "the refusal", |record| record.text("error").contains("user 65534"))?;
    host.hand_over()?;
    assert_allowed(&http::send(&host.socket(), &large())?, "after all that")
}

fn admin(host: &Portcullis) -> String {
    host.config().admin_socket().display().to_string()
}

fn io(error: std::io::Error) -> Error {
    Error::Unexpected(error.to_string())
}

/// Restarts, and prints the figures.
fn experiment(restart: Restart) -> Result<()> {
    let mut scene = Scene::set()?;
    let report = scene.run(restart, RESTARTS)?;
    report.print();
    assert!(report.calls > 100, "the callers were busy: {}", report.calls);
    let log = scene.dockerd_log();
    assert!(report.is_good(), "{:#}\n{log}", serde_json::to_value(&report).unwrap_or(Value::Null));
    // dockerd says so when it finds nobody, and tries again a second later.
    let is_noticed = log.contains("Unable to connect to plugin");
    assert!(!is_noticed || restart != Restart::HandOver, "{log}");
    Ok(())
}

#[test]
fn sigterm_and_a_new_start_lose_no_call_of_dockerd() -> Result<()> {
    experiment(Restart::Terminate)
}

#[test]
fn a_hand_over_loses_no_call_of_dockerd() -> Result<()> {
    experiment(Restart::HandOver)
}

#[test]
fn a_killed_host_allows_nothing_wrongly() -> Result<()> {
    experiment(Restart::Kill)
}

/// Starts a host that tells a supervisor how far it is.
fn supervised(config: &Path, supervisor: &Path, more: &[&str]) -> Result<Process> {
    let binary = artifacts::portcullis()?;
    Process::start("portcullis", &binary.to_string_lossy(), |command| {
        command.arg("serve").arg("--config").arg(config).args(more).env("NOTIFY_SOCKET", supervisor);
    })
}

/// Waits until the supervisor is told this.
fn told(supervisor: &UnixDatagram, expected: &str) -> Result<()> {
    supervisor.set_read_timeout(Some(wait::DEADLINE)).map_err(io)?;
    let mut text = [0; 64];
    loop {
        let length = supervisor.recv(&mut text).map_err(io)?;
        if text.get(..length).map(<[u8]>::trim_ascii_end) == Some(expected.as_bytes()) {
            return Ok(());
        }
    }
}

#[test]
fn the_supervisor_hears_of_the_next_host_before_that_serves() -> Result<()> {
    let scratch = Scratch::new()?;
    let path = scratch.path().join("notify");
    let supervisor = UnixDatagram::bind(&path).map_err(io)?;
    let config = Config::new()?.policy("allow-all")?.toml("[limits]\nshutdown_grace = \"1s\"");
    let folder = config.write()?;
    let old = supervised(&folder, &path, &[])?;
    told(&supervisor, "READY=1")?;
    // It keeps the host before for its grace, in which the next one is stopped: as if it verified a large store.
    let mut half = Connection::open(&config.socket())?;
    let call = large();
    half.write(call.get(..call.len() / 2).unwrap_or_default())?;
    let next = supervised(&folder, &path, &["--take-over"])?;
    old.wait_for_line(Log::START, "the hand-over", |line| line.contains("another host takes").then_some(()))?;
    next.signal(Signal::STOP)?;
    told(&supervisor, &format!("MAINPID={}", next.id()))?;
    next.signal(Signal::CONT)?;
    told(&supervisor, "READY=1")?;
    assert!(old.wait_for_end(wait::DEADLINE)?.success(), "{}", old.log().tail(20));
    assert_allowed(&http::send(&config.socket(), &large())?, "by the next host")
}
