//! What is counted: every metric is moved by something that happens, the book has all of them, and no label has a value
//! that a caller chose.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use portcullis_tests::caller::Caller;
use portcullis_tests::collector::Collector;
use portcullis_tests::http::{self, Connection};
use portcullis_tests::portcullis::{Config, Portcullis};
use portcullis_tests::scrape::Scrape;
use portcullis_tests::{Error, Result, artifacts, guests, plugin, wait};

/// What is the same from the start on.
const CONSTANT: [&str; 4] =
    ["portcullis_build_info", "portcullis_instances_limit", "process_max_fds", "process_start_time_seconds"];
/// What another test moves (`trouble.rs` the certificates, `hung_mount` the lookups), and what the runtime moves when it likes.
const ELSEWHERE: [&str; 4] = [
    "portcullis_certificate_end_seconds",
    "portcullis_log_lines_dropped",
    "portcullis_stuck_lookups",
    "process_threads",
];
const CALL: &[u8] = br#"{"RequestMethod":"GET","RequestUri":"/v1.41/containers/json","User":"alice"}"#;
const TENANT: &str = "grants = [\"log\"]\n[[match]]\nuser = \"alice\"\n[limits]\ndecisions = 1\nqueue = 1\nqueue_wait = \"10m\"\ndeadline = \"3s\"\n";

fn scrape(host: &Portcullis) -> Result<Scrape> {
    Scrape::of(&host.config().admin_socket())
}

/// The families whose samples differ.
fn moved(before: &Scrape, after: &Scrape) -> BTreeSet<String> {
    let differs = |name: &&String| before.families.get(*name) != after.families.get(*name);
    after.families.keys().filter(differs).cloned().collect()
}

/// Scrapes until it holds.
fn until(host: &Portcullis, what: &str, holds: impl Fn(&Scrape) -> bool) -> Result<Scrape> {
    wait::until(what, wait::DEADLINE, || scrape(host).ok().filter(&holds))
}

fn send(host: &Portcullis, method: &str, path: &str, body: &[u8]) -> Result<u16> {
    Ok(http::send(&host.config().admin_socket(), &http::request(method, path, &[], body))?.status)
}

#[test]
fn every_metric_is_moved_by_something_that_happens() -> Result<()> {
    let collector = Collector::start()?;
    // Two calls wait for each other and for a busy machine: no time may be over but the policy's own.
    let limits = "[limits]\ndecision_timeout = \"10m\"\n";
    let traces = format!("{limits}[traces]\nendpoint = \"{}\"\nsample = 1", collector.url("/v1/traces"));
    let config = Config::new()?.toml(&traces).policy("allow-all")?.tenant("ci", TENANT)?;
    // A damaged store is the operator's to give up.
    std::fs::create_dir_all(config.path().join("state")).map_err(|error| Error::Unexpected(error.to_string()))?;
    let host = config.file("state/state.redb", b"damaged")?.start()?;
    let first = scrape(&host)?;
    let mut found = BTreeSet::new();
    let mut note = |after: Scrape| found.extend(moved(&first, &after));

    assert_eq!(first.sum("portcullis_state_available", &[]), 0.0);
    assert_eq!(first.sum("portcullis_ready", &[]), 1.0, "no policy needs the store");
    assert_eq!(send(&host, "POST", "/v1/state/reset", b"")?, 200);
    note(until(&host, "the store's return", |scrape| scrape.sum("portcullis_state_available", &[]) > 0.0)?);

    // State, lines of policies, and denials that do not count.
    let config = host.config();
    config.put("policies/say-hello.toml", b"grants = [\"state\"]\nmode = \"observe\"\n")?;
    host.drop_in("say-hello")?;
    config.put("tenants/ci/policies/flood.toml", b"grants = [\"log\"]\n")?;
    config.put("tenants/ci/policies/flood.wasm", &guests::wasm("flood_log")?)?;
    host.drop_data("users", r#"{"alice": "admin"}"#)?;
    until(&host, "the tenant's policy", |scrape| scrape.sum("portcullis_policies", &[("tenant", "ci")]) > 0.0)?;
    assert!(plugin::ask(&host.socket(), CALL)?.allow);
    assert!(Caller::named("alice").create(&host.socket(), "hello-world")?.allow);
    let after = scrape(&host)?;
    assert_eq!(after.sum("portcullis_would_deny_total", &[("tenant", "ci")]), 1.0);
    assert!(after.sum("portcullis_policy_log_lines_dropped_total", &[("tenant", "ci")]) > 1000.0);
    assert!(after.sum("portcullis_state_bytes", &[("tenant", "ci")]) > 0.0);
    note(after);

    // One that runs for long, one that waits for its place, and one too many.
    config.put("tenants/ci/policies/spin.wasm", &guests::wasm("spin")?)?;
    until(&host, "the policy that spins", |scrape| {
        scrape.sum("portcullis_policies", &[("tenant", "ci"), ("status", "loaded")]) > 1.0
    })?;
    let socket = host.socket();
    let asked = [socket.clone(), socket].map(|socket| std::thread::spawn(move || plugin::ask(&socket, CALL)));
    note(until(&host, "one that runs and one that waits", |scrape| {
        let is_there = |name| scrape.sum(name, &[("tenant", "ci")]) == 1.0;
        is_there("portcullis_decisions_in_flight")
            && is_there("portcullis_decisions_waiting")
            && scrape.sum("portcullis_long_runs", &[]) == 1.0
            && scrape.sum("portcullis_policy_memory_bytes", &[("tenant", "ci")]) > 0.0
    })?);
    let refused = plugin::ask(&host.socket(), CALL)?;
    assert!(refused.msg.contains("too many decisions are in flight"), "{refused:?}");
    for asked in asked {
        let reply = asked.join().map_err(|_| Error::Unexpected("a caller panicked".into()))??;
        assert!(!reply.allow, "{reply:?}");
    }

    // What cannot be loaded, and what cannot be read.
    config.put("tenants/ci/policies/broken.wasm", b"no policy")?;
    config.put_tenant("bad", "default = 3\n")?;
    until(&host, "the tenant that is no tenant", |scrape| {
        scrape.sum("portcullis_problems", &[("what", "tenant")]) > 0.0
    })?;
    config.put_tenant("good", "")?;
    until(&host, "one more tenant", |scrape| scrape.sum("portcullis_tenants", &[]) == 3.0)?;
    assert!(!plugin::ask(&host.socket(), b"{}")?.allow);
    assert_eq!(send(&host, "GET", "/v1/nothing", b"")?, 404);
    let last = until(&host, "the traces' arrival", |scrape| scrape.sum("portcullis_exported_total", &[]) > 0.0)?;
    let counted = |operation, cause| {
        last.sum("portcullis_decisions_total", &[("tenant", "ci"), ("operation", operation), ("cause", cause)])
    };
    assert_eq!(last.sum("portcullis_ready", &[]), 0.0, "a policy is broken and never was good");
    assert_eq!(counted("ContainerList", "allowed"), 1.0);
    assert_eq!(counted("ContainerCreate", "allowed"), 1.0);
    assert_eq!(counted("ContainerList", "fault"), 2.0);
    assert_eq!(counted("other", "overloaded"), 1.0, "a call that found no place was not read");
    assert_eq!(last.sum("portcullis_faults_total", &[("tenant", "ci"), ("kind", "deadline")]), 2.0);
    assert_eq!(last.sum("portcullis_swaps_total", &[("what", "policy"), ("result", "failed")]), 1.0);
    assert_eq!(last.sum("portcullis_swaps_total", &[("what", "tenant"), ("result", "failed")]), 1.0);
    assert_eq!(last.sum("portcullis_admin_requests_total", &[("route", "other"), ("status", "404")]), 1.0);
    assert_eq!(last.sum("portcullis_admin_requests_total", &[("route", "/v1/state/reset"), ("status", "200")]), 1.0);
    note(last.clone());

    let expected =
        last.families.keys().filter(|name| !CONSTANT.contains(&name.as_str()) && !ELSEWHERE.contains(&name.as_str()));
    let still: Vec<_> = expected.filter(|name| !found.contains(*name)).collect();
    assert!(still.is_empty(), "nothing moved {still:?}");
    for name in CONSTANT {
        assert!(last.families.contains_key(name) && !found.contains(name), "`{name}` is not constant");
    }
    Ok(())
}

#[test]
fn a_tenants_series_go_with_it() -> Result<()> {
    let host = Config::new()?.policy("allow-all")?.tenant("ci", TENANT)?.start()?;
    assert!(plugin::ask(&host.socket(), CALL)?.allow);
    let is_its = |scrape: &Scrape| {
        let mut series = scrape.families.values().flat_map(|family| family.samples.keys());
        series.any(|(_, labels)| labels.get("tenant").is_some_and(|tenant| tenant == "ci"))
    };
    assert!(is_its(&scrape(&host)?));
    let folder = host.config().path().join("tenants/ci");
    std::fs::remove_dir_all(&folder).map_err(|error| Error::Unexpected(error.to_string()))?;
    let after = until(&host, "the end of the tenant's series", |scrape| !is_its(scrape))?;
    assert_eq!(after.sum("portcullis_tenants", &[]), 1.0);
    Ok(())
}

/// Callers choose paths, users, headers and operations that are none: there is not one more series for any of it.
#[test]
fn no_label_has_a_value_that_a_caller_chose() -> Result<()> {
    let host = Config::new()?.policy("allow-all")?.start()?;
    let call = |number: u32| {
        let call = serde_json::json!({
            "RequestMethod": format!("M{number}"),
            "RequestUri": format!("/v1.{number}/x{number}/y?z={number}"),
            "User": format!("user-{number}"),
            "RequestHeaders": { format!("X-{number}"): "1" },
        });
        plugin::ask(&host.socket(), call.to_string().as_bytes())
    };
    let count = |scrape: &Scrape| scrape.families.values().map(|family| family.samples.len()).sum::<usize>();
    for number in 0..3 {
        assert!(!call(number)?.allow);
    }
    let before = count(&scrape(&host)?);
    for number in 3..200 {
        assert!(!call(number)?.allow);
    }
    for path in ["/v1/a", "/v1/b", "/v1/policies/a", "/v1/policies/b"] {
        send(&host, "GET", path, b"")?;
    }
    let after = scrape(&host)?;
    // The three routes and statuses of the calls just made.
    assert!(count(&after) <= before + 3, "{before} series became {}", count(&after));
    assert_eq!(after.sum("portcullis_decisions_total", &[("operation", "other")]), 200.0);
    Ok(())
}

#[test]
fn lines_that_nobody_reads_are_counted() -> Result<()> {
    let config = Config::new()?.policy("allow-all")?;
    let folder = config.write()?;
    let mut command = Command::new(artifacts::portcullis()?);
    command.arg("serve").arg("--config").arg(&folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let _host = Unread(command.spawn().map_err(|error| Error::Unexpected(error.to_string()))?);
    let admin = config.admin_socket();
    let first = wait::until("the host's start", wait::DEADLINE, || Scrape::of(&admin).ok())?;
    assert_eq!(first.sum("portcullis_log_lines_dropped_total", &[]), 0.0);
    let clients = (0..4).map(|_| config.socket()).map(|socket| std::thread::spawn(move || ask(&socket, 600)));
    for client in clients.collect::<Vec<_>>() {
        client.join().map_err(|_| Error::Unexpected("a caller panicked".into()))??;
    }
    let dropped = |scrape: &Scrape| scrape.sum("portcullis_log_lines_dropped_total", &[]) > 0.0;
    let after = wait::until("lost lines", wait::DEADLINE, || Scrape::of(&admin).ok().filter(dropped))?;
    assert_eq!(after.sum("portcullis_decisions_total", &[("cause", "allowed")]), 2_400.0);
    Ok(())
}

/// A host whose log nobody reads.
struct Unread(Child);

impl Drop for Unread {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Calls whose records are some kilobytes large: 32 MiB of them wait.
fn ask(socket: &Path, calls: u32) -> Result<()> {
    let mut connection = Connection::open(socket)?;
    // A label's value is logged as it is: what waits is as large as it.
    let body = serde_json::json!({ "Image": "x", "Labels": { "note": "x".repeat(40_000) } }).to_string();
    let caller = Caller::anybody().header("Content-Type", "application/json");
    let caller = caller.header("Content-Length", &body.len().to_string());
    let call = caller.call("POST", "/v1.44/containers/create", body.as_bytes());
    let call = plugin::call(plugin::REQUEST, &call);
    for _ in 0..calls {
        connection.write(&call)?;
        connection.read()?;
    }
    Ok(())
}

/// One call by TCP, to the connection's end.
fn by_tcp(address: &str, call: &str) -> Result<String> {
    let failed = |error: std::io::Error| Error::Unexpected(format!("{address}: {error}"));
    let mut stream = TcpStream::connect(address).map_err(failed)?;
    stream.set_read_timeout(Some(wait::DEADLINE)).map_err(failed)?;
    stream.write_all(call.as_bytes()).map_err(failed)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(failed)?;
    Ok(answer)
}

#[test]
fn by_tcp_there_are_metrics_and_nothing_else() -> Result<()> {
    let host = Config::new()?.toml("[metrics]\nlisten = \"127.0.0.1:0\"").policy("allow-all")?.start()?;
    let told =
        host.wait_for(portcullis_tests::log::Log::START, "where", |record| record.message() == "serving metrics")?;
    let address = told.text("address").to_owned();
    let call = |method: &str, path: &str| by_tcp(&address, &format!("{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n"));
    let page = call("GET", "/metrics")?;
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n"), "{page}");
    let body = page.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default();
    assert_eq!(
        Scrape::parse(body)?.families.keys().collect::<Vec<_>>(),
        scrape(&host)?.families.keys().collect::<Vec<_>>()
    );
    for (method, path, expected) in [
        ("HEAD", "/metrics", "HTTP/1.1 200 OK"),
        ("POST", "/metrics", "HTTP/1.1 405 "),
        ("GET", "/v1/status", "HTTP/1.1 404 "),
        ("PUT", "/v1/policies/x", "HTTP/1.1 404 "),
        ("GET", "/metrics/../v1/status", "HTTP/1.1 404 "),
    ] {
        let answer = call(method, path)?;
        assert!(answer.starts_with(expected), "{method} {path}: {answer}");
    }
    // Those who say nothing take all places, for five seconds at most; then it is others' turn.
    let silent: Vec<_> = (0..40).map(|_| TcpStream::connect(&address)).collect();
    assert!(silent.iter().all(std::result::Result::is_ok));
    assert!(call("GET", "/metrics")?.starts_with("HTTP/1.1 200 OK"));
    Ok(())
}

#[test]
fn an_address_that_is_none_or_is_taken_is_told() -> Result<()> {
    let mistake = Config::new()?.toml("[metrics]\nlisten = \"localhost\"");
    let folder = mistake.write()?.display().to_string();
    let refused = portcullis_tests::portcullis::run(&["serve", "--config", &folder])?;
    assert_eq!(refused.code(), Some(2), "{refused:?}");
    assert!(refused.stderr.contains("`[metrics] listen` is `localhost`"), "{refused:?}");
    assert!(refused.stderr.contains("such as \"127.0.0.1:9443\""), "{refused:?}");

    let taken = std::net::TcpListener::bind("127.0.0.1:0").and_then(|taken| Ok((taken.local_addr()?, taken)));
    let (address, taken) = taken.map_err(|error| Error::Unexpected(error.to_string()))?;
    let config = Config::new()?.toml(&format!("[metrics]\nlisten = \"{address}\""));
    let host = config.start()?;
    let told = format!("`{address}`, which `[metrics] listen` names, cannot be listened at");
    let folder = host.config().path().display().to_string();
    let ready = portcullis_tests::portcullis::run(&["ready", "--config", &folder])?;
    assert!(ready.code() == Some(0) && ready.stdout.contains(&told), "it guards all the same: {ready:?}");
    let mark = host.mark();
    drop(taken);
    host.wait_for(mark, "the metrics' listener", |record| record.message() == "serving metrics")?;
    Ok(())
}
