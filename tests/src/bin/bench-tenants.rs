//! What many tenants cost: decisions, memory, starts and swaps with 1, 10, 100 and 1,000 tenants of three policies each.
//!
//! `bench-tenants [--tenants 1,10,100,1000] [--seconds N] [--swaps N] [--instances N] [--json]`, or `make bench-tenants`.
//!
//! Once all tenants have the same files, and once every file is another one. Tenants are told by a header, on one
//! listener, and asked in turn. The hosts of one table run side by side and are measured in turn, `--seconds` (2) a
//! round, and the median of the rounds is printed. Caches are of this run only, and empty at the cold start.

use std::fs;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use portcullis_tests::http::Connection;
use portcullis_tests::log::Log;
use portcullis_tests::measure::{Arguments, Times, cpu_time, memory, millis, show};
use portcullis_tests::plugin::{self, REQUEST, Reply};
use portcullis_tests::portcullis::Config;
use portcullis_tests::process::Process;
use portcullis_tests::scratch::Scratch;
use portcullis_tests::{Error, Result, artifacts, wait};
use serde::Serialize;
use serde_json::{Value, json};

const USAGE: &str = "bench-tenants [--tenants 1,10,100,1000] [--seconds N] [--swaps N] [--instances N] [--json]";
const CONNECTIONS: usize = 8;
const ROUNDS: usize = 5;
const POLICIES: u64 = 3;
/// Thousands of policies are compiled before a host is ready.
const DEADLINE: Duration = Duration::from_secs(600);

/// A host with so many tenants.
struct Host {
    tenants: usize,
    /// Ends before its folders go.
    process: Process,
    config: Config,
    _cache: Scratch,
    calls: Vec<Vec<u8>>,
    cold: Duration,
    warm: Duration,
    /// Of the last policy that was made.
    number: u64,
}

/// Whose files are whose.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Files {
    Same,
    Distinct,
}

#[derive(Clone, Copy, Default)]
struct Figure {
    cpu_us: f64,
    per_second: f64,
}

#[derive(Serialize)]
struct Row {
    files: &'static str,
    tenants: usize,
    decisions_per_second: f64,
    cpu_us_per_decision: f64,
    /// Against the first row of the same files.
    times_cpu: f64,
    rss_mib: f64,
    pss_mib: f64,
    start_cold_ms: f64,
    start_warm_ms: f64,
    swap_p50_ms: f64,
    swap_max_ms: f64,
}

#[derive(Serialize)]
struct Growth {
    files: &'static str,
    from: usize,
    to: usize,
    cpu_percent: f64,
}

#[derive(Serialize)]
struct Report {
    rows: Vec<Row>,
    /// By how much a decision costs more from the fewest tenants to the most.
    growth: Vec<Growth>,
}

/// How it is measured.
struct Plan {
    tenants: Vec<usize>,
    round: Duration,
    swaps: u64,
    /// Of the host; none is its default.
    instances: Option<u64>,
}

fn main() -> Result<ExitCode> {
    let mut arguments = Arguments::of_program();
    let json = arguments.flag("--json");
    let tenants = arguments.text("--tenants").unwrap_or_else(|| "1,10,100,1000".to_owned());
    let tenants = tenants.split(',').map(|count| count.parse().ok().filter(|count| (1..=9999).contains(count)));
    let tenants: Option<Vec<usize>> = tenants.collect();
    let plan = Plan {
        tenants: tenants.ok_or_else(|| Error::Unexpected(format!("`--tenants`: expected numbers; usage: {USAGE}")))?,
        round: Duration::from_secs(arguments.number("--seconds", 2)?),
        swaps: arguments.number("--swaps", 20)?,
        instances: Some(arguments.number("--instances", 0)?).filter(|instances| *instances > 0),
    };
    arguments.finish(USAGE)?;
    let report = measure(&plan)?;
    show(&report, json, print)?;
    Ok(ExitCode::SUCCESS)
}

fn measure(plan: &Plan) -> Result<Report> {
    let mut report = Report { rows: Vec::new(), growth: Vec::new() };
    for files in [Files::Same, Files::Distinct] {
        let rows = table(plan, files)?;
        if let (Some(first), Some(last)) = (rows.first(), rows.last()) {
            let cpu_percent = (last.times_cpu - 1.0) * 100.0;
            report.growth.push(Growth { files: files.name(), from: first.tenants, to: last.tenants, cpu_percent });
        }
        report.rows.extend(rows);
    }
    Ok(report)
}

/// All hosts whose tenants have such files.
fn table(plan: &Plan, files: Files) -> Result<Vec<Row>> {
    let mut hosts = Vec::new();
    for tenants in &plan.tenants {
        hosts.push(Host::start(*tenants, files, plan.instances)?);
    }
    let mut figures = vec![Vec::new(); hosts.len()];
    for _ in 0..ROUNDS {
        for (host, figures) in hosts.iter().zip(&mut figures) {
            figures.push(host.measure(plan.round)?);
        }
    }
    let mut rows: Vec<Row> = Vec::new();
    for (host, figures) in hosts.iter_mut().zip(figures) {
        let (Figure { cpu_us, per_second }, held) = (median(figures), memory(host.process.id())?);
        let swaps: Times = (0..plan.swaps).map(|_| host.swap()).collect::<Result<_>>()?;
        rows.push(Row {
            files: files.name(),
            tenants: host.tenants,
            decisions_per_second: per_second,
            cpu_us_per_decision: cpu_us,
            times_cpu: cpu_us / rows.first().map_or(cpu_us, |first| first.cpu_us_per_decision),
            rss_mib: held.rss_mib,
            pss_mib: held.pss_mib,
            start_cold_ms: millis(host.cold),
            start_warm_ms: millis(host.warm),
            swap_p50_ms: millis(swaps.quantile(500)),
            swap_max_ms: millis(swaps.longest()),
        });
    }
    Ok(rows)
}

fn median(mut figures: Vec<Figure>) -> Figure {
    figures.sort_by(|a, b| a.cpu_us.total_cmp(&b.cpu_us));
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}

// === impl Files ===

impl Files {
    fn name(self) -> &'static str {
        match self {
            Self::Same => "the same",
            Self::Distinct => "all distinct",
        }
    }

    /// The number in a tenant's policy.
    fn number(self, tenant: u64, policy: u64) -> u64 {
        match self {
            Self::Same => policy,
            Self::Distinct => tenant * POLICIES + policy,
        }
    }
}

// === impl Host ===

impl Host {
    /// Starts it twice: with an empty cache, and with one that knows every policy.
    fn start(tenants: usize, files: Files, instances: Option<u64>) -> Result<Self> {
        let (config, cache) = (configure(tenants, files, instances)?, Scratch::new()?);
        let path = config.write()?.join("portcullis.toml");
        let io = |error: std::io::Error| Error::Unexpected(format!("`{}`: {error}", path.display()));
        let shared = fs::read_to_string(&path).map_err(io)?;
        let own = |line: &str| match line.strip_prefix("cache_dir = ") {
            Some(_) => format!("cache_dir = {:?}\n", cache.path().join("compiled")),
            None => format!("{line}\n"),
        };
        fs::write(&path, shared.lines().map(own).collect::<String>()).map_err(io)?;
        let (process, cold) = launch(&config)?;
        process.terminate(wait::DEADLINE)?;
        let (process, warm) = launch(&config)?;
        let calls = (0..tenants).map(|tenant| call(tenant, json!({}))).collect();
        let host = Self { tenants, process, config, _cache: cache, calls, cold, warm, number: 1_000_000 };
        host.check_all()?;
        Ok(host)
    }

    /// Every tenant is answered by its own policies.
    fn check_all(&self) -> Result<()> {
        let mut connection = Connection::open(&self.config.socket())?;
        for call in &self.calls {
            connection.write(call)?;
            let reply = Reply::read(&connection.read()?)?;
            if !reply.allow {
                return Err(Error::Unexpected(format!("a tenant is denied: {reply:?}")));
            }
        }
        Ok(())
    }

    /// Asks all tenants in turn, as fast as it answers.
    fn measure(&self, time: Duration) -> Result<Figure> {
        let (stop, next) = (AtomicBool::new(false), AtomicUsize::new(0));
        let pid = self.process.id();
        let (cpu, start) = (cpu_time(pid)?, Instant::now());
        let answers: usize = thread::scope(|scope| {
            let clients: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(|| self.ask_until(&stop, &next))).collect();
            thread::sleep(time);
            stop.store(true, Ordering::Relaxed);
            let panicked = |_| Err(Error::Unexpected("a client panicked".into()));
            clients.into_iter().map(|client| client.join().unwrap_or_else(panicked)).sum::<Result<_>>()
        })?;
        let (elapsed, cpu) = (start.elapsed(), cpu_time(pid)?.saturating_sub(cpu));
        let answers = answers as f64;
        Ok(Figure { cpu_us: cpu.as_secs_f64() * 1e6 / answers, per_second: answers / elapsed.as_secs_f64() })
    }

    fn ask_until(&self, stop: &AtomicBool, next: &AtomicUsize) -> Result<usize> {
        let (mut connection, mut answers) = (Connection::open(&self.config.socket())?, 0);
        while !stop.load(Ordering::Relaxed) {
            let turn = next.fetch_add(1, Ordering::Relaxed);
            let Some(call) = self.calls.get(turn % self.tenants) else { continue };
            connection.write(call)?;
            let reply = Reply::read(&connection.read()?)?;
            if !reply.allow {
                return Err(Error::Unexpected(format!("a tenant is denied: {reply:?}")));
            }
            answers += 1;
        }
        Ok(answers)
    }

    /// From the end of the write to the first answer of a new policy, which no cache knows.
    fn swap(&mut self) -> Result<Duration> {
        self.number += 1;
        let mut connection = Connection::open(&self.config.socket())?;
        let (call, policy) = (call(0, json!({ "X-Number": "say" })), policy(self.number)?);
        self.config.put(&file_of(0, 0), &policy)?;
        let (start, expected) = (Instant::now(), format!("p0: number {:010}", self.number));
        loop {
            connection.write(&call)?;
            let reply = Reply::read(&connection.read()?)?;
            if reply.msg == expected {
                return Ok(start.elapsed());
            }
            if start.elapsed() > wait::DEADLINE {
                return Err(Error::Unexpected(format!("no answer of policy {}: {reply:?}", self.number)));
            }
            // Whoever compiles needs the processor too.
            thread::sleep(Duration::from_millis(1));
        }
    }
}

fn configure(tenants: usize, files: Files, instances: Option<u64>) -> Result<Config> {
    let mut config = Config::new()?
        .toml("trusted_headers = [\"X-Team\"]")
        .file("data/users.json", br#"{"alice": {"readOnly": false}}"#)?;
    if let Some(instances) = instances {
        config = config.toml(&format!("[limits]\ninstances = {instances}"));
    }
    for tenant in 0..tenants {
        let toml = format!("[[match]]\nheader = {{ X-Team = {:?} }}\n", name(tenant));
        config = config.tenant(&name(tenant), &toml)?;
        for number in 0..POLICIES {
            config = config.file(&file_of(tenant, number), &policy(files.number(tenant as u64, number))?)?;
        }
    }
    Ok(config)
}

fn name(tenant: usize) -> String {
    format!("t{tenant:04}")
}

fn file_of(tenant: usize, policy: u64) -> String {
    format!("tenants/{}/policies/p{policy}.wasm", name(tenant))
}

/// The guest with a number written into it.
fn policy(number: u64) -> Result<Vec<u8>> {
    let mut bytes = artifacts::policy_bytes("numbered")?;
    let marker = b"number 0000000000";
    let at = bytes.windows(marker.len()).position(|window| window == marker);
    let place = at.and_then(|at| bytes.get_mut(at..at + marker.len()));
    let place = place.ok_or_else(|| Error::Unexpected("the guest `numbered` has lost its number".into()))?;
    place.copy_from_slice(format!("number {number:010}").as_bytes());
    Ok(bytes)
}

/// A call of one tenant, with more headers.
fn call(tenant: usize, mut headers: Value) -> Vec<u8> {
    if let Some(headers) = headers.as_object_mut() {
        headers.insert("X-Team".to_owned(), name(tenant).into());
    }
    let call = json!({
        "User": "alice",
        "UserAuthNMethod": "TLS",
        "RequestMethod": "GET",
        "RequestUri": "/v1.44/containers/json",
        "RequestHeaders": headers,
    });
    plugin::call(REQUEST, call.to_string().as_bytes())
}

/// A host that is ready, and how long that took.
fn launch(config: &Config) -> Result<(Process, Duration)> {
    let (binary, start) = (artifacts::portcullis()?, Instant::now());
    let process = Process::start("portcullis", &binary.to_string_lossy(), |command| {
        command.arg("serve").arg("--config").arg(config.path());
    })?;
    let is_ready = |line: &str| line.contains(r#""message":"ready""#).then_some(());
    let ready = process.log().wait(Log::START, DEADLINE, is_ready);
    let took = start.elapsed();
    ready.map_err(|problem| {
        Error::Unexpected(format!("the host is not ready ({problem:?}): {}", process.log().tail(20)))
    })?;
    Ok((process, took))
}

// === telling ===

fn print(report: &Report) {
    println!(
        "{:<13} {:>7} {:>11} {:>8} {:>6} {:>8} {:>8} {:>10} {:>10} {:>11} {:>11}",
        "files",
        "tenants",
        "decisions/s",
        "CPU µs",
        "×",
        "RSS MiB",
        "PSS MiB",
        "cold ms",
        "warm ms",
        "swap p50 ms",
        "swap max ms"
    );
    for row in &report.rows {
        println!(
            "{:<13} {:>7} {:>11.0} {:>8.1} {:>6.2} {:>8.0} {:>8.0} {:>10.0} {:>10.0} {:>11.1} {:>11.1}",
            row.files,
            row.tenants,
            row.decisions_per_second,
            row.cpu_us_per_decision,
            row.times_cpu,
            row.rss_mib,
            row.pss_mib,
            row.start_cold_ms,
            row.start_warm_ms,
            row.swap_p50_ms,
            row.swap_max_ms,
        );
    }
    println!();
    for Growth { files, from, to, cpu_percent } in &report.growth {
        println!("files {files}: the cost per decision grows by {cpu_percent:.1} % from {from} to {to} tenants");
    }
}
