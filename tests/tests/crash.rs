//! `kill -9` at any moment, again and again, while clients write: what was acknowledged is there after each restart, what was not is
//! there whole or not at all, and decisions agree with it.
//!
//! `PORTCULLIS_CRASH_SEED` repeats a run, `PORTCULLIS_CRASH_ROUNDS` makes it longer or shorter.

#![expect(clippy::indexing_slicing, reason = "JSON has a value, or null, at every name")]

use std::collections::BTreeMap;
use std::env;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::ScopedJoinHandle;
use std::time::Instant;

use portcullis_tests::caller::Caller;
use portcullis_tests::http::{self, Connection};
use portcullis_tests::plugin::{self, Reply};
use portcullis_tests::portcullis::{Config, Portcullis};
use portcullis_tests::{Error, Result, guests, wait};
use serde_json::{Value, json};

const ROUNDS: u64 = 200;
/// So many writes are acknowledged before the host is killed, at most.
const WRITES: u64 = 40;
/// Policies that are replaced, and one that stays and is configured.
const POLICIES: [&str; 3] = ["10-a", "20-b", "30-c"];
const CONFIGURED: &str = "40-d";
const STATE: &[u8] = b"grants = [\"state\"]\n";

/// What one thing was acknowledged to be, and what it may be instead: the write that was under way.
#[derive(Clone, Copy, Debug, Default)]
struct Written {
    acknowledged: u64,
    under_way: Option<u64>,
}

/// What every writer has written, by the name of the thing.
#[derive(Debug, Default)]
struct Ledger(Mutex<BTreeMap<&'static str, Written>>);

/// Writers between two kills.
#[derive(Debug, Default)]
struct Round {
    acknowledged: AtomicU64,
    is_over: AtomicBool,
}

/// What became of the kills.
#[derive(Debug, Default)]
struct Tally {
    /// Kills while at least one write was under way.
    in_a_write: u64,
    /// Writes that were there without having been acknowledged.
    unacknowledged: u64,
    /// Kills that left a file half written.
    half_written: u64,
    acknowledged: u64,
}

// === impl Written, Ledger ===

impl Written {
    fn may_be(self, value: u64) -> bool {
        value == self.acknowledged || Some(value) == self.under_way
    }
}

impl Ledger {
    fn locked(&self) -> std::sync::MutexGuard<'_, BTreeMap<&'static str, Written>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn of(&self, name: &'static str) -> Written {
        self.locked().get(name).copied().unwrap_or_default()
    }

    /// Writes the next value, and notes both that it is under way and that it was acknowledged.
    fn write(&self, name: &'static str, write: impl FnOnce(u64) -> Result<()>) -> Result<()> {
        let next = {
            let mut locked = self.locked();
            let written = locked.entry(name).or_default();
            let next = written.acknowledged.max(written.under_way.unwrap_or_default()) + 1;
            written.under_way = Some(next);
            next
        };
        write(next)?;
        self.locked().insert(name, Written { acknowledged: next, under_way: None });
        Ok(())
    }

    /// What is there is what counts from here. Says whether it had not been acknowledged.
    fn settle(&self, name: &'static str, value: u64) -> Result<bool> {
        let written = self.of(name);
        if !written.may_be(value) {
            return Err(Error::Unexpected(format!("`{name}` is {value} after a crash, and was {written:?}")));
        }
        self.locked().insert(name, Written { acknowledged: value, under_way: None });
        Ok(value != written.acknowledged)
    }
}

/// A small generator, so that a run can be repeated.
fn random(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *seed;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn number(name: &str, otherwise: u64) -> u64 {
    env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// A call that is done, on a connection that is kept.
fn done(connection: &mut Connection, method: &str, path: &str, body: &[u8]) -> Result<()> {
    connection.write(&http::request(method, path, &[("content-type", "application/json")], body))?;
    let answer = connection.read()?;
    if matches!(answer.status, 200 | 201) {
        return Ok(());
    }
    Err(Error::Unexpected(format!("{method} {path}: {} {}", answer.status, answer.text())))
}

fn asked(host: &Portcullis, method: &str, path: &str, body: &[u8]) -> Result<Value> {
    let reply = http::send(&host.config().admin_socket(), &http::request(method, path, &[], body))?;
    if reply.status == 200 { reply.json() } else { Err(Error::Unexpected(format!("{path}: {}", reply.text()))) }
}

fn count(connection: &mut Connection) -> Result<u64> {
    connection.write(&plugin::call(plugin::REQUEST, &Caller::anybody().listing()))?;
    let told = Reply::read(&connection.read()?)?.msg;
    guests::counted(&told).ok_or(Error::Unexpected(told))
}

fn words(value: u64) -> String {
    format!("number {value:010}")
}

/// One of those who write until the host is gone.
fn writer(admin: &Path, plugin: &Path, ledger: &Ledger, which: usize, round: &Round) -> Result<()> {
    let mut connection = match Connection::open(if which == 5 { plugin } else { admin }) {
        Ok(connection) => connection,
        // Killed before it could be spoken to.
        Err(_) if round.is_over.load(Ordering::SeqCst) => return Ok(()),
        Err(error) => return Err(error),
    };
    loop {
        let write = match (POLICIES.get(which), which) {
            (Some(name), _) => ledger.write(name, |next| {
                done(&mut connection, "PUT", &format!("/v1/policies/{name}"), &guests::that_says(&words(next))?)
            }),
            (None, 3) => ledger.write(CONFIGURED, |next| {
                let mode = if next % 2 == 0 { "observe" } else { "enforce" };
                let patch = json!({ "mode": mode, "settings": { "number": next } }).to_string();
                done(&mut connection, "PATCH", &format!("/v1/policies/{CONFIGURED}/config"), patch.as_bytes())
            }),
            (None, 4) => ledger.write("data", |next| {
                done(&mut connection, "PUT", "/v1/data/numbers/last", next.to_string().as_bytes())
            }),
            (None, _) => ledger.write("count", |next| match count(&mut connection)? {
                counted if counted == next => Ok(()),
                counted => Err(Error::Unexpected(format!("counted {counted} and not {next}"))),
            }),
        };
        match write {
            Ok(()) => round.acknowledged.fetch_add(1, Ordering::SeqCst),
            // The host is gone, or it is not: then this is a defect.
            Err(_) if round.is_over.load(Ordering::SeqCst) => return Ok(()),
            Err(error) => return Err(error),
        };
    }
}

/// Has everybody write, and kills the host when so many writes were acknowledged.
fn write_until_killed(host: &Portcullis, ledger: &Ledger, writes: u64, tally: &mut Tally) -> Result<()> {
    let (admin, plugin, round) = (host.config().admin_socket(), host.socket(), Round::default());
    std::thread::scope(|scope| {
        let writer = |which| {
            let (admin, plugin, round) = (&admin, &plugin, &round);
            scope.spawn(move || writer(admin, plugin, ledger, which, round))
        };
        let writers: Vec<_> = (0..6).map(writer).collect();
        let began = Instant::now();
        while round.acknowledged.load(Ordering::SeqCst) < writes
            && began.elapsed() < wait::DEADLINE
            && !writers.iter().any(ScopedJoinHandle::is_finished)
        {
            std::thread::yield_now();
        }
        tally.in_a_write += u64::from(ledger.locked().values().any(|written| written.under_way.is_some()));
        round.is_over.store(true, Ordering::SeqCst);
        host.process().kill();
        let panicked = |_| Err(Error::Unexpected("a writer panicked".to_owned()));
        writers.into_iter().try_for_each(|writer| writer.join().unwrap_or_else(panicked))
    })?;
    let acknowledged = round.acknowledged.into_inner();
    tally.acknowledged += acknowledged;
    if acknowledged >= writes {
        return Ok(());
    }
    Err(Error::Unexpected(format!("{acknowledged} writes were acknowledged, and not {writes}")))
}

/// Everything that was acknowledged is there, and decisions agree with it. Gives how much had not been acknowledged.
fn check(host: &Portcullis, ledger: &Ledger) -> Result<u64> {
    let mut unacknowledged = 0;
    let status = asked(host, "GET", "/v1/status", b"")?;
    if status["is_sound"] != json!(true) {
        return Err(Error::Unexpected(format!("{status:#}")));
    }
    let question = json!({ "method": "GET", "path": "/v1.44/containers/json" }).to_string();
    let answer = asked(host, "POST", "/v1/decide", question.as_bytes())?;
    let policies = answer["policies"].as_array().map(Vec::as_slice).unwrap_or_default();
    let names: Vec<_> = policies.iter().filter_map(|policy| policy["policy"].as_str()).collect();
    let expected: Vec<_> = ["00-count"].into_iter().chain(POLICIES).chain([CONFIGURED]).collect();
    if names != expected {
        return Err(Error::Unexpected(format!("the policies are {names:?}")));
    }
    for name in POLICIES {
        let policy = policies.iter().find(|policy| policy["policy"] == json!(name));
        let said = policy.and_then(|policy| policy["reason"].as_str()?.strip_prefix("number ")?.parse().ok());
        let value = said.ok_or_else(|| Error::Unexpected(format!("{name}: {policy:?}")))?;
        unacknowledged += u64::from(ledger.settle(name, value)?);
        let file = host.config().path().join(format!("policies/{name}.wasm"));
        if std::fs::read(&file).ok() != Some(guests::that_says(&words(value))?) {
            return Err(Error::Unexpected(format!("{name}: the file is not what is active")));
        }
    }
    let config = asked(host, "GET", &format!("/v1/policies/{CONFIGURED}/config"), b"")?;
    let value = config["settings"]["number"].as_u64().unwrap_or_default();
    unacknowledged += u64::from(ledger.settle(CONFIGURED, value)?);
    let mode = if value % 2 == 0 && value > 0 { "observe" } else { "enforce" };
    if policies.last().map(|policy| &policy["mode"]) != Some(&json!(mode)) {
        return Err(Error::Unexpected(format!("{config} is not active: {policies:?}")));
    }
    let data = asked(host, "GET", "/v1/data/numbers/last", b"")?;
    unacknowledged += u64::from(ledger.settle("data", data.as_u64().unwrap_or_default())?);
    // A question leaves no trace: it tells the next count.
    let told = policies.first().and_then(|policy| guests::counted(policy["reason"].as_str()?));
    let counted = told.ok_or_else(|| Error::Unexpected(format!("{policies:?}")))? - 1;
    unacknowledged += u64::from(ledger.settle("count", counted)?);
    Ok(unacknowledged)
}

fn half_written(folder: &Path) -> bool {
    ["policies", "data"]
        .iter()
        .filter_map(|name| folder.join(name).read_dir().ok())
        .flatten()
        .flatten()
        .any(|entry| entry.file_name().to_string_lossy().starts_with(".incoming-"))
}

#[test]
fn what_was_acknowledged_outlives_every_kill() -> Result<()> {
    let (rounds, first) = (number("PORTCULLIS_CRASH_ROUNDS", ROUNDS), number("PORTCULLIS_CRASH_SEED", 1));
    let mut config = Config::new()?.file("policies/00-count.wasm", &guests::that_counts()?)?;
    config = config.file("policies/00-count.toml", STATE)?.file("data/numbers.json", br#"{"last": 0}"#)?;
    for name in POLICIES.into_iter().chain([CONFIGURED]) {
        config = config.file(&format!("policies/{name}.wasm"), &guests::that_says(&words(0))?)?;
    }
    let (mut host, mut seed, mut tally) = (config.start()?, first, Tally::default());
    let (ledger, began) = (Ledger::default(), Instant::now());
    for round in 0..rounds {
        let failed = |error: Error| Error::Unexpected(format!("round {round} of seed {first}: {error}"));
        write_until_killed(&host, &ledger, random(&mut seed) % WRITES, &mut tally).map_err(failed)?;
        tally.half_written += u64::from(half_written(host.config().path()));
        host.crash_and_restart()?;
        tally.unacknowledged += check(&host, &ledger).map_err(failed)?;
    }
    println!("{rounds} kills in {:.0} s with seed {first}: {tally:?}", began.elapsed().as_secs_f64());
    assert!(tally.in_a_write * 2 > rounds, "too few kills fell into a write: {tally:?}");
    Ok(())
}
