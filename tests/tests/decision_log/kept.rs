//! `on_full = "deny"`: nothing is allowed without its record, whatever becomes of the disk or the host.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use portcullis_tests::decisions::{LogFile, SmallDisk};
use portcullis_tests::http::Connection;
use portcullis_tests::plugin::{self, REQUEST, Reply};
use portcullis_tests::portcullis::{Config, Portcullis};
use portcullis_tests::{Result, wait};

use crate::{ask, call, io, log_of, numbered, with_file};

const TOLD: &str = "the decision log cannot be written";
const CLIENTS: usize = 4;

/// Clients that ask numbered calls for as long as they may, and note every one that was allowed.
#[derive(Default)]
struct Load {
    next: AtomicUsize,
    stop: AtomicBool,
    allowed: Mutex<Vec<usize>>,
    denied: AtomicUsize,
}

impl Load {
    /// Until it is told to stop, or the host is gone.
    fn client(&self, socket: &Path) {
        let Ok(mut connection) = Connection::open(socket) else { return };
        while !self.stop.load(Ordering::Relaxed) {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let asked = connection.write(&plugin::call(REQUEST, &numbered(number)));
            let Ok(reply) = asked.and_then(|()| connection.read()).and_then(|answer| Reply::read(&answer)) else {
                return;
            };
            if reply.allow {
                self.allowed.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(number);
            } else {
                assert_eq!(reply.msg, TOLD);
                self.denied.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Runs clients while `meanwhile` goes on.
    fn run(&self, host: &Portcullis, meanwhile: impl FnOnce() -> Result<()>) -> Result<()> {
        let socket = host.socket();
        self.stop.store(false, Ordering::Relaxed);
        thread::scope(|scope| {
            for _ in 0..CLIENTS {
                scope.spawn(|| self.client(&socket));
            }
            let done = meanwhile();
            self.stop.store(true, Ordering::Relaxed);
            done
        })
    }

    /// Waits until so many more were allowed.
    fn wait_for_allowed(&self, more: usize) -> Result<()> {
        let before = self.allowed().len();
        wait::until("allowed calls", wait::DEADLINE, || (self.allowed().len() >= before + more).then_some(()))
    }

    fn wait_for_denied(&self, more: usize) -> Result<()> {
        let before = self.denied.load(Ordering::Relaxed);
        wait::until("denied calls", wait::DEADLINE, || {
            (self.denied.load(Ordering::Relaxed) >= before + more).then_some(())
        })
    }

    fn allowed(&self) -> Vec<usize> {
        self.allowed.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Asserts that every call that was allowed is in the log.
    fn assert_kept(&self, log: &LogFile) -> Result<()> {
        let mut kept = BTreeSet::new();
        for line in log.lines()? {
            // The last line of a host that was killed may be half of one.
            let Ok(Some(record)) = portcullis_tests::decisions::record(&line) else { continue };
            if record.answer == "allow" {
                kept.extend(record.path);
            }
        }
        let allowed = self.allowed();
        let lost: Vec<_> =
            allowed.iter().filter(|number| !kept.contains(&*format!("/containers/c{number}/json"))).take(5).collect();
        assert!(lost.is_empty(), "of {} allowed calls are not in the log: {lost:?} …", allowed.len());
        Ok(())
    }
}

fn that_keeps(more: &str) -> Result<Config> {
    with_file(&format!("sinks = [\"file\"]\non_full = \"deny\"\n{more}"), "")?.policy("allow-all")
}

#[test]
fn nothing_is_allowed_while_the_disk_is_full_and_all_is_well_when_there_is_room() -> Result<()> {
    let config = that_keeps("sync = true")?;
    let log = log_of(&config);
    let folder = log.path().parent().unwrap_or(log.path()).to_owned();
    fs::create_dir(&folder).map_err(io)?;
    let disk = SmallDisk::mount(&folder, 1 << 20)?;
    let host = config.start()?;
    let mark = host.mark();
    let load = Load::default();
    load.run(&host, || {
        load.wait_for_allowed(50)?;
        disk.fill()?;
        load.wait_for_denied(200)?;
        disk.empty()?;
        load.wait_for_allowed(50)?;
        // It fills up by itself as well.
        load.wait_for_denied(200)
    })?;
    load.assert_kept(&log)?;
    let told = |message: &str| host.records(mark).into_iter().filter(|record| record.message() == message).count();
    assert!(told(TOLD) >= 1 && told("the decision log is written again") >= 1, "{}", host.process().log().tail(20));
    println!("{} allowed, {} denied", load.allowed().len(), load.denied.load(Ordering::Relaxed));

    fs::remove_file(log.path()).map_err(io)?;
    assert!(ask(&host, &numbered(0))?.allow, "there is room again");
    let missing = log.lines()?.iter().find(|line| line.contains("decisions are missing")).cloned();
    assert!(missing.is_some(), "{:?}", log.lines()?);
    // The folder that it is mounted on is the host's.
    drop(disk);
    Ok(())
}

#[test]
fn a_denial_stays_what_it_is_when_the_log_cannot_be_written() -> Result<()> {
    let host = that_keeps("")?.policy("seccomp")?.start()?;
    let folder = log_of(host.config()).path().with_file_name("");
    fs::remove_dir_all(&folder).map_err(io)?;
    fs::write(folder.with_file_name("logs"), "not a folder").map_err(io)?;
    let privileged = serde_json::json!({ "Image": "x", "HostConfig": { "Privileged": true } });
    let create = call("POST", "/v1.44/containers/create", &serde_json::json!({}), Some(&privileged));
    let reply = ask(&host, &create)?;
    assert!(reply.msg.starts_with("seccomp: ") && !reply.id.is_empty(), "{reply:?}");
    let reply = ask(&host, &numbered(1))?;
    assert!(!reply.allow && reply.msg == TOLD && !reply.id.is_empty(), "{reply:?}");
    fs::remove_file(folder.with_file_name("logs")).map_err(io)?;
    assert!(ask(&host, &numbered(2))?.allow);
    Ok(())
}

#[test]
fn a_host_starts_with_a_log_that_cannot_be_written_and_allows_nothing() -> Result<()> {
    let config = that_keeps("")?;
    let folder = log_of(&config).path().with_file_name("");
    fs::write(folder.with_file_name("logs"), "not a folder").map_err(io)?;
    let host = config.start()?;
    assert_eq!(ask(&host, &numbered(1))?.msg, TOLD);
    fs::remove_file(folder.with_file_name("logs")).map_err(io)?;
    assert!(ask(&host, &numbered(2))?.allow);
    Ok(())
}

/// Kills the host after seeded numbers of calls under load, and starts it again: every call that was allowed is in the log.
#[test]
fn a_host_that_is_killed_has_logged_what_it_allowed() -> Result<()> {
    let rounds = std::env::var("PORTCULLIS_KILLS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(40);
    let mut seed: u64 = std::env::var("PORTCULLIS_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let started = Instant::now();
    for sync in ["sync = true", "sync = false"] {
        let mut host = that_keeps(sync)?.start()?;
        let load = Load::default();
        for _ in 0..rounds {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let more = 1 + (seed >> 33) % 40;
            load.run(&host, || {
                load.wait_for_allowed(usize::try_from(more).unwrap_or(1))?;
                host.process().kill();
                Ok(())
            })?;
            host.crash_and_restart()?;
        }
        load.assert_kept(&log_of(host.config()))?;
        let (allowed, took) = (load.allowed().len(), started.elapsed());
        assert!(allowed > rounds, "only {allowed} calls were allowed in {rounds} rounds");
        println!("{sync}: {rounds} kills, {allowed} allowed calls, all of them in the log, {took:.1?}");
    }
    Ok(())
}

#[test]
fn with_drop_a_full_disk_loses_records_and_says_how_many() -> Result<()> {
    let config = with_file("sinks = [\"file\"]\non_full = \"drop\"", "")?.policy("allow-all")?;
    let log = log_of(&config);
    let folder = log.path().parent().unwrap_or(log.path()).to_owned();
    fs::create_dir(&folder).map_err(io)?;
    let disk = SmallDisk::mount(&folder, 256 << 10)?;
    let host = config.start()?;
    disk.fill()?;
    let mark = host.mark();
    for number in 0..20 {
        assert!(ask(&host, &numbered(number))?.allow);
    }
    host.wait_for(mark, "the failure", |record| record.message() == TOLD)?;
    disk.empty()?;
    assert!(ask(&host, &numbered(20))?.allow);
    let again = host.wait_for(mark, "its end", |record| record.message() == "the decision log is written again")?;
    let missing = again.field("missing").and_then(serde_json::Value::as_u64).unwrap_or_default();
    assert!((1..=20).contains(&missing), "{missing}");
    wait::until("the records that are not missing", wait::DEADLINE, || {
        (log.records().ok()?.len() as u64 == 21 - missing).then_some(())
    })?;
    let lines = log.lines()?;
    assert!(lines.iter().any(|line| line.contains(&format!("\"missing\":{missing}}}"))), "{missing}: {lines:?}");
    drop(disk);
    Ok(())
}
