//! Many folders that hang at once: each has a thread, and nobody else waits for them.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use portcullis_tests::caller::Caller;
use portcullis_tests::hung_mount::{BoundFile, HungMount};
use portcullis_tests::portcullis::{Config, Portcullis};
use portcullis_tests::{Error, Result, artifacts, http, wait};

use crate::stage::{Folders, admin};

/// More than are read at once.
const TENANTS: usize = 80;
/// Long before reading a folder counts as slow: that is a minute.
const SOON: Duration = Duration::from_secs(20);

/// What of each tenant's folder hangs, and what the threads are called that wait for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hangs {
    /// Before it is read, when it is asked whether it answers.
    Folder,
    /// When a file in it is read.
    File,
}

/// What goes first lets go of what goes later.
struct Crowd {
    mount: HungMount,
    _bound: Vec<BoundFile>,
    host: Portcullis,
    _folders: Folders,
}

// === impl Crowd ===

impl Crowd {
    /// One tenant that is well, and many whose policy is on the mount. It is no policy: it is read again at each reload.
    fn set(hangs: Hangs, is_at_start: bool) -> Result<Self> {
        let folders = Folders::new()?;
        let (at, source) = (folders.path("hung"), folders.path("source"));
        let mount = match hangs {
            Hangs::Folder => HungMount::over(&at, &source)?,
            Hangs::File => HungMount::remembered(&at, &source)?,
        };
        write(&at.join("p.wasm"), b"not a policy")?;
        let mut config = Config::new()?.listener("fine", "tenant = \"fine\"\n");
        config = config.tenant("fine", "")?.tenant_policy("fine", "allow-all")?;
        let mut bound = Vec::new();
        for number in 0..TENANTS {
            let name = format!("hung{number}");
            config = config.tenant(&name, &format!("[[match]]\nuser = {name:?}\n"))?;
            let policies = config.path().join("tenants").join(&name).join("policies");
            bound.push(match hangs {
                Hangs::Folder => BoundFile::over(&policies, &at)?,
                Hangs::File => {
                    write(&policies.join("p.wasm"), b"")?;
                    BoundFile::over(&policies.join("p.wasm"), &at.join("p.wasm"))?
                }
            });
        }
        if is_at_start {
            mount.hang()?;
        }
        let host = config.start()?;
        if !is_at_start {
            mount.hang()?;
        }
        Ok(Self { mount, _bound: bound, host, _folders: folders })
    }

    fn asks(&self) -> Result<bool> {
        Ok(Caller::anybody().list(&self.host.config().socket_of("fine"))?.allow)
    }

    /// Has everything read again; nobody waits for what hangs.
    fn reload(&self) -> Result<()> {
        let started = Instant::now();
        let request = http::request("POST", "/v1/reload", &[], b"");
        http::send(&self.host.config().admin_socket(), &request)?;
        assert!(started.elapsed() < SOON, "a reload took {:?}", started.elapsed());
        Ok(())
    }

    /// What is put is active soon.
    fn others_are_read(&self) -> Result<()> {
        for (policy, allows) in [("deny-all", false), ("allow-all", true)] {
            let started = Instant::now();
            admin(&self.host, "PUT", "/v1/tenants/fine/policies/allow-all", &artifacts::policy_bytes(policy)?)?;
            assert_eq!(self.asks()?, allows, "{policy} is active");
            assert!(started.elapsed() < SOON, "it took {:?}", started.elapsed());
        }
        Ok(())
    }

    /// Threads that wait for folders.
    fn waiting(&self) -> usize {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.host.process().id())).into_iter().flatten().flatten();
        let names = tasks.filter_map(|task| fs::read_to_string(task.path().join("comm")).ok());
        names.filter(|name| name.starts_with("hung") || name.trim_end() == "probe").count()
    }

    fn until_told(&self, is_told: bool) -> Result<()> {
        let told = || {
            let request = http::request("GET", "/v1/health/ready", &[], b"");
            let ready = http::send(&self.host.config().admin_socket(), &request).ok()?.json().ok()?;
            let all = ["denying", "warnings"].into_iter().filter_map(|list| ready[list].as_array()).flatten();
            let silent = |finding: &&serde_json::Value| {
                finding["what"] == "folder" && finding["problem"].to_string().contains("does not answer")
            };
            let count = all.filter(silent).count();
            (count == if is_told { TENANTS } else { 0 }).then_some(())
        };
        wait::until(&format!("all that hang told: {is_told}"), wait::DEADLINE, told)
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).map_err(|error| Error::Unexpected(error.to_string()))
}

fn others_do_not_wait(hangs: Hangs, is_at_start: bool) -> Result<()> {
    let crowd = Crowd::set(hangs, is_at_start)?;
    assert!(crowd.asks()?);
    for _ in 0..3 {
        crowd.reload()?;
        crowd.others_are_read()?;
    }
    crowd.until_told(true)?;
    crowd.others_are_read()?;
    let waiting = crowd.waiting();
    assert!((1..=TENANTS).contains(&waiting), "{waiting} threads wait for {TENANTS} folders");
    crowd.mount.wake()?;
    crowd.until_told(false)
}

#[test]
fn folders_that_hang_keep_no_other_one_from_being_read() -> Result<()> {
    others_do_not_wait(Hangs::Folder, false)
}

#[test]
fn folders_whose_files_hang_keep_no_other_one_from_being_read() -> Result<()> {
    others_do_not_wait(Hangs::File, false)
}

#[test]
fn folders_that_hang_at_the_start_keep_no_other_one_from_being_read() -> Result<()> {
    others_do_not_wait(Hangs::Folder, true)?;
    others_do_not_wait(Hangs::File, true)
}
