//! Whether the host is ready: to whoever asks over HTTP or by command, and to a supervisor that waits for it.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::thread;

use portcullis_tests::caller::Caller;
use portcullis_tests::http::Answer;
use portcullis_tests::log::Log;
use portcullis_tests::portcullis::{self, Config, Portcullis};
use portcullis_tests::process::Process;
use portcullis_tests::{Error, Result, artifacts, http, wait};
use serde_json::{Value, json};

const BROKEN: &[u8] = b"broken";
const OBSERVE: &[u8] = b"mode = \"observe\"\n";
const KEEPS: &[u8] = b"grants = [\"state\"]\n";

fn io(error: std::io::Error) -> Error {
    Error::Unexpected(error.to_string())
}

fn asked(host: &Portcullis) -> Result<Answer> {
    http::send(&host.config().admin_socket(), &http::request("GET", "/v1/health/ready", &[], b""))
}

fn readiness(host: &Portcullis) -> Result<Value> {
    serde_json::from_slice(&asked(host)?.body).map_err(|error| Error::Unexpected(error.to_string()))
}

/// `WHAT of TENANT`, of each.
fn places(findings: &Value) -> Vec<String> {
    let text = |finding: &Value, name: &str| finding[name].as_str().unwrap_or("-").to_owned();
    let findings = findings.as_array().into_iter().flatten();
    findings
        .map(|finding| format!("{} {} of {}", text(finding, "what"), text(finding, "name"), text(finding, "tenant")))
        .collect()
}

#[test]
fn what_has_calls_denied_makes_a_host_not_ready_and_the_rest_is_a_warning() -> Result<()> {
    let plain = || Config::new()?.policy("allow-all");
    let cases = [
        ("sound", plain()?, vec![], vec![]),
        ("a broken policy", plain()?.file("policies/x.wasm", BROKEN)?, vec!["policy x of -"], vec![]),
        // It is not known what it would have said, so it counts.
        (
            "a broken policy that is observed",
            plain()?.file("policies/x.wasm", BROKEN)?.file("policies/x.toml", OBSERVE)?,
            vec!["policy x of -"],
            vec![],
        ),
        ("broken data", plain()?.file("data/x.json", b"{")?, vec!["data x of -"], vec![]),
        (
            "a tenant's broken policy",
            plain()?.tenant("ci", "[[match]]\nuser = \"alice\"\n")?.file("tenants/ci/policies/x.wasm", BROKEN)?,
            vec!["policy x of ci"],
            vec![],
        ),
        ("a tenant that cannot be told", plain()?.tenant("ci", "default = 3\n")?, vec!["tenant ci of ci"], vec![]),
        (
            "a broken file of the tenant that all others fall back to",
            plain()?.toml("default = \"allow\"").tenant("default", "default = 3\n")?,
            vec!["tenant default of default"],
            vec![],
        ),
        (
            "a broken policy of a tenant that is observed",
            plain()?
                .tenant("ci", "mode = \"observe\"\n[[match]]\nuser = \"alice\"\n")?
                .file("tenants/ci/policies/x.wasm", BROKEN)?,
            vec![],
            vec!["policy x of ci"],
        ),
        (
            "a listener without its tenant",
            plain()?.listener("other", "tenant = \"nobody\"\n"),
            vec!["listener other of -"],
            vec![],
        ),
    ];
    for (what, config, denying, warnings) in cases {
        let host = config.start()?;
        let (answer, told) = (asked(&host)?, readiness(&host)?);
        assert_eq!(places(&told["denying"]), denying, "{what}: {told:#}");
        assert_eq!(places(&told["warnings"]), warnings, "{what}: {told:#}");
        assert_eq!(answer.status, if denying.is_empty() { 200 } else { 503 }, "{what}: {told:#}");
        assert_eq!(told["is_ready"], json!(denying.is_empty()), "{what}");

        let socket = host.config().admin_socket().display().to_string();
        let ready = portcullis::run(&["ready", "--admin-socket", &socket])?;
        assert_eq!(ready.code(), Some(if denying.is_empty() { 0 } else { 1 }), "{what}: {ready:?}");
        let status = portcullis::run(&["status", "--admin-socket", &socket])?;
        assert_eq!(status.stdout.contains("not ready"), !denying.is_empty(), "{what}: {status:?}");
    }
    Ok(())
}

#[test]
fn a_last_good_version_that_stays_is_a_warning() -> Result<()> {
    let host = Config::new()?.policy("allow-all")?.start()?;
    host.config().put("policies/allow-all.wasm", BROKEN)?;
    let warned = wait::until("a warning", wait::DEADLINE, || {
        let told = readiness(&host).ok()?;
        (told["warnings"] != json!([])).then_some(told)
    });
    let told = warned?;
    assert_eq!(
        (&told["is_ready"], places(&told["warnings"])),
        (&json!(true), vec!["policy allow-all of -".to_owned()])
    );
    Ok(())
}

#[test]
fn a_store_that_is_lost_counts_where_a_policy_keeps_something() -> Result<()> {
    for keeps in [true, false] {
        let mut config = Config::new()?.policy("allow-all")?;
        if keeps {
            config = config.policy("say-hello")?.file("policies/say-hello.toml", KEEPS)?;
        }
        let mut host = config.start()?;
        let _ = Caller::named("alice").create(&host.socket(), "hello-world")?;
        let store = host.config().path().join("state/state.redb");
        host.crash_and_restart_after(|| fs::write(&store, b"damaged").map_err(io))?;
        let told = readiness(&host)?;
        assert_eq!(told["is_ready"], json!(!keeps), "{told:#}");
        let findings = if keeps { &told["denying"] } else { &told["warnings"] };
        assert_eq!(places(findings), ["state  of -"], "{told:#}");
    }
    Ok(())
}

#[test]
fn a_log_that_cannot_be_written_counts_where_nothing_is_allowed_without_it() -> Result<()> {
    for (on_full, denies) in [("deny", true), ("drop", false)] {
        let config = Config::new()?.policy("allow-all")?;
        let folder = config.path().join("logs");
        let file = folder.join("decisions.log");
        let toml = format!(
            "[decision_log]\nsinks = [\"file\"]\non_full = {on_full:?}\n[decision_log.file]\npath = {file:?}\n"
        );
        let host = config.toml(&toml).file("logs", b"no folder")?.start()?;
        let ask = || Caller::named("alice").create(&host.socket(), "hello-world").map(|reply| reply.allow);
        assert_eq!(ask()?, !denies, "{on_full}");
        let findings = if denies { "denying" } else { "warnings" };
        let told = wait::until("that it is told", wait::DEADLINE, || {
            readiness(&host).ok().filter(|told| told[findings] != json!([]))
        })?;
        assert_eq!((places(&told[findings]), &told["is_ready"]), (vec!["log file of -".to_owned()], &json!(!denies)));
        fs::remove_file(&folder).and_then(|()| fs::create_dir(&folder)).map_err(io)?;
        let is_well = || {
            let told = ask().and_then(|_| readiness(&host)).ok()?;
            (told["is_ready"] == json!(true) && told["warnings"] == json!([])).then_some(())
        };
        wait::until("that it is well again", wait::DEADLINE, is_well)?;
    }
    Ok(())
}

#[test]
fn a_command_waits_until_the_host_is_ready() -> Result<()> {
    let config = Config::new()?.policy("allow-all")?;
    let socket = config.admin_socket().display().to_string();
    let early = portcullis::run(&["ready", "--admin-socket", &socket])?;
    assert_eq!(early.code(), Some(1), "{early:?}");
    assert!(early.stderr.contains("is the host running?"), "{early:?}");
    let waiting = thread::spawn(move || portcullis::run(&["ready", "--wait", "50", "--admin-socket", &socket]));
    let _host = config.start()?;
    let waited = waiting.join().map_err(|_| Error::Unexpected("the waiting thread panicked".into()))??;
    assert_eq!((waited.code(), waited.stdout.as_str()), (Some(0), "ready\n"), "{waited:?}");
    Ok(())
}

#[test]
fn a_supervisor_is_told_when_the_host_listens_and_when_it_stops() -> Result<()> {
    let config = Config::new()?.policy("allow-all")?;
    let path = config.write()?;
    let address = path.join("notify");
    let supervisor = UnixDatagram::bind(&address).map_err(io)?;
    supervisor.set_read_timeout(Some(wait::DEADLINE)).map_err(io)?;
    let binary = artifacts::portcullis()?;
    let process = Process::start("portcullis", &binary.to_string_lossy(), |command| {
        command.arg("serve").arg("--config").arg(&path).env("NOTIFY_SOCKET", &address);
    })?;
    let next = || -> Result<String> {
        let mut told = [0; 64];
        let length = supervisor.recv(&mut told).map_err(io)?;
        Ok(String::from_utf8_lossy(&told[..length]).trim_end().to_owned())
    };
    assert_eq!([next()?, next()?], ["READY=1", "STATUS=serving"]);
    let live = http::send(&config.admin_socket(), &http::request("GET", "/v1/health/live", &[], b""))?;
    assert_eq!(live.status, 200);
    process.wait_for_line(Log::START, "that it is ready", |line| line.contains("\"ready\"").then_some(()))?;
    process.terminate(wait::DEADLINE)?;
    assert_eq!(next()?, "STOPPING=1");
    Ok(())
}
