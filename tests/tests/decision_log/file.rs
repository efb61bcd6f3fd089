//! Rotation and reopening, under load: no line is lost.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::{fs, thread};

use portcullis_decision_log::record::DecisionRecord;
use portcullis_tests::http::Connection;
use portcullis_tests::plugin::{self, REQUEST, Reply};
use portcullis_tests::portcullis::Portcullis;
use portcullis_tests::{Error, Result, wait};
use rustix::process::Signal;

use crate::{io, log_of, numbered, with_file};

const CLIENTS: usize = 4;

/// Asks numbered calls from several clients while `meanwhile` runs, and gives how many were asked: all are allowed.
fn under_load(host: &Portcullis, meanwhile: impl FnOnce() -> Result<()>) -> Result<usize> {
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        let client = || -> Result<()> {
            let mut connection = Connection::open(&host.socket())?;
            while !stop.load(Ordering::Relaxed) {
                let number = next.fetch_add(1, Ordering::Relaxed);
                connection.write(&plugin::call(REQUEST, &numbered(number)))?;
                let reply = Reply::read(&connection.read()?)?;
                assert!(reply.allow, "{number}: {reply:?}");
            }
            Ok(())
        };
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
        let done = meanwhile();
        stop.store(true, Ordering::Relaxed);
        for client in clients {
            client.join().unwrap_or_else(|_| Err(Error::Unexpected("a client panicked".to_owned())))?;
        }
        done
    })?;
    Ok(next.into_inner())
}

/// Asserts that each call is in the log once.
fn assert_all(records: &[DecisionRecord], count: usize) {
    let paths: BTreeSet<_> = records.iter().filter_map(|record| record.path.clone()).collect();
    let missing: Vec<_> =
        (0..count).filter(|number| !paths.contains(&*format!("/containers/c{number}/json"))).take(5).collect();
    assert!(missing.is_empty(), "of {count} are missing: {missing:?} …");
    assert_eq!(records.len(), count, "each is there once");
}

#[test]
fn rotation_under_load_loses_no_line() -> Result<()> {
    let config = with_file("sinks = [\"file\"]\nsync = false", "max_size = \"1MiB\"\nfiles = 1000")?;
    let host = config.policy("allow-all")?.start()?;
    let log = log_of(host.config());
    let third = log.path().with_file_name("decisions.log.3");
    let count =
        under_load(&host, || wait::until("the third rotation", wait::DEADLINE, || third.exists().then_some(())))?;
    host.process().terminate(wait::DEADLINE)?;
    assert_all(&log.records()?, count);
    let mode = fs::metadata(log.path()).map_err(io)?.permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    println!("{count} decisions in rotated files");
    Ok(())
}

#[test]
fn logrotate_loses_no_line() -> Result<()> {
    let host = with_file("sinks = [\"file\"]\nsync = false", "")?.policy("allow-all")?.start()?;
    let log = log_of(host.config());
    let moved = |number: usize| log.path().with_file_name(format!("moved.{number}"));
    let count = under_load(&host, || {
        for number in 0..5 {
            wait::until("a file with something in it", wait::DEADLINE, || {
                fs::metadata(log.path()).is_ok_and(|file| file.len() > 10_000).then_some(())
            })?;
            fs::rename(log.path(), moved(number)).map_err(io)?;
            host.process().signal(Signal::HUP)?;
        }
        Ok(())
    })?;
    host.process().terminate(wait::DEADLINE)?;
    let mut records = log.records()?;
    for number in 0..5 {
        records.extend(portcullis_tests::decisions::LogFile::new(moved(number)).records()?);
    }
    // The rotated ones of `moved.N` would be `moved.N.M`, and there are none.
    assert_all(&records, count);
    Ok(())
}

#[test]
fn what_waits_is_written_when_the_host_stops() -> Result<()> {
    let host = with_file("sinks = [\"file\", \"stdout\"]", "")?.policy("allow-all")?.start()?;
    let log = log_of(host.config());
    for number in 0..50 {
        assert!(crate::ask(&host, &numbered(number))?.allow);
    }
    let status = host.process().terminate(wait::DEADLINE)?;
    assert!(status.success(), "{status}");
    assert_all(&log.records()?, 50);
    let on_stdout = host.records(portcullis_tests::log::Log::START);
    assert_eq!(on_stdout.iter().filter(|record| record.message() == "decision").count(), 50);
    Ok(())
}
