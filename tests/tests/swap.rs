//! Policies are swapped while clients ask without pause: no call fails, no decision mixes two generations, and each
//! change is soon active.

#![expect(clippy::indexing_slicing, reason = "the places are where they were just found")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use std::sync::Arc;

use portcullis_tests::http::Connection;
use portcullis_tests::plugin::{self, REQUEST, Reply};
use portcullis_tests::portcullis::{Config, Portcullis};
use portcullis_tests::{Error, Result, artifacts, wait};

const CALL: &[u8] = br#"{"RequestMethod":"GET","RequestUri":"/v1.41/containers/json"}"#;
const CLIENTS: usize = 8;
const SWAPS: u64 = 200;
/// What a host without the policy says.
const NOBODY: &str = "no policy allows this";

/// Clients that ask until they are stopped.
struct Load {
    stop: Arc<AtomicBool>,
    /// The newest version that any of them was answered with.
    newest: Arc<AtomicU64>,
    clients: Vec<JoinHandle<Result<u64>>>,
}

impl Load {
    fn start(socket: &Path) -> Self {
        let (stop, newest) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let clients = (0..CLIENTS).map(|_| {
            let (socket, stop, newest) = (socket.to_owned(), Arc::clone(&stop), Arc::clone(&newest));
            thread::spawn(move || ask_until(&socket, &stop, &newest))
        });
        Self { clients: clients.collect(), stop, newest }
    }

    /// How long it takes from now until somebody is answered with this version.
    fn wait_for(&self, version: u64) -> Result<Duration> {
        let start = Instant::now();
        let what = format!("an answer of version {version}");
        while self.newest.load(Ordering::SeqCst) < version {
            if start.elapsed() > wait::DEADLINE || self.clients.iter().all(JoinHandle::is_finished) {
                return Err(Error::TimedOut { what, after: wait::DEADLINE, log: String::new() });
            }
            thread::yield_now();
        }
        Ok(start.elapsed())
    }

    /// Stops them, and says how many answers they had.
    fn finish(self) -> Result<u64> {
        self.stop.store(true, Ordering::SeqCst);
        let answers = self.clients.into_iter().map(|client| match client.join() {
            Ok(answers) => answers,
            Err(_) => Err(Error::Unexpected("a client panicked".into())),
        });
        answers.sum()
    }
}

fn ask_until(socket: &Path, stop: &AtomicBool, newest: &AtomicU64) -> Result<u64> {
    let (mut connection, mut answers, mut seen) = (Connection::open(socket)?, 0, 0);
    let call = plugin::call(REQUEST, CALL);
    while !stop.load(Ordering::SeqCst) {
        connection.write(&call)?;
        let reply = Reply::read(&connection.read()?)?;
        if let Some(version) = version(&reply)? {
            assert!(version >= seen, "went back from version {seen} to {version}");
            seen = version;
            newest.fetch_max(version, Ordering::SeqCst);
        }
        answers += 1;
    }
    Ok(answers)
}

/// The one version of code, settings and data; none where there is no policy. Anything else is not an answer of one
/// generation.
fn version(reply: &Reply) -> Result<Option<u64>> {
    if reply.msg == NOBODY {
        return Ok(None);
    }
    let unexpected = || Error::Unexpected(format!("{reply:?}"));
    let words: Vec<_> = reply.msg.split(' ').collect();
    let ["answer:", "code", code, "settings", settings, "data", data] = words[..] else { return Err(unexpected()) };
    let code: u64 = code.parse().map_err(|_| unexpected())?;
    if reply.allow
        || [settings, data]
            .iter()
            .any(|part| part.parse().is_ok_and(|number: i64| number != code as i64 && number >= 0))
    {
        return Err(unexpected());
    }
    Ok(Some(code))
}

/// The guest with its number written into it.
fn guest(version: u64) -> Result<Vec<u8>> {
    let mut bytes = artifacts::policy_bytes("answer")?;
    let marker = b"code 0000000000";
    let at = bytes.windows(marker.len()).position(|window| window == marker);
    let at = at.ok_or_else(|| Error::Unexpected("the guest has lost its marker".into()))?;
    bytes[at..at + marker.len()].copy_from_slice(format!("code {version:010}").as_bytes());
    Ok(bytes)
}

/// Every way in which a file is replaced.
fn replace(portcullis: &Portcullis, version: u64) -> Result<()> {
    let path = portcullis.config().path().join("policies/answer.wasm");
    let bytes = guest(version)?;
    let io = |error: std::io::Error| Error::Unexpected(format!("`{}`: {error}", path.display()));
    match version % 5 {
        0 => portcullis.config().put("policies/answer.wasm", &bytes)?,
        1 => fs::write(&path, &bytes).map_err(io)?,
        2 => {
            fs::remove_file(&path).map_err(io)?;
            fs::write(&path, &bytes).map_err(io)?;
        }
        3 => {
            fs::write(&path, b"\0asm broken").map_err(io)?;
            portcullis.config().put("policies/answer.wasm", &bytes)?;
        }
        _ => {
            let target = portcullis.config().path().join(format!("policies/..{version}"));
            fs::write(&target, &bytes).map_err(io)?;
            let link = portcullis.config().path().join("policies/..link");
            symlink(&target, &link).map_err(io)?;
            fs::rename(&link, &path).map_err(io)?;
        }
    }
    Ok(())
}

#[test]
fn two_hundred_swaps_under_load_lose_no_call_and_are_soon_active() -> Result<()> {
    let portcullis = Config::new()?.file("policies/answer.wasm", &guest(1)?)?.start()?;
    warm_the_cache(&portcullis)?;
    let mark = portcullis.mark();
    let load = Load::start(&portcullis.socket());
    let swapped = swap_all(&portcullis, &load);
    let finished = load.finish();
    for record in
        portcullis.records(mark).iter().filter(|record| record.field("cause").is_some_and(|cause| cause == "fault"))
    {
        println!("{record:?}");
    }
    let (mut took, answers) = (swapped?, finished?);
    took.sort_unstable();
    let at = |percent: usize| took.get(took.len() * percent / 100).copied().unwrap_or_default();
    println!(
        "{SWAPS} swaps of a {} KB component under {CLIENTS} clients, from the write to an answer of the new policy: \
         p50 {:?}, p99 {:?}, longest {:?}; {answers} answers, none failed",
        guest(1)?.len() / 1000,
        at(50),
        at(99),
        took.last().copied().unwrap_or_default(),
    );
    Ok(())
}

/// How long each change took.
fn swap_all(portcullis: &Portcullis, load: &Load) -> Result<Vec<Duration>> {
    load.wait_for(1)?;
    let swap = |version| {
        replace(portcullis, version)?;
        load.wait_for(version)
    };
    (2..2 + SWAPS).map(swap).collect()
}

/// Compiles every version once, in a host of its own that shares the cache.
fn warm_the_cache(_: &Portcullis) -> Result<()> {
    let mut config = Config::new()?;
    for version in 2..2 + SWAPS {
        config = config.file(&format!("policies/v{version}.wasm"), &guest(version)?)?;
    }
    config.start().map(drop)
}

/// As Kubernetes mounts a ConfigMap: `policies` and `data` lead through `..data`, and one rename replaces both.
#[test]
fn what_is_replaced_by_one_symlink_comes_into_force_together() -> Result<()> {
    let config = Config::new()?;
    for folder in ["policies", "data"] {
        let path = config.path().join(folder);
        fs::remove_dir(&path).map_err(|error| Error::Unexpected(format!("`{}`: {error}", path.display())))?;
        link(Path::new("..data").join(folder), &path)?;
    }
    flip(config.path(), 1)?;
    let portcullis = config.start()?;
    let load = Load::start(&portcullis.socket());
    let flipped = flip_all(portcullis.config().path(), &load);
    load.finish()?;
    flipped
}

fn flip_all(dir: &Path, load: &Load) -> Result<()> {
    for version in 2..=40 {
        flip(dir, version)?;
        load.wait_for(version)?;
    }
    // And faster than the host can follow.
    (41..=80).try_for_each(|version| flip(dir, version))?;
    load.wait_for(80).map(drop)
}

fn flip(dir: &Path, version: u64) -> Result<()> {
    let next = dir.join(format!("..{version}"));
    let io = |error: std::io::Error| Error::Unexpected(format!("`{}`: {error}", next.display()));
    for folder in ["policies", "data"] {
        fs::create_dir_all(next.join(folder)).map_err(io)?;
    }
    fs::write(next.join("policies/answer.wasm"), guest(version)?).map_err(io)?;
    fs::write(next.join("policies/answer.toml"), format!("[settings]\nversion = {version}\n")).map_err(io)?;
    fs::write(next.join("data/version.json"), format!("{{\"number\": {version}}}")).map_err(io)?;
    let temporary = dir.join("..next");
    link(PathBuf::from(format!("..{version}")), &temporary)?;
    fs::rename(&temporary, dir.join("..data")).map_err(io)
}

fn link(target: PathBuf, path: &Path) -> Result<()> {
    symlink(&target, path).map_err(|error| Error::Unexpected(format!("`{}`: {error}", path.display())))
}
