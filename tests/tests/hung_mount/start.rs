//! A host whose own folder hangs when it starts says what it waits for, and does not wait for good.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use portcullis_tests::caller::Caller;
use portcullis_tests::hung_mount::{BoundFile, HungMount};
use portcullis_tests::log::Log;
use portcullis_tests::portcullis::Config;
use portcullis_tests::process::Process;
use portcullis_tests::{Error, Result, artifacts, wait};

use crate::stage::{Folders, admin};

/// What `failures.md` says, and some more for a busy machine.
const ENDS_WITHIN: Duration = Duration::from_secs(30 + 20);

/// What goes first lets go of what goes later.
struct Start {
    mount: HungMount,
    process: Process,
    supervisor: UnixDatagram,
    _folders: Folders,
    _config: Config,
}

// === impl Start ===

impl Start {
    /// Starts a host whose whole folder is on a mount that hangs.
    fn hanging() -> Result<Self> {
        let folders = Folders::new()?;
        let config = Config::new()?.policy("allow-all")?;
        let written = config.write()?;
        let source = folders.path("source");
        fs::copy(written.join("portcullis.toml"), source.join("portcullis.toml")).map_err(io)?;
        fs::create_dir(source.join("policies")).map_err(io)?;
        let policy = "policies/allow-all.wasm";
        fs::copy(written.join(policy), source.join(policy)).map_err(io)?;
        let mount = folders.mount()?;
        mount.hang()?;
        let address = folders.path("notify");
        let supervisor = UnixDatagram::bind(&address).map_err(io)?;
        supervisor.set_read_timeout(Some(wait::DEADLINE)).map_err(io)?;
        let binary = artifacts::portcullis()?;
        let process = Process::start("portcullis", &binary.to_string_lossy(), |command| {
            command.arg("serve").arg("--config").arg(folders.path("hung")).env("NOTIFY_SOCKET", &address);
        })?;
        let start = Self { mount, process, supervisor, _folders: folders, _config: config };
        start.says("the start waits for the configuration in ")?;
        let status = start.next()?;
        assert!(status.starts_with("STATUS=starting: waits for the configuration in "), "{status}");
        Ok(start)
    }

    fn says(&self, what: &str) -> Result<()> {
        self.process.wait_for_line(Log::START, what, |line| line.contains(what).then_some(()))
    }

    /// What the supervisor is told next.
    fn next(&self) -> Result<String> {
        let mut told = [0; 512];
        let length = self.supervisor.recv(&mut told).map_err(io)?;
        Ok(String::from_utf8_lossy(told.get(..length).unwrap_or_default()).trim_end().to_owned())
    }
}

fn io(error: std::io::Error) -> Error {
    Error::Unexpected(error.to_string())
}

#[test]
fn a_start_whose_folder_hangs_ends_with_an_error() -> Result<()> {
    let start = Start::hanging()?;
    let status = start.process.wait_for_end(ENDS_WITHIN)?;
    assert_eq!(status.code(), Some(1), "{}", start.process.log().tail(20));
    start.says("could not be read within 30 s: a file system does not answer there")?;
    start.says("nothing was started")
}

#[test]
fn a_start_whose_folder_answers_again_goes_on() -> Result<()> {
    let start = Start::hanging()?;
    start.mount.wake()?;
    start.says("\"ready\"")?;
    while start.next()? != "READY=1" {}
    assert_eq!(start.next()?, "STATUS=serving");
    start.process.terminate(wait::DEADLINE).map(drop)
}

/// The folder answers, and whoever reads a file in it waits.
#[test]
fn a_policy_of_the_hosts_own_that_hangs_when_it_is_read_denies_everything_until_it_answers() -> Result<()> {
    let folders = Folders::new()?;
    let mount = HungMount::remembered(&folders.path("hung"), &folders.path("source"))?;
    let config = Config::new()?.policy("allow-all")?;
    let (own, file) = (config.path().join("policies/allow-all.wasm"), folders.path("hung/allow-all.wasm"));
    fs::copy(&own, &file).map_err(io)?;
    let bound = BoundFile::over(&own, &file)?;
    mount.hang()?;
    let host = config.start()?;
    // It goes before the folder in which it lies.
    let _bound = bound;
    let socket = host.config().socket();
    let reply = Caller::anybody().list(&socket)?;
    assert!(!reply.allow, "{reply:?}");
    let found = admin(&host, "GET", "/v1/status", b"")?.to_string();
    assert!(found.contains("its file system does not answer"), "{found}");
    mount.wake()?;
    let is_read = || Caller::anybody().list(&socket).is_ok_and(|reply| reply.allow).then_some(());
    wait::until("it is read", wait::DEADLINE, is_read)
}
