//! What others feel of one hostile caller: calls of four megabytes, each as soon as the last one is answered, and mounts on a file system
//! that does not answer, 300 at once.
//!
//! `bench-hostile [--seconds N] [--json]`, or `make bench-hostile`. Tenant `b` is asked at a steady rate. Ends with 1 where `b`
//! lost a request, or waited longer than 5 ms more than beside nobody.

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use portcullis_tests::caller::Caller;
use portcullis_tests::http::Connection;
use portcullis_tests::hung_mount::HungMount;
use portcullis_tests::measure::{Arguments, Times, millis, show};
use portcullis_tests::plugin::{self, REQUEST, Reply};
use portcullis_tests::portcullis::{Config, Portcullis};
use portcullis_tests::scratch::Scratch;
use portcullis_tests::steady::{self, Heard};
use portcullis_tests::{Error, Result, oversized};
use serde::Serialize;
use serde_json::json;

const USAGE: &str = "bench-hostile [--seconds N] [--json]";
const CREATE: &[u8] = include_bytes!("../../data/create-allowed.json");
/// How much longer `b` may wait.
const REACH: Duration = Duration::from_millis(5);
const HUNG: usize = 300;
/// When each of them asks again.
const AGAIN: Duration = Duration::from_secs(2);
/// The caller gives way to the host: what is measured is the host.
const GIVE_WAY: i32 = 10;

#[derive(Serialize)]
struct Row {
    beside: String,
    asked: usize,
    lost: u64,
    p50_ms: f64,
    p99_ms: f64,
    max_ms: f64,
    hostile_answers: u64,
    /// The most that the host has held so far.
    peak_mib: u64,
    within_reach: bool,
}

fn main() -> Result<ExitCode> {
    let mut arguments = Arguments::of_program();
    let json = arguments.flag("--json");
    let seconds = arguments.number("--seconds", 5)?;
    arguments.finish(USAGE)?;
    let rows = measure(Duration::from_secs(seconds))?;
    show(&rows, json, |rows| print(rows))?;
    Ok(if rows.iter().all(|row| row.within_reach) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn measure(time: Duration) -> Result<Vec<Row>> {
    let scratch = Scratch::new()?;
    let (hung, source) = (scratch.folder("hung")?, scratch.folder("source")?);
    let mount = HungMount::over(&hung, &source)?;
    let host = Config::new()?
        .policy("bind-mounts")?
        .listener("a", "tenant = \"a\"\n")
        .listener("b", "tenant = \"b\"\n")
        .tenant("a", "")?
        .tenant("b", "")?
        .tenant_policy("b", "seccomp")?
        .start()?;
    let ask = |time| steady::listen(&host.config().socket_of("b"), &plugin::call(REQUEST, &steady_call()), time);
    ask(Duration::from_secs(1));
    let mut rows = vec![row("nobody", ask(time), 0, None, &host)?];
    let alone = rows.first().map(|row| row.p99_ms);
    for (kind, call) in oversized::calls() {
        let (heard, answers) = beside(&host, 1, Duration::ZERO, &call, || ask(time))?;
        rows.push(row(kind, heard, answers, alone, &host)?);
    }
    mount.hang()?;
    let body = json!({ "HostConfig": { "Binds": [format!("{}:/x:ro", hung.join("x").display())] } }).to_string();
    let caller = Caller::anybody().header("Content-Type", "application/json");
    let caller = caller.header("Content-Length", &body.len().to_string());
    let call = caller.call("POST", "/v1.44/containers/create", body.as_bytes());
    let (heard, answers) = beside(&host, HUNG, AGAIN, &call, || ask(time))?;
    rows.push(row("300 mounts that hang", heard, answers, alone, &host)?);
    mount.wake()?;
    rows.push(row("nobody, after", ask(time), 0, alone, &host)?);
    Ok(rows)
}

/// Asks about no mounts: a call that others make.
fn steady_call() -> Vec<u8> {
    let text = String::from_utf8_lossy(CREATE).into_owned();
    // Without its bind: what may be mounted is not what is measured.
    let call: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    let uri = call.get("RequestUri").and_then(|uri| uri.as_str()).unwrap_or("/v1.41/containers/create").to_owned();
    let body = json!({ "Image": "busybox", "HostConfig": { "NetworkMode": "none" } }).to_string();
    let caller = Caller::anybody().header("Content-Type", "application/json");
    caller.header("Content-Length", &body.len().to_string()).call("POST", &uri, body.as_bytes())
}

/// What is heard while so many callers of `a` make this call again and again, with a pause; and how many answers they got.
fn beside(
    host: &Portcullis,
    callers: usize,
    pause: Duration,
    call: &[u8],
    ask: impl FnOnce() -> Heard,
) -> Result<(Heard, u64)> {
    let (stop, answers, call) = (AtomicBool::new(false), AtomicU64::new(0), plugin::call(REQUEST, call));
    let flood = || -> Result<()> {
        // It works all the same.
        let _ = rustix::process::nice(GIVE_WAY);
        let mut connection = Connection::open(&host.config().socket_of("a"))?;
        while !stop.load(Ordering::Relaxed) {
            connection.write(&call)?;
            let reply = Reply::read(&connection.read()?)?;
            if reply.allow {
                return Err(Error::Unexpected("a hostile call was allowed".into()));
            }
            answers.fetch_add(1, Ordering::Relaxed);
            thread::sleep(pause);
        }
        Ok(())
    };
    let heard = thread::scope(|scope| {
        let callers: Vec<_> = (0..callers).map(|_| scope.spawn(flood)).collect();
        let heard = ask();
        stop.store(true, Ordering::Relaxed);
        let ended = callers.into_iter().try_for_each(|caller| {
            caller.join().unwrap_or_else(|_| Err(Error::Unexpected("a caller panicked".into())))
        });
        ended.map(|()| heard)
    })?;
    Ok((heard, answers.into_inner()))
}

fn row(beside: &str, heard: Heard, hostile_answers: u64, alone: Option<f64>, host: &Portcullis) -> Result<Row> {
    let Heard { times, lost, .. } = heard;
    let (asked, times) = (times.len(), times.into_iter().collect::<Times>());
    let p99_ms = millis(times.quantile(990));
    Ok(Row {
        beside: beside.to_owned(),
        asked,
        lost,
        p50_ms: millis(times.quantile(500)),
        p99_ms,
        max_ms: millis(times.longest()),
        hostile_answers,
        peak_mib: host.peak_memory()? >> 10,
        within_reach: lost == 0 && p99_ms <= alone.unwrap_or(p99_ms) + millis(REACH),
    })
}

fn print(rows: &[Row]) {
    println!(
        "{:<30} {:>6} {:>8} {:>8} {:>8} {:>8} {:>9}",
        "beside", "asked", "p50 ms", "p99 ms", "max ms", "answers", "peak MiB"
    );
    for row in rows {
        let Row { beside, asked, p50_ms, p99_ms, max_ms, hostile_answers, peak_mib, .. } = row;
        let mark = if row.within_reach { "" } else { "  beyond the reach" };
        println!(
            "{beside:<30} {asked:>6} {p50_ms:>8.2} {p99_ms:>8.2} {max_ms:>8.2} {hostile_answers:>8} {peak_mib:>9}{mark}"
        );
    }
}
