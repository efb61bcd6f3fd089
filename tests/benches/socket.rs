//! What a decision costs on the socket: CPU per decision and decisions a second, beside two floors, in one run.
//!
//! `cargo bench --workspace --bench socket`, or `make bench`. `docs/performance.md` explains the table.

#![expect(clippy::indexing_slicing, reason = "JSON of this repository, and rows that were just made")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use portcullis_model::decision::{DefaultVerdict, Mode, Origin, Spent};
use portcullis_model::obligation::Demands;
use portcullis_model::{Decision, Generation, Opinion, PolicyName, Verdict};
use portcullis_policies::tenant::Counters;
use portcullis_tests::http::Connection;
use portcullis_tests::plugin::{self, REQUEST, Reply};
use portcullis_tests::portcullis::{Config, Portcullis};
use portcullis_tests::process::Process;
use portcullis_tests::scratch::Scratch;
use portcullis_tests::{Error, Result, artifacts};
use serde_json::Value;

const CONNECTIONS: [usize; 3] = [1, 8, 64];
/// Each figure is measured this long, in turn with the others, and the median of the rounds is printed.
const ROUND: Duration = Duration::from_millis(400);
const ROUNDS: usize = 9;
const KIB: usize = 1 << 10;

/// A server that is measured.
struct Server {
    name: &'static str,
    socket: PathBuf,
    pid: u32,
    /// Ends with this.
    _running: Running,
}

enum Running {
    Floor { _process: Process, _scratch: Scratch },
    Host { _host: Portcullis, _logs: Scratch },
}

/// One figure.
#[derive(Clone, Copy, Default)]
struct Figure {
    cpu_us: f64,
    per_second: f64,
}

fn main() -> Result<()> {
    // `cargo test --benches` runs this too, and has no use for figures.
    if !std::env::args().any(|arg| arg == "--bench") {
        return Ok(());
    }
    let servers = [
        floor("floor: parse the call", "parse")?,
        floor("floor: and the body", "value")?,
        host("portcullis, no policy", &[], "")?,
        host("portcullis, 1 policy", &["seccomp"], "")?,
        host("portcullis, 3 policies", &["seccomp", "user-roles", "bind-mounts"], "")?,
    ];
    let is_unwanted = |what: &str| std::env::var("PORTCULLIS_BENCH").is_ok_and(|wanted| wanted != what);
    let all = calls()?;
    if !is_unwanted("socket") {
        all.iter().try_for_each(|(name, call)| compare(&servers, 1, name, call))?;
    }
    drop(servers);
    if !is_unwanted("log") {
        let [list, create, _] = &all;
        let servers = logging()?;
        [list, create]
            .into_iter()
            .try_for_each(|(name, call)| compare(&servers, 0, &format!("the log: {name}"), call))?;
    }
    if !is_unwanted("metrics") {
        let [_, create, _] = &all;
        let servers = traced()?;
        compare(&servers, 0, &format!("traces: {}", create.0), &create.1)?;
        println!("\n{}", recording(&servers[0], &create.1)?);
    }
    Ok(())
}

/// The same host without traces, and with one of ten decisions for a collector that is not there.
fn traced() -> Result<[Server; 2]> {
    const TRACES: &str = "[traces]\nendpoint = \"http://127.0.0.1:1/v1/traces\"\n[decision_log]";
    let policies = ["seccomp", "user-roles", "bind-mounts"];
    Ok([host("no traces", &policies, "")?, host_with("one of ten is traced", &policies, TRACES, "")?])
}

/// What counting a decision of three policies costs, beside the CPU that such a decision takes.
fn recording(server: &Server, call: &[u8]) -> Result<String> {
    const COUNTS: u32 = 2_000_000;
    let opinions = (0..3).filter_map(opinion).collect();
    let decision = Decision::combine(opinions, DefaultVerdict::Allow, Mode::Enforce, Generation(1), &|_| None);
    let counters = Counters::default();
    let start = Instant::now();
    for count in 0..COUNTS {
        let (counters, decision) = (std::hint::black_box(&counters), std::hint::black_box(&decision));
        let took = Duration::from_nanos(u64::from(count % 1_000_000));
        counters.calls().count(counters.calls().note(decision, Some("ContainerCreate")), took);
    }
    let counting = start.elapsed().as_secs_f64() * 1e9 / f64::from(COUNTS);
    let call = plugin::call(REQUEST, call);
    let figures = (0..ROUNDS).map(|_| measure(server, &call, 1)).collect::<Result<Vec<_>>>()?;
    let decision = median(figures.iter().map(|figure| figure.cpu_us).collect()) * 1e3;
    let part = 100.0 * counting / decision;
    Ok(format!("counting a decision by operation and cause: {counting:.0} ns of {decision:.0} ns, {part:.2} %"))
}

fn opinion(number: u32) -> Option<Opinion> {
    let (policy, judgement) = (PolicyName::new(&format!("policy-{number}")).ok()?, Ok(Verdict::Allow));
    let (took, spent) = (Duration::ZERO, Spent::default());
    Some(Opinion {
        policy,
        origin: Origin::Host,
        digest: None,
        mode: Mode::Enforce,
        judgement,
        demands: Demands::default(),
        remark: None,
        took,
        spent,
    })
}

/// The same host with its decision log off, and written in every way.
fn logging() -> Result<[Server; 4]> {
    let host = |name, toml| host(name, &["seccomp"], toml);
    Ok([
        host("log off", "sinks = []\nrecent = 0")?,
        host("file, drop", "sinks = [\"file\"]")?,
        host("file, deny, sync = false", "sinks = [\"file\"]\non_full = \"deny\"\nsync = false")?,
        host("file, deny, sync = true", "sinks = [\"file\"]\non_full = \"deny\"\nsync = true")?,
    ])
}

/// Measures servers in turn; the one at `base` is what the others are compared with.
fn compare(servers: &[Server], base: usize, name: &str, call: &[u8]) -> Result<()> {
    for server in servers {
        let reply = plugin::ask(&server.socket, call)?;
        assert!(reply.allow, "{name}, {}: {reply:?}", server.name);
    }
    println!("\n{name} ({} bytes on the socket)", call.len());
    println!("{}", table(servers, base, &plugin::call(REQUEST, call))?);
    Ok(())
}

/// Real calls of the docker command; the large one is the second, with an environment as large as they come.
fn calls() -> Result<[(&'static str, Vec<u8>); 3]> {
    let create = data("create-allowed.json")?;
    Ok([
        ("list containers, no body", data("get-container-list.json")?),
        ("docker run, a create of 2 KB", create.clone()),
        ("a create of 900 KiB", enlarged(&create, 900 * KIB)?),
    ])
}

fn data(name: &str) -> Result<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(name);
    std::fs::read(&path).map_err(|source| Error::Io { doing: format!("reading `{}`", path.display()), source })
}

fn enlarged(call: &[u8], size: usize) -> Result<Vec<u8>> {
    let unexpected = |what: &str| Error::Unexpected(format!("the call has no {what}"));
    let mut call: Value = serde_json::from_slice(call).map_err(|error| Error::Unexpected(error.to_string()))?;
    let body = call["RequestBody"].as_str().ok_or_else(|| unexpected("body"))?;
    let body = base64_simd::STANDARD.decode_to_vec(body).map_err(|_| unexpected("base64"))?;
    let mut body: Value = serde_json::from_slice(&body).map_err(|_| unexpected("JSON"))?;
    let environment = body["Env"].as_array_mut().ok_or_else(|| unexpected("environment"))?;
    for number in 0..size / 64 {
        environment.push(Value::from(format!("VARIABLE_{number:06}=the value of a variable, number {number:06}, end")));
    }
    let body = body.to_string();
    call["RequestHeaders"]["Content-Length"] = Value::from(body.len().to_string());
    call["RequestBody"] = Value::from(base64_simd::STANDARD.encode_to_string(&body));
    Ok(call.to_string().into_bytes())
}

// === servers ===

fn floor(name: &'static str, mode: &str) -> Result<Server> {
    let scratch = Scratch::new()?;
    let socket = scratch.path().join("floor.sock");
    let program = artifacts::portcullis()?.with_file_name("floor");
    let process = Process::start("floor", &program.to_string_lossy(), |command| {
        command.arg(mode).arg(&socket);
    })?;
    process.wait_for_line(portcullis_tests::log::Log::START, "the floor is ready", |line| {
        (line == "ready").then_some(())
    })?;
    let pid = process.id();
    Ok(Server { name, socket, pid, _running: Running::Floor { _process: process, _scratch: scratch } })
}

/// `log` is what its `[decision_log]` says beside the file's path.
fn host(name: &'static str, policies: &[&str], log: &str) -> Result<Server> {
    host_with(name, policies, "[decision_log]", log)
}

fn host_with(name: &'static str, policies: &[&str], before: &str, log: &str) -> Result<Server> {
    // Not among what the host watches.
    let logs = Scratch::new()?;
    let path = logs.path().join("decisions.log");
    let mut config = Config::new()?
        .toml(&format!("default = \"allow\"\n{before}\n{log}\n[decision_log.file]\npath = {path:?}\nfiles = 1\n"));
    for policy in policies {
        config = config.policy(policy)?;
    }
    config = config
        .file("data/users.json", br#"{"alice":{"readOnly":false},"bob":{"readOnly":true}}"#)?
        .file("policies/user-roles.toml", b"[settings]\nuser_header = \"Authz-User\"\n")?
        .file(
            "policies/bind-mounts.toml",
            b"[settings]\nallow = [{ source = \"/tmp/bb\", writable = true, create = true }]\n",
        )?;
    let host = config.start()?;
    let (socket, pid) = (host.socket(), host.process().id());
    Ok(Server { name, socket, pid, _running: Running::Host { _host: host, _logs: logs } })
}

// === measuring ===

/// Ratios are those of rounds, in which servers are measured one after the other: the machine is another one a second later.
fn table(servers: &[Server], base: usize, call: &[u8]) -> Result<String> {
    let mut text = format!("{:<26}", "");
    let mut rows = vec![String::new(); servers.len()];
    for connections in CONNECTIONS {
        let _ = write!(text, " | {connections:>3} connections: µs CPU,      /s, × CPU,   × /s");
        let rounds = (0..ROUNDS).map(|_| servers.iter().map(|server| measure(server, call, connections)).collect());
        let rounds = rounds.collect::<Result<Vec<Vec<Figure>>>>()?;
        for (position, row) in rows.iter_mut().enumerate() {
            let of_rounds = |of: fn(&Figure, &Figure) -> f64| {
                median(rounds.iter().map(|round| of(&round[position], &round[base])).collect())
            };
            let (cpu, per_second) = (of_rounds(|own, _| own.cpu_us), of_rounds(|own, _| own.per_second));
            let _ = write!(row, " | {cpu:>22.1} {per_second:>9.0}");
            let times = [
                of_rounds(|own, base| own.cpu_us / base.cpu_us),
                of_rounds(|own, base| own.per_second / base.per_second),
            ];
            for times in times.map(|times| if position < base { String::new() } else { format!("{times:.2}") }) {
                let _ = write!(row, " {times:>7}");
            }
        }
    }
    for (server, row) in servers.iter().zip(rows) {
        let _ = write!(text, "\n{:<26}{row}", server.name);
    }
    Ok(text)
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}

/// Asks as fast as it can over so many connections, each with one call at a time.
fn measure(server: &Server, call: &[u8], connections: usize) -> Result<Figure> {
    let (stop, answers) = (AtomicBool::new(false), AtomicU64::new(0));
    let mut open = Vec::new();
    for _ in 0..connections {
        let mut connection = Connection::open(&server.socket)?;
        connection.write(call)?;
        connection.read()?;
        open.push(connection);
    }
    let (cpu, start) = (cpu_time(server.pid)?, Instant::now());
    thread::scope(|scope| {
        let clients: Vec<_> =
            open.into_iter().map(|connection| scope.spawn(|| ask_until(connection, call, &stop, &answers))).collect();
        thread::sleep(ROUND);
        stop.store(true, Ordering::Relaxed);
        clients
            .into_iter()
            .try_for_each(|client| client.join().unwrap_or_else(|_| Err(Error::Unexpected("a client panicked".into()))))
    })?;
    let (elapsed, cpu) = (start.elapsed(), cpu_time(server.pid)?.saturating_sub(cpu));
    let answers = answers.into_inner() as f64;
    Ok(Figure { cpu_us: cpu.as_secs_f64() * 1e6 / answers, per_second: answers / elapsed.as_secs_f64() })
}

fn ask_until(mut connection: Connection, call: &[u8], stop: &AtomicBool, answers: &AtomicU64) -> Result<()> {
    while !stop.load(Ordering::Relaxed) {
        connection.write(call)?;
        let reply = Reply::read(&connection.read()?)?;
        assert!(reply.allow, "{reply:?}");
        answers.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

/// What a process has used so far, of both user and system time. The kernel counts in hundredths of a second.
fn cpu_time(pid: u32) -> Result<Duration> {
    let unreadable = || Error::Unexpected(format!("the CPU time of process {pid} cannot be read"));
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).map_err(|_| unreadable())?;
    // The second field, the name, is in parentheses and may hold spaces; user and system time are fields 14 and 15.
    let fields: Vec<_> = stat.rsplit_once(')').ok_or_else(unreadable)?.1.split_whitespace().collect();
    let ticks = |field: usize| fields.get(field - 3).and_then(|ticks| ticks.parse::<u64>().ok()).ok_or_else(unreadable);
    Ok(Duration::from_millis((ticks(14)? + ticks(15)?) * 10))
}
