//! Policies, data and a log on a file system that does not answer.

use std::{fs, thread};

use portcullis_tests::caller::Caller;
use portcullis_tests::hung_mount::{BoundFile, HungMount};
use portcullis_tests::plugin::Reply;
use portcullis_tests::portcullis::{Config, Portcullis};
use portcullis_tests::{Error, Result, artifacts, http, wait};
use serde_json::Value;

use crate::stage::{Folders, admin};

/// What goes first lets go of what goes later.
struct Stage {
    mount: HungMount,
    host: Portcullis,
    _folders: Folders,
}

// === impl Stage ===

impl Stage {
    /// Two tenants that allow everything; `below` of the configuration lies on the mount. `hangs` says whether it does so when the host
    /// starts.
    fn set(below: &str, toml: &str, hangs: bool) -> Result<Self> {
        let folders = Folders::new()?;
        let mut config = Config::new()?.toml(toml);
        for tenant in ["a", "b"] {
            let listener = format!("tenant = {tenant:?}\n");
            config = config.listener(tenant, &listener).tenant(tenant, "")?.tenant_policy(tenant, "allow-all")?;
        }
        let (at, source) = (config.path().join(below), folders.path("source"));
        fs::create_dir_all(&at).map_err(io)?;
        fs::remove_dir(&source).map_err(io)?;
        fs::rename(&at, &source).map_err(io)?;
        fs::create_dir(&at).map_err(io)?;
        let mount = HungMount::over(&at, &source)?;
        if hangs {
            mount.hang()?;
        }
        let host = thread::scope(|scope| {
            let starting = scope.spawn(move || config.start());
            let started = wait::until("the start", wait::DEADLINE / 2, || starting.is_finished().then_some(()));
            if started.is_err() {
                // So that the test ends: the folder is removed with the configuration.
                mount.wake()?;
            }
            let host = starting.join().unwrap_or_else(|_| Err(Error::Unexpected("starting panicked".into())));
            started.and(host)
        })?;
        let stage = Self { mount, host, _folders: folders };
        if !hangs {
            assert!(stage.ask("a")?.allow && stage.ask("b")?.allow);
            stage.mount.hang()?;
        }
        Ok(stage)
    }

    fn ask(&self, tenant: &str) -> Result<Reply> {
        Caller::anybody().list(&self.host.config().socket_of(tenant))
    }

    fn ready(&self) -> Result<Value> {
        // It says 503 where the host is not.
        let request = http::request("GET", "/v1/health/ready", &[], b"");
        http::send(&self.host.config().admin_socket(), &request)?.json()
    }

    /// Waits until the operator is told that this does not answer, or no longer.
    fn until_told(&self, tenant: Option<&str>, what: &str, is_told: bool) -> Result<()> {
        let told = || {
            let ready = self.ready().ok()?;
            let all = ["denying", "warnings"].into_iter().filter_map(|list| ready[list].as_array()).flatten();
            let names_it = |finding: &&Value| {
                finding["tenant"].as_str() == tenant
                    && finding["what"] == what
                    && finding["problem"].as_str().is_some_and(|problem| problem.contains("does not answer"))
            };
            (all.filter(names_it).count() > 0).eq(&is_told).then_some(())
        };
        wait::until(&format!("`{what}` told: {is_told}"), wait::DEADLINE, told)
    }

    /// The admin API answers, and activates what is elsewhere.
    fn others_are_served(&self) -> Result<()> {
        for _ in 0..20 {
            let reply = self.ask("b")?;
            assert!(reply.allow, "{reply:?}");
        }
        admin(&self.host, "GET", "/v1/status", b"")?;
        let wasm = artifacts::policy_bytes("deny-all")?;
        admin(&self.host, "PUT", "/v1/tenants/b/policies/other", &wasm)?;
        assert!(!self.ask("b")?.allow, "what is put is active");
        Ok(())
    }
}

fn io(error: std::io::Error) -> Error {
    Error::Unexpected(error.to_string())
}

#[test]
fn a_tenants_folder_that_hangs_leaves_what_is_loaded_and_all_others() -> Result<()> {
    for below in ["tenants/a/policies", "tenants/a/data"] {
        let stage = Stage::set(below, "", false)?;
        stage.until_told(Some("a"), "folder", true)?;
        assert!(stage.ask("a")?.allow, "what was loaded stays");
        stage.others_are_served()?;
        stage.mount.wake()?;
        stage.until_told(Some("a"), "folder", false)?;
    }
    Ok(())
}

#[test]
fn a_tenants_folder_that_hangs_at_the_start_denies_only_its_calls() -> Result<()> {
    let stage = Stage::set("tenants/a/policies", "", true)?;
    stage.until_told(Some("a"), "folder", true)?;
    let reply = stage.ask("a")?;
    assert!(!reply.allow, "{reply:?}");
    stage.others_are_served()?;
    stage.mount.wake()?;
    wait::until("it is read", wait::DEADLINE, || stage.ask("a").is_ok_and(|reply| reply.allow).then_some(()))
}

#[test]
fn the_hosts_own_folder_that_hangs_leaves_what_is_loaded() -> Result<()> {
    for below in ["policies", "data"] {
        let stage = Stage::set(below, "", false)?;
        stage.until_told(None, "folder", true)?;
        assert!(stage.ask("a")?.allow, "what was loaded stays");
        stage.others_are_served()?;
    }
    Ok(())
}

#[test]
fn the_hosts_own_folder_that_hangs_at_the_start_denies_everything_until_it_answers() -> Result<()> {
    let stage = Stage::set("policies", "", true)?;
    stage.until_told(None, "folder", true)?;
    let reply = stage.ask("b")?;
    assert!(!reply.allow, "{reply:?}");
    admin(&stage.host, "GET", "/v1/status", b"")?;
    stage.mount.wake()?;
    wait::until("it is read", wait::DEADLINE, || stage.ask("b").is_ok_and(|reply| reply.allow).then_some(()))
}

/// The folder answers, and its `tenant.toml` says how large it is; whoever reads it waits.
#[test]
fn a_file_that_hangs_when_it_is_read_keeps_no_other_folder_from_being_read() -> Result<()> {
    let folders = Folders::new()?;
    let mount = HungMount::remembered(&folders.path("hung"), &folders.path("source"))?;
    let mut config = Config::new()?;
    for tenant in ["a", "b"] {
        let listener = format!("tenant = {tenant:?}\n");
        config = config.listener(tenant, &listener).tenant(tenant, "")?.tenant_policy(tenant, "allow-all")?;
    }
    let (file, own) = (folders.path("hung/tenant.toml"), config.path().join("tenants/a/tenant.toml"));
    fs::write(&file, "").map_err(io)?;
    let bound = BoundFile::over(&own, &file)?;
    let stage = Stage { mount, host: config.start()?, _folders: folders };
    // It goes before the folder in which it lies.
    let _bound = bound;
    assert!(stage.ask("a")?.allow && stage.ask("b")?.allow);
    // What is wrong is read again at each reload.
    fs::write(&file, "nonsense = 1\n").map_err(io)?;
    let is_told = || stage.ready().is_ok_and(|ready| ready.to_string().contains("nonsense")).then_some(());
    wait::until("the mistake is told", wait::DEADLINE, is_told)?;
    stage.mount.hang()?;
    thread::scope(|scope| {
        // It comes back when all is read.
        let reload = scope.spawn(|| admin(&stage.host, "POST", "/v1/reload", b""));
        stage.until_told(Some("a"), "folder", true)?;
        stage.others_are_served()?;
        assert!(stage.ask("a")?.allow, "what was loaded stays");
        stage.mount.wake()?;
        stage.until_told(Some("a"), "folder", false)?;
        drop(reload.join());
        Ok(())
    })
}

#[test]
fn a_log_that_hangs_is_told_and_calls_are_decided() -> Result<()> {
    let stage = {
        let folders = Folders::new()?;
        let log = folders.path("hung/decisions.log");
        let toml = format!("[decision_log]\nsinks = [\"file\"]\n[decision_log.file]\npath = {log:?}\n");
        let mount = folders.mount()?;
        let config = Config::new()?.toml(&toml).listener("b", "tenant = \"b\"\n").tenant("b", "")?;
        let host = config.tenant_policy("b", "allow-all")?.start()?;
        Stage { mount, host, _folders: folders }
    };
    assert!(stage.ask("b")?.allow);
    stage.mount.hang()?;
    // Something is written, and does not come to its end.
    assert!(stage.ask("b")?.allow);
    stage.until_told(None, "log", true)?;
    stage.others_are_served()?;
    stage.mount.wake()?;
    stage.until_told(None, "log", false)
}
