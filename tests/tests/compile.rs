//! Policies that make the compiler explode: each is refused with the reason, in a process of its own, and the host goes on.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use portcullis_tests::bombs::{self, Bomb};
use portcullis_tests::command::Finished;
use portcullis_tests::error::Doing;
use portcullis_tests::plugin::{self, REQUEST, Reply};
use portcullis_tests::portcullis::{Config, Portcullis};
use portcullis_tests::scratch::Scratch;
use portcullis_tests::{Error, Result, artifacts, guests, http};

const CALL: &[u8] = br#"{"RequestMethod":"GET","RequestUri":"/v1.41/containers/json"}"#;
/// What no process that compiles may hold.
const MOST_MEMORY: u64 = 300 << 10;
/// What the host may hold beside what it held before, in KiB: it reads each file, from the folder and from the call.
const MORE: u64 = 48 << 10;
/// What an operator can be told. The last three: files that the compiler can make something of, but that are no policies.
const REASONS: [&str; 6] = [
    "; at most ",
    "compiling it took more than ",
    "not valid WebAssembly",
    "does not export `portcullis:policy/authorizer`",
    "imports `",
    "transitively contains",
];

/// What `portcullis check` came to, how long it took, and the most memory that the process that compiled held, in KiB.
struct Checked {
    finished: Finished,
    took: Duration,
    peak: u64,
}

/// Runs `portcullis check`, and watches the processes that it starts.
fn check(bomb: &Bomb, folder: &Scratch) -> Result<Checked> {
    let path = folder.path().join(format!("{}.wasm", bomb.kind.replace(' ', "-")));
    fs::write(&path, &bomb.bytes).doing_to("writing", &path)?;
    let mut command = Command::new(artifacts::portcullis()?);
    command.arg("check").arg(&path).stdout(Stdio::piped()).stderr(Stdio::piped());
    let start = Instant::now();
    let child = command.spawn().doing("starting portcullis")?;
    let id = child.id();
    let waiter = thread::spawn(move || child.wait_with_output());
    let mut peaks = BTreeMap::new();
    while !waiter.is_finished() {
        for process in children(id) {
            peaks.extend(peak(process).map(|peak| (process, peak)));
        }
        thread::sleep(Duration::from_millis(1));
    }
    let took = start.elapsed();
    let output = waiter.join().map_err(|_| Error::Unexpected("the waiter panicked".into()))?.doing("waiting")?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let finished = Finished { status: output.status, stdout: text(output.stdout), stderr: text(output.stderr) };
    Ok(Checked { finished, took, peak: peaks.into_values().max().unwrap_or_default() })
}

fn children(process: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    lists.flat_map(|list| list.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<_>>()).collect()
}

fn peak(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[test]
fn every_bomb_is_refused_with_the_reason_by_a_process_that_stays_within_its_limits() -> Result<()> {
    let folder = Scratch::new()?;
    for seed in [1, 2] {
        for bomb in bombs::all(seed)? {
            let Checked { finished, took, peak } = check(&bomb, &folder)?;
            let told = format!("{}{}", finished.stderr, finished.stdout);
            let reason = told.lines().find(|line| REASONS.iter().any(|reason| line.contains(reason)));
            let reason = reason.unwrap_or("");
            let shown = reason.rsplit(".wasm: ").next().unwrap_or(reason);
            println!(
                "seed {seed}  {:38} {:>8} bytes  {:>5} ms  {:>4} MiB  {shown:.90}",
                bomb.kind,
                bomb.bytes.len(),
                took.as_millis(),
                peak >> 10
            );
            assert_eq!(finished.code(), Some(1), "seed {seed}, {}: {told}", bomb.kind);
            assert!(!reason.is_empty(), "seed {seed}, {}: {told}", bomb.kind);
            assert!(peak < MOST_MEMORY, "seed {seed}, {}: {peak} KiB", bomb.kind);
        }
    }
    Ok(())
}

#[test]
fn a_host_refuses_every_bomb_and_keeps_its_last_good_policy_and_its_memory() -> Result<()> {
    let host = Config::new()?.policy("allow-all")?.start()?;
    let before = host.peak_memory()?;
    for bomb in bombs::all(3)? {
        let mark = host.mark();
        host.config().put("policies/allow-all.wasm", &bomb.bytes)?;
        let record = host.wait_for(mark, bomb.kind, |record| record.level() == "ERROR")?;
        let problem = record.text("problem");
        assert!(REASONS.iter().any(|reason| problem.contains(reason)), "{}: {problem}", bomb.kind);
        assert!(ask(&host)?.allow, "after {}", bomb.kind);
        let put = http::send(
            &host.config().admin_socket(),
            &http::request("PUT", "/v1/policies/other", &[("content-type", "application/wasm")], &bomb.bytes),
        )?;
        assert_eq!(put.status, 422, "{}: {}", bomb.kind, put.text());
    }
    let after = host.peak_memory()?;
    println!("the host's peak: {before} KiB before, {after} KiB after");
    assert!(after < before + MORE, "{before} KiB before, {after} KiB after");
    Ok(())
}

fn ask(host: &Portcullis) -> Result<Reply> {
    let mut connection = http::Connection::open(&host.socket())?;
    connection.write(&plugin::call(REQUEST, CALL))?;
    Reply::read(&connection.read()?)
}

#[test]
fn what_was_compiled_is_found_at_the_next_start_and_without_a_process() -> Result<()> {
    // Tests share a cache, so nobody else may have this file.
    let words = format!("compiled by {} at {:?}", std::process::id(), std::time::SystemTime::now());
    let mut host = Config::new()?.file("policies/new.wasm", &guests::that_says(&words.replace('"', ""))?)?.start()?;
    let metric = |host: &Portcullis| -> Result<String> {
        let page = http::send(&host.config().admin_socket(), &http::request("GET", "/metrics", &[], b""))?;
        let lines = page.text();
        let of = lines.lines().filter(|line| line.starts_with("portcullis_compilations_total"));
        Ok(of.collect::<Vec<_>>().join("\n"))
    };
    let first = metric(&host)?;
    assert!(first.contains("result=\"compiled\"} 1"), "{first}");
    host.crash_and_restart()?;
    let second = metric(&host)?;
    assert!(second.contains("result=\"found\"} 1") && second.contains("result=\"compiled\"} 0"), "{second}");
    assert!(ask(&host)?.msg.contains("compiled by"));
    Ok(())
}
