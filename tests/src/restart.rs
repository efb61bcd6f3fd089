//! Callers of a real dockerd while its Portcullis is restarted, again and again: who was denied wrongly, who was allowed
//! wrongly, and how long calls took.
//!
//! Half of the callers use the `docker` command, the others speak HTTP: those have a call under way at almost any moment.
//! Each makes calls that must succeed, with small and large bodies, and one that must be denied. A call whose answer was
//! lost after the operation had happened fails for its caller, too, and counts as denied.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::measure::{Times, millis};
use crate::portcullis::{Config, NAME};
use crate::{Docker, Dockerd, Portcullis, http, wait};

/// How the host is restarted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Restart {
    /// SIGTERM, and a new host when the old one has ended.
    Terminate,
    /// A new host takes the place of the old one.
    HandOver,
    /// `kill -9`, and a new host.
    Kill,
}

/// What became of the calls.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub restart: Restart,
    pub restarts: u64,
    pub calls: u64,
    /// Calls that no policy denies and that failed.
    pub wrongly_denied: Vec<String>,
    /// Calls that a policy denies and that succeeded.
    pub wrongly_allowed: Vec<String>,
    pub all_ms: Delays,
    /// Of calls that were under way at any moment of a restart.
    pub restarted_ms: Delays,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub struct Delays {
    pub calls: usize,
    pub p50: f64,
    pub p99: f64,
    pub longest: f64,
}

/// A dockerd, its Portcullis, and the callers.
#[derive(Debug)]
pub struct Scene {
    // Callers end before what they call.
    callers: Vec<thread::JoinHandle<()>>,
    shared: Arc<Shared>,
    // dockerd ends first: without its plugin, that would take long.
    dockerd: Dockerd,
    host: Portcullis,
}

#[derive(Debug, Default)]
struct Shared {
    calls: Mutex<Vec<Call>>,
    /// Rounds that each caller has done.
    rounds: Vec<AtomicU64>,
    is_over: AtomicBool,
}

#[derive(Clone, Debug)]
struct Call {
    began: Instant,
    ended: Instant,
    is_http: bool,
    wrong: Option<Wrong>,
}

#[derive(Clone, Debug)]
enum Wrong {
    Denied(String),
    Allowed(String),
}

const COMMANDS: usize = 2;
const CONNECTIONS: usize = 3;
const STATE: &[u8] = b"grants = [\"state\"]\n";

// === impl Scene ===

impl Scene {
    /// Starts everything. One policy keeps something, so that the state has to be there before each decision.
    pub fn set() -> Result<Self> {
        let config = Config::new()?.policy("seccomp")?.policy("say-hello")?;
        let host = config.file("policies/say-hello.toml", STATE)?.start()?;
        let dockerd = Dockerd::setup().guarded_by(NAME, &host.config().plugin_folder()).start()?;
        let hello = Docker::new(&dockerd)?.run(&["create", "hello-world"])?;
        if !hello.status.success() {
            return Err(Error::Unexpected(format!("nobody could say hello: {hello:?}")));
        }
        let rounds = (0..COMMANDS + CONNECTIONS).map(|_| AtomicU64::new(0)).collect();
        let shared = Arc::new(Shared { rounds, ..Shared::default() });
        let mut callers = Vec::new();
        for caller in 0..COMMANDS + CONNECTIONS {
            let shared = Arc::clone(&shared);
            if caller < COMMANDS {
                let docker = Docker::new(&dockerd)?;
                callers.push(thread::spawn(move || {
                    shared.repeat(caller, |round| shared.commands(&docker, caller, round))
                }));
            } else {
                let socket = dockerd.socket();
                callers.push(thread::spawn(move || shared.repeat(caller, |_| shared.connections(&socket))));
            }
        }
        Ok(Self { callers, shared, dockerd, host })
    }

    /// Restarts the host so many times. Between two restarts, each caller makes all of its calls once at least.
    pub fn run(&mut self, restart: Restart, restarts: u64) -> Result<Report> {
        self.shared.await_rounds(1)?;
        let from = self.shared.locked().len();
        let mut under_way = Vec::new();
        for _ in 0..restarts {
            let began = Instant::now();
            match restart {
                Restart::Terminate => self.host.restart()?,
                Restart::HandOver => self.host.hand_over()?,
                Restart::Kill => self.host.crash_and_restart()?,
            }
            under_way.push((began, Instant::now()));
            self.shared.await_rounds(2)?;
        }
        if let Some(status) = self.dockerd.process().ended() {
            return Err(Error::Unexpected(format!("dockerd has ended: {status}")));
        }
        let calls: Vec<Call> = self.shared.locked().iter().skip(from).cloned().collect();
        Ok(Report::of(restart, restarts, &calls, &under_way))
    }

    /// What dockerd said of its plugin, for a failure's sake.
    pub fn dockerd_log(&self) -> String {
        let lines = self.dockerd.log().since(crate::log::Log::START);
        lines.iter().filter(|line| line.contains("plugin")).fold(String::new(), |mut text, line| {
            let _ = writeln!(text, "{line}");
            text
        })
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        for caller in self.callers.drain(..) {
            let _ = caller.join();
        }
    }
}

// === impl Shared ===

impl Shared {
    fn locked(&self) -> std::sync::MutexGuard<'_, Vec<Call>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn repeat(&self, caller: usize, mut round: impl FnMut(u64)) {
        let mut number = 0;
        while !self.is_over.load(Ordering::Relaxed) {
            number += 1;
            round(number);
            if let Some(rounds) = self.rounds.get(caller) {
                rounds.store(number, Ordering::Relaxed);
            }
        }
    }

    /// Waits until each caller has done so many rounds more, the one that is under way among them.
    fn await_rounds(&self, more: u64) -> Result<()> {
        let now = || self.rounds.iter().map(|rounds| rounds.load(Ordering::Relaxed));
        let before: Vec<u64> = now().collect();
        let is_done = || now().zip(&before).all(|(now, before)| now >= before + more).then_some(());
        wait::until("a round of every caller", wait::DEADLINE * 2, is_done)
    }

    /// Notes a call, and gives what it gave.
    fn note<T>(&self, is_http: bool, call: impl FnOnce() -> (Option<T>, Option<Wrong>)) -> Option<T> {
        let began = Instant::now();
        let (given, wrong) = call();
        self.locked().push(Call { began, ended: Instant::now(), is_http, wrong });
        given
    }

    fn commands(&self, docker: &Docker, caller: usize, round: u64) {
        let name = format!("restarted-{caller}-{round}");
        let large = format!("text={}", "x".repeat(20_000));
        let good: [&[&str]; 4] = [
            &["ps", "--all", "--quiet"],
            &["create", "--name", &name, "--label", &large, "alpine", "true"],
            &["rm", &name],
            &["volume", "ls"],
        ];
        for arguments in good {
            self.note(false, || (Some(()), denied(arguments, docker.run(arguments))));
        }
        let bad = ["create", "--security-opt", "seccomp=unconfined", "alpine", "true"];
        self.note(false, || {
            (Some(()), allowed(docker.run(&bad).is_ok_and(|done| done.status.success()), "docker create"))
        });
    }

    fn connections(&self, socket: &Path) {
        self.expect(socket, "GET", "/containers/json", &json!(null), 200);
        let create = json!({ "Image": "alpine", "Labels": { "text": "x".repeat(20_000) } });
        if let Some(created) = self.expect(socket, "POST", "/containers/create", &create, 201) {
            let id = created.get("Id").and_then(Value::as_str).unwrap_or_default();
            self.expect(socket, "GET", &format!("/containers/{id}/json"), &json!(null), 200);
            self.expect(socket, "DELETE", &format!("/containers/{id}"), &json!(null), 204);
        }
        let bad = json!({ "Image": "alpine", "HostConfig": { "SecurityOpt": ["seccomp=unconfined"] } });
        self.note(true, || {
            let answer = http::send(socket, &call("POST", "/containers/create", &bad));
            (Some(()), allowed(answer.is_ok_and(|answer| answer.status < 400), "POST /containers/create"))
        });
    }

    /// A call that must be answered with this status.
    fn expect(&self, socket: &Path, method: &str, path: &str, body: &Value, status: u16) -> Option<Value> {
        self.note(true, || match http::send(socket, &call(method, path, body)) {
            Ok(answer) if answer.status == status => (Some(answer.json().unwrap_or_default()), None),
            Ok(answer) => (None, Some(Wrong::Denied(format!("{method} {path}: {} {}", answer.status, answer.text())))),
            Err(error) => (None, Some(Wrong::Denied(format!("{method} {path}: {error}")))),
        })
    }
}

fn call(method: &str, path: &str, body: &Value) -> Vec<u8> {
    let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    http::request(method, &format!("/v1.41{path}"), &[("Content-Type", "application/json")], &body)
}

fn denied(arguments: &[&str], done: Result<crate::command::Finished>) -> Option<Wrong> {
    let command = arguments.first().unwrap_or(&"");
    match done {
        Ok(done) if done.status.success() => None,
        Ok(done) => Some(Wrong::Denied(format!("docker {command}: {}", done.stderr.trim()))),
        Err(error) => Some(Wrong::Denied(format!("docker {command}: {error}"))),
    }
}

fn allowed(is_allowed: bool, what: &str) -> Option<Wrong> {
    is_allowed.then(|| Wrong::Allowed(format!("{what} without seccomp")))
}

// === impl Report ===

impl Report {
    fn of(restart: Restart, restarts: u64, calls: &[Call], under_way: &[(Instant, Instant)]) -> Self {
        let is_restarted =
            |call: &Call| under_way.iter().any(|(began, ended)| call.began <= *ended && call.ended >= *began);
        let wrong =
            |pick: fn(&Wrong) -> Option<String>| calls.iter().filter_map(move |call| pick(call.wrong.as_ref()?));
        let took = |call: &Call| call.ended - call.began;
        Self {
            restart,
            restarts,
            calls: calls.len() as u64,
            wrongly_denied: wrong(|wrong| match wrong {
                Wrong::Denied(what) => Some(what.clone()),
                Wrong::Allowed(_) => None,
            })
            .collect(),
            wrongly_allowed: wrong(|wrong| match wrong {
                Wrong::Allowed(what) => Some(what.clone()),
                Wrong::Denied(_) => None,
            })
            .collect(),
            all_ms: Delays::of(calls.iter().filter(|call| call.is_http).map(took)),
            restarted_ms: Delays::of(calls.iter().filter(|call| call.is_http && is_restarted(call)).map(took)),
        }
    }

    /// Nobody was allowed wrongly; nobody was denied wrongly, but by a kill.
    pub fn is_good(&self) -> bool {
        self.wrongly_allowed.is_empty() && (self.wrongly_denied.is_empty() || self.restart == Restart::Kill)
    }

    /// For people.
    pub fn print(&self) {
        let Self { restart, restarts, calls, wrongly_denied, wrongly_allowed, all_ms, restarted_ms } = self;
        println!(
            "{restart:?}: {restarts} restarts, {calls} calls, {} wrongly denied, {} wrongly allowed",
            wrongly_denied.len(),
            wrongly_allowed.len()
        );
        for (what, Delays { calls, p50, p99, longest }) in [("all", all_ms), ("during a restart", restarted_ms)] {
            println!(
                "  {what:<17} {calls:>6} by HTTP: p50 {p50:>7.1} ms, p99 {p99:>7.1} ms, longest {longest:>7.1} ms"
            );
        }
        let shown = 10;
        wrongly_denied.iter().chain(wrongly_allowed).take(shown).for_each(|wrong| println!("  {wrong}"));
    }
}

// === impl Delays ===

impl Delays {
    fn of(times: impl Iterator<Item = Duration>) -> Self {
        let times: Vec<Duration> = times.collect();
        let calls = times.len();
        let times: Times = times.into_iter().collect();
        let (p50, p99, longest) = (times.quantile(500), times.quantile(990), times.longest());
        Self { calls, p50: millis(p50), p99: millis(p99), longest: millis(longest) }
    }
}
