//! SIGTERM ends a host, whatever hangs: who reads its log, a collector, a disk.

use std::fs::{self, OpenOptions};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use portcullis_tests::caller::Caller;
use portcullis_tests::command::Finished;
use portcullis_tests::http;
use portcullis_tests::portcullis::Config;
use portcullis_tests::process::Process;
use portcullis_tests::scratch::Scratch;
use portcullis_tests::{Error, Portcullis, Result, artifacts, wait};
use rustix::process::Signal;

const LIMITS: &str = "[limits]\nshutdown_grace = \"1s\"\n";

fn io(error: std::io::Error) -> Error {
    Error::Unexpected(error.to_string())
}

/// Sends SIGTERM, and says how the process ended. What hangs here hangs for as long as anybody waits.
fn end(process: &Process, note: &str) -> Result<Option<i32>> {
    let told = Instant::now();
    let status = process.terminate(wait::DEADLINE)?;
    println!("{note}: ended with {status} after {:?}, 1 s of it grace", told.elapsed());
    Ok(status.code())
}

/// More lines than a pipe holds.
fn fill(config: &Config) -> Result<()> {
    for _ in 0..400 {
        let reply = Caller::named(&"x".repeat(500)).list(&config.socket())?;
        assert!(reply.allow, "{reply:?}");
    }
    Ok(())
}

#[test]
fn a_host_ends_while_nobody_reads_what_it_writes() -> Result<()> {
    let sinks = ["stderr", "stdout"].map(|kind| (kind, format!("[decision_log]\nsinks = [\"{kind}\"]\n")));
    for (kind, sink) in sinks {
        let config = Config::new()?.policy("allow-all")?.toml(LIMITS).toml(&sink);
        let folder = config.write()?;
        let pipe = folder.join("unread");
        Finished::well(Command::new("mkfifo").arg(&pipe))?;
        // Held open, and never read.
        let _reader = OpenOptions::new().read(true).write(true).open(&pipe).map_err(io)?;
        let binary = artifacts::portcullis()?;
        let process = Process::start("portcullis", "sh", |command| {
            let number = if kind == "stderr" { "2" } else { "1" };
            command.args(["-c", &format!("exec \"$0\" serve --config \"$1\" {number}>\"$2\"")]);
            command.arg(binary).arg(&folder).arg(&pipe);
        })?;
        let ping = http::request("GET", "/", &[], b"");
        wait::until("the host's first answer", wait::DEADLINE, || http::send(&config.socket(), &ping).ok())?;
        fill(&config)?;
        let code = end(&process, &format!("{kind} is not read"))?;
        assert_eq!(code, Some(0));
        assert!(!config.socket().exists(), "{kind}: the socket's file");
    }
    Ok(())
}

#[test]
fn a_host_ends_while_a_collector_hangs() -> Result<()> {
    // It accepts in the kernel, and says nothing.
    let collector = TcpListener::bind("127.0.0.1:0").map_err(io)?;
    let address = collector.local_addr().map_err(io)?;
    let toml = format!(
        "{LIMITS}[traces]\nendpoint = \"http://{address}/v1/traces\"\nsample = 1\n\
         [decision_log]\nsinks = [\"otlp\"]\n[decision_log.otlp]\nendpoint = \"http://{address}/v1/logs\"\n"
    );
    let host = Config::new()?.policy("allow-all")?.toml(&toml).start()?;
    fill(host.config())?;
    let code = end(host.process(), "a collector hangs")?;
    assert_eq!(code, Some(0));
    Ok(())
}

#[test]
fn a_host_ends_while_a_call_and_an_operator_wait() -> Result<()> {
    let host = Config::new()?.policy("allow-all")?.toml(LIMITS).start()?;
    let mut half = http::Connection::open(&host.socket())?;
    half.write(b"POST /AuthZPlugin.AuthZReq HTTP/1.1\r\nContent-Length: 100\r\n\r\n{")?;
    let mut stream = http::Connection::open(&host.config().admin_socket())?;
    stream.write(&http::request("GET", "/v1/decisions?follow=true", &[], b""))?;
    assert_eq!(stream.read_status()?, 200);
    let mut put = http::Connection::open(&host.config().admin_socket())?;
    put.write(b"PUT /v1/policies/a HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nx")?;
    let code = end(host.process(), "a call is half written")?;
    assert_eq!(code, Some(0));
    Ok(())
}

/// A disk that hangs: a file system in user space whose process is stopped.
struct Hung {
    server: Process,
    folder: PathBuf,
    _scratch: Scratch,
}

impl Hung {
    fn new() -> Result<Self> {
        let scratch = Scratch::new()?;
        let (real, folder) = (scratch.folder("disk")?, scratch.folder("mounted")?);
        let server = Process::start("bindfs", "bindfs", |command| {
            command.arg("-f").arg(&real).arg(&folder);
        })?;
        let is_mounted =
            || fs::read_to_string("/proc/mounts").is_ok_and(|all| all.contains(&*folder.to_string_lossy()));
        wait::until("the mount", wait::DEADLINE, || is_mounted().then_some(()))?;
        Ok(Self { server, folder, _scratch: scratch })
    }
}

impl Drop for Hung {
    fn drop(&mut self) {
        let _ = self.server.signal(Signal::CONT);
        let _ = Finished::of(Command::new("umount").arg("--lazy").arg(&self.folder));
    }
}

fn on(disk: &Hung, file: &str) -> String {
    disk.folder.join(file).display().to_string()
}

#[test]
fn a_host_says_that_it_cannot_end_while_a_disk_hangs() -> Result<()> {
    let config = Config::new()?.policy("allow-all")?;
    let disk = Hung::new()?;
    let file = on(&disk, "decisions.log");
    let sink = format!("{LIMITS}[decision_log]\nsinks = [\"file\"]\n[decision_log.file]\npath = \"{file}\"\n");
    let host: Portcullis = config.toml(&sink).start()?;
    fill(host.config())?;
    disk.server.signal(Signal::STOP)?;
    fill(host.config())?;
    let mark = host.mark();
    let told = Instant::now();
    host.process().signal(Signal::TERM)?;
    host.wait_for(mark, "that it could not end", |record| record.message().contains("could not"))?;
    println!("a disk hangs: the process ends after {:?}", told.elapsed());
    // Files that are open there are closed by the kernel, which waits for the disk; if it is back at this very moment, all
    // can still end well.
    disk.server.signal(Signal::CONT)?;
    let code = host.process().wait_for_end(wait::DEADLINE)?.code();
    assert!(matches!(code, Some(0 | 1)), "{code:?}");
    Ok(())
}
