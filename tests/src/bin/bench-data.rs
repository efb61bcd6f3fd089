//! What data costs at size: a document of 1,000,000 users, about 100 MB of JSON, beside one of 50.
//!
//! `bench-data [--users N] [--patches N] [--json]`, or `make bench-data`.
//!
//! A host starts with a small document, is given the large one by a file that is dropped in and by `PUT`, has one user
//! patched again and again, and starts with the large one. All the while a client asks for decisions that look up a
//! user; the longest that one took is printed. Memory is that of the host's process: `VmRSS`, and the peak `VmHWM` of
//! the step alone. The host's log tells what of a patch was the change in memory, and what was writing the file; beside it,
//! the same bytes are written and synced without the host.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use portcullis_tests::http::{self, Answer, Connection};
use portcullis_tests::measure::{Arguments, Times, memory, millis, show};
use portcullis_tests::plugin::{self, REQUEST, Reply};
use portcullis_tests::portcullis::{Config, Portcullis};
use portcullis_tests::{Error, Result};
use serde::Serialize;
use serde_json::json;

const USAGE: &str = "bench-data [--users N] [--patches N] [--json]";
/// Decisions that are measured in a row.
const DECISIONS: usize = 5_000;
/// RSS as a multiple of the JSON: beyond it the benchmark fails.
const MOST_TIMES: f64 = 4.0;

#[derive(Serialize)]
struct Report {
    users: u64,
    json_mb: f64,
    /// RSS of a host with 50 users.
    idle_mib: f64,
    decisions: Vec<Decisions>,
    steps: Vec<Step>,
    patches: Patches,
    /// The largest peak above the idle host, but for a `PUT` of all, as a multiple of the JSON.
    most_times_json: f64,
    passed: bool,
}

/// Decisions that look up one user.
#[derive(Serialize)]
struct Decisions {
    document: &'static str,
    p50_us: f64,
    p99_us: f64,
}

/// Something that activates the large document.
#[derive(Serialize)]
struct Step {
    step: &'static str,
    /// Until it is active.
    took_ms: f64,
    /// The longest decision meanwhile; none where the host was not there.
    longest_decision_ms: Option<f64>,
    rss_times_json: f64,
    peak_times_json: f64,
}

#[derive(Serialize)]
struct Patches {
    count: u64,
    p50_ms: f64,
    longest_ms: f64,
    /// Of that: the change in memory, and making JSON of it and having it on the disk.
    memory_p50_us: f64,
    write_p50_ms: f64,
    /// The same bytes written and synced by this program.
    disk_p50_ms: f64,
    longest_decision_ms: f64,
}

/// A host, and the size of what it is given.
struct Bench {
    host: Portcullis,
    users: u64,
    bytes: f64,
    idle_mib: f64,
}

fn main() -> Result<ExitCode> {
    let mut arguments = Arguments::of_program();
    let json = arguments.flag("--json");
    let users = arguments.number("--users", 1_000_000)?;
    let patches = arguments.number("--patches", 20)?;
    arguments.finish(USAGE)?;
    let report = measure(users, patches)?;
    show(&report, json, print)?;
    Ok(if report.passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn measure(users: u64, patches: u64) -> Result<Report> {
    let (small, large) = (document(50), document(users));
    let config = Config::new()?.policy("user-roles")?.file("data/users.json", small.as_bytes())?;
    let host = config.start()?;
    let idle_mib = memory(host.process().id())?.rss_mib;
    let mut bench = Bench { host, users, bytes: large.len() as f64, idle_mib };
    let mut decisions = vec![bench.decisions("50 users", 50)?];
    let mut steps = vec![bench.step("a file that is dropped in", |host| {
        let mark = host.mark();
        host.config().put("data/users.json", large.as_bytes())?;
        let told = |record: &portcullis_tests::portcullis::Record| record.message() == "generation published";
        host.wait_for(mark, "the swap", told).map(drop)
    })?];
    decisions.push(bench.decisions("all users", users)?);
    let patches = bench.patches(patches, large.as_bytes())?;
    steps.push(bench.memory_of("patches of one user", patches.p50_ms, Some(patches.longest_decision_ms))?);
    decisions.push(bench.decisions("all users, some patched", users)?);
    let start = Instant::now();
    bench.host.crash_and_restart()?;
    steps.push(bench.memory_of("a start with it", millis(start.elapsed()), None)?);
    steps
        .push(bench.step("PUT of all of it", |host| {
            succeeded(&send(host, "PUT", "/v1/data/users", &[], large.as_bytes())?)
        })?);
    let counted = steps.iter().filter(|step| !step.step.starts_with("PUT"));
    let most_times_json = counted.map(|step| step.peak_times_json).fold(0.0, f64::max);
    Ok(Report {
        users,
        json_mb: large.len() as f64 / 1e6,
        idle_mib,
        decisions,
        steps,
        patches,
        most_times_json,
        passed: most_times_json <= MOST_TIMES,
    })
}

// === impl Bench ===

impl Bench {
    /// Decisions that look up users all over the document, one after the other.
    fn decisions(&self, document: &'static str, users: u64) -> Result<Decisions> {
        let mut connection = Connection::open(&self.host.socket())?;
        let mut times = Vec::with_capacity(DECISIONS);
        for number in 0..DECISIONS as u64 {
            times.push(ask(&mut connection, number * 7919 % users)?);
        }
        let times: Times = times.into_iter().collect();
        let micros = |time: Duration| time.as_secs_f64() * 1e6;
        Ok(Decisions { document, p50_us: micros(times.quantile(500)), p99_us: micros(times.quantile(990)) })
    }

    /// Does something while decisions are asked for, from a peak of memory that begins anew.
    fn step(&self, step: &'static str, work: impl FnOnce(&Portcullis) -> Result<()>) -> Result<Step> {
        self.forget_peak()?;
        let (took, longest) = self.beside_decisions(|| work(&self.host))?;
        self.memory_of(step, millis(took), Some(millis(longest)))
    }

    fn memory_of(&self, step: &'static str, took_ms: f64, longest_decision_ms: Option<f64>) -> Result<Step> {
        let times = |mib: f64| (mib - self.idle_mib) * f64::from(1 << 20) / self.bytes;
        let rss_times_json = times(memory(self.host.process().id())?.rss_mib);
        let peak_times_json = times(self.host.peak_memory()? as f64 / 1024.0);
        Ok(Step { step, took_ms, longest_decision_ms, rss_times_json, peak_times_json })
    }

    /// One user after the other gets another role.
    fn patches(&self, count: u64, large: &[u8]) -> Result<Patches> {
        let scratch = self.host.config().path().join("data/.bench");
        let (mut times, mut disk, mut longest_decision) = (Vec::new(), Vec::new(), Duration::ZERO);
        let (mut in_memory, mut writing) = (Vec::new(), Vec::new());
        self.forget_peak()?;
        for number in 0..count {
            let path = format!("/v1/data/users/{}", name(number * 7919 % self.users));
            let kind = [("Content-Type", "application/merge-patch+json")];
            let mark = self.host.mark();
            let (took, longest) = self
                .beside_decisions(|| succeeded(&send(&self.host, "PATCH", &path, &kind, br#"{"readOnly":false}"#)?))?;
            times.push(took);
            let told = self.host.wait_for(mark, "what was written", |record| record.message() == "data written")?;
            let micros = |name| told.field(name).and_then(serde_json::Value::as_u64).unwrap_or_default();
            in_memory.push(Duration::from_micros(micros("memory_us")));
            writing.push(Duration::from_micros(micros("write_us")));
            longest_decision = longest_decision.max(longest);
            disk.push(written(&scratch, large)?);
        }
        let [times, disk, in_memory, writing]: [Times; 4] =
            [times, disk, in_memory, writing].map(|times| times.into_iter().collect());
        Ok(Patches {
            count,
            p50_ms: millis(times.quantile(500)),
            longest_ms: millis(times.longest()),
            memory_p50_us: in_memory.quantile(500).as_secs_f64() * 1e6,
            write_p50_ms: millis(writing.quantile(500)),
            disk_p50_ms: millis(disk.quantile(500)),
            longest_decision_ms: millis(longest_decision),
        })
    }

    /// How long the work takes, and the longest decision meanwhile.
    fn beside_decisions(&self, work: impl FnOnce() -> Result<()>) -> Result<(Duration, Duration)> {
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let asker = scope.spawn(|| -> Result<Duration> {
                let (mut connection, mut longest) = (Connection::open(&self.host.socket())?, Duration::ZERO);
                while !stop.load(Ordering::Relaxed) {
                    longest = longest.max(ask(&mut connection, 7)?);
                }
                Ok(longest)
            });
            let start = Instant::now();
            let done = work();
            let took = start.elapsed();
            stop.store(true, Ordering::Relaxed);
            let longest = asker.join().unwrap_or_else(|_| Err(Error::Unexpected("a client panicked".into())))?;
            done.map(|()| (took, longest))
        })
    }

    /// The kernel then begins anew to note the most that the host holds.
    fn forget_peak(&self) -> Result<()> {
        let path = format!("/proc/{}/clear_refs", self.host.process().id());
        fs::write(&path, "5").map_err(|source| Error::Io { doing: format!("writing `{path}`"), source })
    }
}

/// How long one decision takes, which looks up one user.
fn ask(connection: &mut Connection, user: u64) -> Result<Duration> {
    let call = json!({
        "User": name(user),
        "UserAuthNMethod": "TLS",
        "RequestMethod": "GET",
        "RequestUri": "/v1.44/containers/json",
    });
    let call = plugin::call(REQUEST, call.to_string().as_bytes());
    let start = Instant::now();
    connection.write(&call)?;
    let reply = Reply::read(&connection.read()?)?;
    let took = start.elapsed();
    if reply.allow { Ok(took) } else { Err(Error::Unexpected(format!("a user is denied: {reply:?}"))) }
}

fn send(host: &Portcullis, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Answer> {
    http::send(&host.config().admin_socket(), &http::request(method, path, headers, body))
}

fn succeeded(answer: &Answer) -> Result<()> {
    if answer.status == 200 { Ok(()) } else { Err(Error::Unexpected(answer.text())) }
}

/// How long it takes to write a file as the host does, without the host.
fn written(path: &Path, bytes: &[u8]) -> Result<Duration> {
    let io = |source| Error::Io { doing: format!("writing `{}`", path.display()), source };
    let start = Instant::now();
    let mut file = File::create(path).map_err(io)?;
    bytes.chunks(64 << 10).try_for_each(|piece| file.write_all(piece)).map_err(io)?;
    file.sync_all().map_err(io)?;
    let took = start.elapsed();
    fs::remove_file(path).map_err(io)?;
    Ok(took)
}

fn document(users: u64) -> String {
    let mut text = String::from("{");
    for number in 0..users {
        let (comma, name) = (if number == 0 { "" } else { "," }, name(number));
        // A text takes all.
        let _ = write!(
            text,
            "{comma}\"{name}\":{{\"readOnly\":true,\"teams\":[\"a\",\"b\"],\"mail\":\"{name}@example.com\",\"active\":true}}"
        );
    }
    text.push('}');
    text
}

fn name(number: u64) -> String {
    format!("user-{number:07}")
}

// === telling ===

fn print(report: &Report) {
    println!("{} users, {:.1} MB of JSON; an idle host holds {:.0} MiB", report.users, report.json_mb, report.idle_mib);
    println!("\n{:<28} {:>10} {:>10}", "a decision, looking up one of", "p50 µs", "p99 µs");
    for Decisions { document, p50_us, p99_us } in &report.decisions {
        println!("{document:<28} {p50_us:>11.1} {p99_us:>10.1}");
    }
    println!("\n{:<28} {:>10} {:>20} {:>12} {:>12}", "", "took ms", "longest decision ms", "RSS × JSON", "peak × JSON");
    for step in &report.steps {
        let longest = step.longest_decision_ms.map_or_else(|| "-".to_owned(), |longest| format!("{longest:.1}"));
        println!(
            "{:<28} {:>10.0} {longest:>20} {:>12.2} {:>12.2}",
            step.step, step.took_ms, step.rss_times_json, step.peak_times_json
        );
    }
    let Patches { count, p50_ms, longest_ms, memory_p50_us, write_p50_ms, disk_p50_ms, .. } = report.patches;
    println!(
        "\n{count} patches of one user: p50 {p50_ms:.0} ms, longest {longest_ms:.0} ms. Of that the change in memory \
         {memory_p50_us:.0} µs, and making and writing the JSON {write_p50_ms:.0} ms; the same bytes are written and \
         synced by another program in {disk_p50_ms:.0} ms"
    );
    let verdict = if report.passed { "within" } else { "beyond" };
    println!("at most {:.2} times the JSON while loading and patching: {verdict} {MOST_TIMES}", report.most_times_json);
}
