//! What a tenant feels of its neighbours: the time of its answers alone, and while others do their worst.
//!
//! `bench-isolation [--seconds N] [--policy-mib N] [--json]`, or `make bench-isolation`.
//!
//! Tenant `b` is asked at a steady rate, on a schedule that does not wait for answers: a time is counted from when the
//! question was due. Tenants `a1` to `a4` are asked by more callers than may be in flight, each as soon as it is
//! answered. Their callers give way to the host (nice 10): what is measured is the host, not a fight for the processor
//! between it and the load. Ends with 1 where `b` lost a request or waited longer than the reach.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use portcullis_tests::http::Connection;
use portcullis_tests::measure::{Arguments, Times, cpu_time, machine_time, millis, show};
use portcullis_tests::plugin::{self, REQUEST, Reply};
use portcullis_tests::portcullis::{Config, Portcullis, Record};
use portcullis_tests::steady::{self, Heard, RATE};
use portcullis_tests::{Error, Result, guests, wait};
use serde::Serialize;

const USAGE: &str = "bench-isolation [--seconds N] [--policy-mib N] [--json]";
const CREATE: &[u8] = include_bytes!("../../data/create-allowed.json");
/// A tenant's decisions in flight, and some callers more.
const CALLERS: usize = 32 + 8;
const NEIGHBOURS: [&str; 4] = ["a1", "a2", "a3", "a4"];
/// Of a neighbour that is asked calmly, in a second.
const CALM_RATE: u32 = 20;
/// The reach: `b` beside its neighbours waits at most so many times as long as alone, and so much longer.
const REACH_TIMES: u32 = 3;
const REACH_MORE: Duration = Duration::from_millis(5);
const GIVE_WAY: i32 = 10;
/// What other programs may use of the machine, in percent, before the figures are in doubt.
const QUIET: f64 = 10.0;

/// What the neighbours do.
#[derive(Clone, Copy)]
enum Noise {
    Nothing,
    /// All of these are asked as fast as they answer, and have this policy.
    Flood(&'static [&'static str], &'static str),
    /// One is asked calmly, and has a new large policy each second.
    Swaps,
}

/// What the neighbours were told, by the message.
#[derive(Default)]
struct Uproar {
    answers: AtomicU64,
    denials: Mutex<BTreeMap<String, u64>>,
    swaps: AtomicU64,
}

#[derive(Serialize)]
struct Row {
    phase: &'static str,
    asked: usize,
    lost: u64,
    denied: u64,
    p50_ms: f64,
    p99_ms: f64,
    max_ms: f64,
    /// Against the p99 alone, before.
    times_alone: f64,
    within_reach: bool,
    /// What neither the host nor this program used of the machine: more than a little makes all else doubtful.
    elsewhere_percent: f64,
    neighbours: Neighbours,
}

#[derive(Serialize)]
struct Neighbours {
    answers_per_second: f64,
    denials: BTreeMap<String, u64>,
    swaps: u64,
}

#[derive(Serialize)]
struct Report {
    seconds: u64,
    rate: u32,
    reach_p99_ms: f64,
    rows: Vec<Row>,
    passed: bool,
}

fn main() -> Result<ExitCode> {
    let mut arguments = Arguments::of_program();
    let json = arguments.flag("--json");
    let seconds = arguments.number("--seconds", 10)?;
    let mib = arguments.number("--policy-mib", 10)?;
    arguments.finish(USAGE)?;
    let report = measure(seconds, mib)?;
    show(&report, json, print)?;
    Ok(if report.passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Every phase, one after the other, on one host.
fn measure(seconds: u64, mib: u64) -> Result<Report> {
    let phases: [(&str, Noise); 7] = [
        ("alone, before", Noise::Nothing),
        ("(a) a neighbour spins to its deadline", Noise::Flood(&["a1"], "spin")),
        ("(b) a neighbour fills its memory", Noise::Flood(&["a1"], "fill")),
        ("(c) a neighbour traps at once", Noise::Flood(&["a1"], "trap")),
        ("(d) a neighbour swaps large policies", Noise::Swaps),
        ("(e) four neighbours spin", Noise::Flood(&NEIGHBOURS, "spin")),
        ("alone, after", Noise::Nothing),
    ];
    let large = large_policy(mib)?;
    let host = start()?;
    // Instances, connections and the processor's own memory are warm before anything counts.
    listen(&host, Duration::from_secs(1));
    let mut rows: Vec<Row> = Vec::new();
    let mut alone = None;
    for (phase, noise) in phases {
        let before = used(&host)?;
        let (heard, neighbours) = beside(&host, noise, &large, Duration::from_secs(seconds))?;
        let mut row = row(phase, heard, neighbours, alone);
        row.elsewhere_percent = elsewhere(before, used(&host)?);
        alone.get_or_insert(row.p99_ms);
        rows.push(row);
    }
    let reach_p99_ms = reach(alone.unwrap_or_default());
    let passed = rows.iter().all(|row| row.within_reach);
    Ok(Report { seconds, rate: RATE, reach_p99_ms, rows, passed })
}

fn reach(alone_ms: f64) -> f64 {
    f64::from(REACH_TIMES) * alone_ms + millis(REACH_MORE)
}

fn row(phase: &'static str, heard: Heard, neighbours: Neighbours, alone: Option<f64>) -> Row {
    let Heard { times, denied, lost } = heard;
    let (asked, times) = (times.len() + lost as usize, times.into_iter().collect::<Times>());
    let p99_ms = millis(times.quantile(990));
    let alone = alone.unwrap_or(p99_ms);
    Row {
        phase,
        asked,
        lost,
        denied,
        p50_ms: millis(times.quantile(500)),
        p99_ms,
        max_ms: millis(times.longest()),
        times_alone: p99_ms / alone,
        within_reach: p99_ms <= reach(alone) && lost == 0 && denied == 0,
        elsewhere_percent: 0.0,
        neighbours,
    }
}

/// CPU time: of the host and this program, of everything, and what there was.
fn used(host: &Portcullis) -> Result<[f64; 3]> {
    let own = cpu_time(host.process().id())? + cpu_time(std::process::id())?;
    let (all, available) = machine_time()?;
    Ok([own, all, available].map(|time| time.as_secs_f64()))
}

fn elsewhere(before: [f64; 3], after: [f64; 3]) -> f64 {
    let [own, all, available] = std::array::from_fn(|which| {
        after.get(which).copied().unwrap_or_default() - before.get(which).copied().unwrap_or_default()
    });
    (100.0 * (all - own) / f64::max(available, 0.01)).max(0.0)
}

// === the host ===

fn start() -> Result<Portcullis> {
    let mut config = Config::new()?
        .listener("b", "tenant = \"b\"\n")
        .tenant("b", "")?
        .tenant_policy("b", "seccomp")?
        .tenant_policy("b", "allow-all")?;
    for neighbour in NEIGHBOURS {
        config = config.listener(neighbour, &format!("tenant = {neighbour:?}\n")).tenant(neighbour, "")?;
    }
    config.start()
}

/// Gives a neighbour a policy, or takes it away, and waits until that is active.
fn give(host: &Portcullis, neighbour: &str, policy: Option<&[u8]>) -> Result<()> {
    let (mark, file) = (host.mark(), file_of(neighbour));
    let message = match policy {
        Some(_) => "policy loaded",
        None => "policy removed: its file was deleted",
    };
    match policy {
        Some(bytes) => host.config().put(&file, bytes)?,
        None => host.config().remove(&file)?,
    }
    let taken = Cell::new(false);
    let is_active = |record: &Record| {
        let is_its = record.field("tenant").is_some_and(|tenant| tenant == neighbour);
        taken.set(taken.get() || is_its && record.message() == message);
        taken.get() && is_its && record.message() == "generation published"
    };
    host.wait_for(mark, &format!("`{message}` of {neighbour}"), is_active).map(drop)
}

fn file_of(neighbour: &str) -> String {
    format!("tenants/{neighbour}/policies/noise.wasm")
}

/// Grows to its limit, writes into every page, and allows.
const FILL: &str = r#"(module
  (import "portcullis:policy/types@0.2.0" "[resource-drop]request" (func $drop_request (param i32)))
  (import "portcullis:policy/types@0.2.0" "[resource-drop]document" (func $drop_document (param i32)))
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
  (func (export "portcullis:policy/authorizer@0.2.0#decide") (param i32 i32) (result i32)
    (local $at i32)
    (drop (memory.grow (i32.const 511)))
    (loop $next
      (i32.store (local.get $at) (i32.const -1))
      (local.set $at (i32.add (local.get $at) (i32.const 4096)))
      (br_if $next (i32.lt_u (local.get $at) (i32.mul (memory.size) (i32.const 65536)))))
    (call $drop_request (local.get 0))
    (call $drop_document (local.get 1))
    (i32.store8 (i32.const 0) (i32.const 0))
    (i32.const 0)))"#;

fn guest(name: &str) -> Result<Vec<u8>> {
    if name == "fill" { guests::from_text(name, FILL) } else { guests::wasm(name) }
}

/// A policy that allows and is otherwise ballast: real code, whose functions nobody calls. Its number, when another is
/// written over it, makes it another policy, which no cache knows.
fn large_policy(mib: u64) -> Result<Vec<u8>> {
    const FUNCTION: usize = 2 << 10;
    let mut text = guests_text("allow")?;
    let end = text.trim_end().len() - 1;
    text.truncate(end);
    text.push_str("(data (i32.const 64) \"number 0000000000\")\n");
    let mut seed = 1_u32;
    let mut random = move || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        // As long as they come when they are encoded.
        seed >> 1 | 1 << 29
    };
    for _ in 0..(mib << 20) as usize / FUNCTION {
        text.push_str("(func (param i32 i32) (result i32) local.get 0\n");
        // Each round has about 35 bytes.
        for _ in 0..FUNCTION / 35 {
            let numbers = [random(), random(), random(), random()];
            let [first, second, third, fourth] = numbers;
            text.push_str(&format!(
                "i32.const {first} i32.xor local.tee 0 i32.const {second} i32.lt_u \
                 if local.get 0 i32.const {third} i32.mul local.set 1 end \
                 local.get 0 local.get 1 i32.add i32.const {fourth} i32.rotl\n"
            ));
        }
        text.push_str(")\n");
    }
    text.push(')');
    guests::from_text("large", &text)
}

fn guests_text(name: &str) -> Result<String> {
    let path = guests::dir().join(format!("{name}.wat"));
    std::fs::read_to_string(&path).map_err(|error| Error::Unexpected(format!("`{}`: {error}", path.display())))
}

fn with_number(policy: &mut [u8], number: u64) -> Result<()> {
    let digits = format!("number {number:010}");
    let at = policy.windows(7).position(|window| window == b"number ");
    let place = at.and_then(|at| policy.get_mut(at..at + digits.len()));
    let place = place.ok_or_else(|| Error::Unexpected("the large policy has lost its number".into()))?;
    place.copy_from_slice(digits.as_bytes());
    Ok(())
}

// === asking ===

/// Asks `b` on schedule.
fn listen(host: &Portcullis, time: Duration) -> Heard {
    steady::listen(&host.config().socket_of("b"), &plugin::call(REQUEST, CREATE), time)
}

/// What `b` hears while its neighbours do something.
fn beside(host: &Portcullis, noise: Noise, large: &[u8], time: Duration) -> Result<(Heard, Neighbours)> {
    let noisy: &[&str] = match noise {
        Noise::Nothing => &[],
        Noise::Flood(noisy, _) => noisy,
        Noise::Swaps => &["a1"],
    };
    let policy = match noise {
        Noise::Nothing => Vec::new(),
        Noise::Flood(_, policy) => guest(policy)?,
        Noise::Swaps => guest("allow")?,
    };
    let (stop, uproar, calm) = (AtomicBool::new(false), Uproar::default(), matches!(noise, Noise::Swaps));
    noisy.iter().try_for_each(|neighbour| give(host, neighbour, Some(&policy)))?;
    let (heard, took) = thread::scope(|scope| {
        let mut callers = Vec::new();
        for neighbour in noisy {
            let count = if calm { 1 } else { CALLERS };
            callers.extend((0..count).map(|_| scope.spawn(|| flood(host, neighbour, calm, &stop, &uproar))));
        }
        if calm {
            callers.push(scope.spawn(|| swap(host, large, &stop, &uproar)));
        }
        let begun = wait::until("an answer of every neighbour", wait::DEADLINE, || {
            (noisy.is_empty() || uproar.answers.load(Ordering::Relaxed) >= noisy.len() as u64).then_some(())
        });
        let (before, start) = (uproar.answers.load(Ordering::Relaxed), Instant::now());
        let heard = listen(host, time);
        let took = start.elapsed();
        let answers = uproar.answers.load(Ordering::Relaxed) - before;
        stop.store(true, Ordering::Relaxed);
        let ended = callers.into_iter().try_for_each(|caller| {
            caller.join().unwrap_or_else(|_| Err(Error::Unexpected("a caller panicked".into())))
        });
        begun.and(ended).map(|()| (heard, answers as f64 / took.as_secs_f64()))
    })?;
    noisy.iter().try_for_each(|neighbour| give(host, neighbour, None))?;
    let denials = uproar.denials.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok((heard, Neighbours { answers_per_second: took, denials, swaps: uproar.swaps.into_inner() }))
}

/// Asks a neighbour again as soon as it answers, or calmly.
fn flood(host: &Portcullis, neighbour: &str, calm: bool, stop: &AtomicBool, uproar: &Uproar) -> Result<()> {
    // It works all the same.
    let _ = rustix::process::nice(GIVE_WAY);
    let (mut connection, call) =
        (Connection::open(&host.config().socket_of(neighbour))?, plugin::call(REQUEST, CREATE));
    let mut denials = BTreeMap::new();
    while !stop.load(Ordering::Relaxed) {
        connection.write(&call)?;
        let reply = Reply::read(&connection.read()?)?;
        uproar.answers.fetch_add(1, Ordering::Relaxed);
        if !reply.allow {
            *denials.entry(reply.msg).or_insert(0) += 1;
        }
        if calm {
            thread::sleep(Duration::from_secs(1) / CALM_RATE);
        }
    }
    let mut all = uproar.denials.lock().unwrap_or_else(PoisonError::into_inner);
    denials.into_iter().for_each(|(message, count)| *all.entry(message).or_insert(0) += count);
    Ok(())
}

/// Gives a neighbour another large policy each second, ready or not.
fn swap(host: &Portcullis, large: &[u8], stop: &AtomicBool, uproar: &Uproar) -> Result<()> {
    let _ = rustix::process::nice(GIVE_WAY);
    let first = std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(0, |time| time.as_secs() % 1_000_000_000);
    let (mut policy, mut due) = (large.to_vec(), Instant::now());
    while !stop.load(Ordering::Relaxed) {
        let number = uproar.swaps.fetch_add(1, Ordering::Relaxed);
        with_number(&mut policy, first + number)?;
        host.config().put(&file_of("a1"), &policy)?;
        due += Duration::from_secs(1);
        while Instant::now() < due && !stop.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(10));
        }
    }
    Ok(())
}

// === telling ===

fn print(report: &Report) {
    println!(
        "tenant `b` is asked {} times a second, {} s a phase; the reach: p99 within {REACH_TIMES} times the p99 alone and {} ms \
         more, which is {:.1} ms, and no request lost or denied\n",
        report.rate,
        report.seconds,
        REACH_MORE.as_millis(),
        report.reach_p99_ms,
    );
    println!(
        "{:<39} {:>8} {:>8} {:>8} {:>7} {:>6} {:>5} {:>6} {:>9}  {:<7} neighbours",
        "", "p50 ms", "p99 ms", "max ms", "× alone", "asked", "lost", "denied", "elsewhere", "reach"
    );
    for row in &report.rows {
        let Neighbours { answers_per_second, denials, swaps } = &row.neighbours;
        let verdict = if row.within_reach { "kept" } else { "MISSED" };
        let mut beside = match answers_per_second {
            0.0 => String::new(),
            rate => format!("{rate:.0} answers/s"),
        };
        for (message, count) in denials {
            beside.push_str(&format!("; {count} × {message}"));
        }
        if *swaps > 0 {
            beside.push_str(&format!("; {swaps} large policies put"));
        }
        println!(
            "{:<39} {:>8.2} {:>8.2} {:>8.2} {:>7.2} {:>6} {:>5} {:>6} {:>7.0} %  {verdict:<7} {beside}",
            row.phase,
            row.p50_ms,
            row.p99_ms,
            row.max_ms,
            row.times_alone,
            row.asked,
            row.lost,
            row.denied,
            row.elsewhere_percent
        );
    }
    if report.rows.iter().any(|row| row.elsewhere_percent > QUIET) {
        println!("\nother programs used more than {QUIET} % of the machine: measure again when it is at rest");
    }
}
