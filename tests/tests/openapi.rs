//! The document of the admin API: a real host answers as it says, to every operation.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use portcullis_tests::caller::Caller;
use portcullis_tests::command::Finished;
use portcullis_tests::openapi::Document;
use portcullis_tests::portcullis::{Config, Portcullis};
use portcullis_tests::proxy::Proxy;
use portcullis_tests::scratch::Scratch;
use portcullis_tests::{Error, Result, artifacts, http, wait};
use serde_json::json;

/// How a policy is sent.
const HOOKS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/schemathesis_hooks.py");
const SPACE: &str = "/v1/tenants/ci/state/host/say-hello";
const OBSERVED: &str = "mode = \"observe\"\n[[match]]\nuser = \"bob\"\n";
const TENANT: &str = "grants = [\"state\"]\n[[match]]\nuser = \"alice\"\n";

/// A call, and the status that it is to have.
struct Call {
    method: &'static str,
    target: String,
    headers: &'static [(&'static str, &'static str)],
    body: Vec<u8>,
    status: u16,
}

fn call(method: &'static str, target: impl Into<String>, status: u16) -> Call {
    Call { method, target: target.into(), headers: &[], body: Vec::new(), status }
}

/// A host with a tenant, of which something is kept.
fn host() -> Result<Portcullis> {
    let config = Config::new()?.policy("say-hello")?.file("policies/say-hello.toml", b"grants = [\"state\"]\n")?;
    let config = config.policy("allow-all")?.tenant("ci", TENANT)?.tenant_policy("ci", "allow-all")?;
    // What is broken and does not count has no call denied.
    let config = config.tenant("seen", OBSERVED)?.file("tenants/seen/policies/broken.wasm", b"broken")?;
    let host = config.start()?;
    assert!(Caller::named("alice").create(&host.socket(), "hello-world")?.allow);
    Ok(host)
}

/// The ID of the last decision, which an answer does not wait for.
fn last_decision(socket: &std::path::Path) -> Result<String> {
    let request = http::request("GET", "/v1/decisions?last=1&follow=false", &[], b"");
    wait::until("a decision in the log", wait::DEADLINE, || {
        let last = http::send(socket, &request).ok()?;
        last.text().lines().find_map(|line| line.strip_prefix("id: ").map(str::to_owned))
    })
}

/// In this order: what is put is there for what comes after it.
fn calls(decision: &str) -> Result<Vec<Call>> {
    let wasm = artifacts::policy_bytes("deny-all")?;
    let mut calls = of_host();
    calls.extend(of_policies("/v1/policies", &wasm));
    calls.extend(of_policies("/v1/tenants/ci/policies", &wasm));
    calls.extend(asking());
    calls.extend(of_data("/v1/data"));
    calls.extend(of_data("/v1/tenants/ci/data"));
    calls.extend(of_no_folder(wasm));
    calls.extend(of_decisions("/v1/decisions", decision));
    calls.extend(of_decisions("/v1/tenants/ci/decisions", decision));
    calls.extend(of_state());
    Ok(calls)
}

fn of_host() -> Vec<Call> {
    vec![
        call("GET", "/v1/openapi.json", 200),
        call("GET", "/v1/health/live", 200),
        call("GET", "/v1/health/ready", 200),
        call("GET", "/v1/version", 200),
        call("GET", "/metrics", 200),
        call("GET", "/v1/status", 200),
        call("GET", "/v1/tenants/ci/status", 200),
        call("GET", "/v1/tenants/nobody/status", 404),
        call("POST", "/v1/reload", 200),
        call("GET", "/v1/nothing", 404),
        call("PATCH", "/v1/status", 405),
        call("GET", "/v1/tenants/seen/policies/broken", 200),
        call("GET", "/v1/tenants/nobody/policies", 404),
        call("GET", "/v1/tenants/..%2fci/policies", 400),
    ]
}

fn of_policies(folder: &str, wasm: &[u8]) -> Vec<Call> {
    let of = |name: &str| format!("{folder}/{name}");
    let put =
        |name, headers, body: &[u8], status| Call { headers, body: body.to_vec(), ..call("PUT", of(name), status) };
    vec![
        call("GET", folder, 200),
        put("x", &[], wasm, 201),
        put("x", &[], wasm, 200),
        put("x", &[("if-none-match", "*")], wasm, 412),
        put("x", &[("if-none-match", "x")], wasm, 400),
        put("y", &[], b"no policy", 422),
        put("%2e.", &[], wasm, 400),
        call("GET", of("x"), 200),
        Call { headers: &[("accept", "application/wasm")], ..call("GET", of("x"), 200) },
        call("GET", of("y"), 404),
        call("GET", of("%ff"), 400),
        Call { headers: &[("if-match", "\"x\"")], ..call("DELETE", of("x"), 412) },
        call("GET", of("x/config"), 200),
        put("x/config", &[], br#"{"mode": "observe", "settings": {"a": 1}}"#, 201),
        put("x/config", &[], b"[]", 400),
        put("x/config", &[], br#"{"mod": 1}"#, 422),
        put("x/config", &[("if-match", "\"x\"")], b"{}", 412),
        call("GET", of("x/config?effective=true"), 200),
        Call { body: b"{}".into(), ..call("PATCH", of("x/config"), 200) },
        Call { headers: &[("content-type", "application/json-patch+json")], ..call("PATCH", of("x/config"), 415) },
        put("x/mode", &[], b"enforce", 200),
        put("x/settings", &[], br#"{"b": 2}"#, 200),
        call("GET", of("x/settings"), 200),
        call("DELETE", of("x/config"), 204),
        call("DELETE", of("x/config"), 404),
        call("DELETE", of("x"), 204),
        call("DELETE", of("x"), 404),
    ]
}

/// The default tenant is there without a folder.
fn of_no_folder(wasm: Vec<u8>) -> Vec<Call> {
    let headers = &[("content-type", "application/json")];
    vec![
        Call { body: wasm, ..call("PUT", "/v1/tenants/default/policies/x", 404) },
        Call { headers, body: b"{}".into(), ..call("PUT", "/v1/tenants/default/policies/x/config", 404) },
        Call { headers, body: b"{}".into(), ..call("PUT", "/v1/tenants/default/data/users", 404) },
    ]
}

fn asking() -> Vec<Call> {
    let ask = |target, body: &str, status| Call { body: body.into(), ..call("POST", target, status) };
    let look = r#"{"method": "GET", "path": "/containers/json", "user": "alice"}"#;
    vec![
        ask("/v1/decide?explain=true", look, 200),
        ask("/v1/decide", r#"{"method": "GET", "path": "/nothing"}"#, 200),
        ask("/v1/decide", r#"{"RequestMethod": "GET"}"#, 200),
        ask("/v1/decide", "nothing", 400),
        ask("/v1/decide?listener=none", look, 422),
        ask("/v1/tenants/ci/decide", look, 200),
        ask("/v1/tenants/nobody/decide", look, 404),
    ]
}

fn of_data(folder: &str) -> Vec<Call> {
    const JSON: &[(&str, &str)] = &[("content-type", "application/json")];
    const MERGE: &[(&str, &str)] = &[("content-type", "application/merge-patch+json")];
    let of = |place: &str| format!("{folder}/{place}");
    let send = |method, place, headers, body: &str, status| Call {
        headers,
        body: body.into(),
        ..call(method, of(place), status)
    };
    let add = r#"[{"op": "add", "path": "/bob", "value": 1}]"#;
    vec![
        send("PUT", "users", JSON, r#"{"alice": {}}"#, 201),
        send("PUT", "users/alice", JSON, r#"{"read": true}"#, 200),
        send("PUT", "users/x/y", JSON, "1", 404),
        send("PUT", "users/alice/read/x", JSON, "1", 422),
        send("PUT", "users", JSON, "{", 422),
        send("PUT", "users", &[("if-match", "\"x\"")], "{}", 412),
        send("PUT", ".hidden", JSON, "{}", 400),
        send("PUT", "more", &[("content-type", "application/yaml")], "a: 1", 201),
        send("PATCH", "users", JSON, add, 200),
        send("PATCH", "users", JSON, r#"[{"op": "test", "path": "/bob", "value": 2}]"#, 409),
        send("PATCH", "users", JSON, r#"[{"op": "remove", "path": "/nobody"}]"#, 422),
        send("PATCH", "users", JSON, "{}", 400),
        send("PATCH", "users", &[("content-type", "text/plain")], add, 415),
        send("PATCH", "nothing", JSON, add, 404),
        send("PATCH", "users/alice", MERGE, r#"{"read": null}"#, 200),
        call("GET", folder, 200),
        call("GET", format!("{folder}?list"), 200),
        Call { headers: &[("if-none-match", "*")], ..call("GET", folder, 304) },
        call("GET", of("users/alice"), 200),
        Call { headers: &[("if-none-match", "*")], ..call("GET", of("users"), 304) },
        call("GET", of("users/nobody"), 404),
        call("GET", of("%ff"), 400),
        call("DELETE", of("users/bob"), 200),
        call("DELETE", of("users"), 200),
        call("DELETE", of("users"), 404),
        Call { headers: &[("if-match", "\"x\"")], ..call("DELETE", of("more"), 412) },
        call("DELETE", of("more"), 200),
    ]
}

fn of_decisions(folder: &str, decision: &str) -> Vec<Call> {
    vec![
        call("GET", format!("{folder}/{decision}"), 200),
        call("GET", format!("{folder}/0000000000"), 404),
        call("GET", format!("{folder}/no-id"), 400),
        call("GET", format!("{folder}?last=3&follow=false&answer=allow"), 200),
        call("GET", format!("{folder}?answer=maybe"), 400),
        call("GET", format!("{folder}?last=-1"), 400),
        call("GET", format!("{folder}?nothing=1"), 400),
    ]
}

fn of_state() -> Vec<Call> {
    vec![
        call("GET", "/v1/state", 200),
        call("GET", SPACE, 200),
        call("GET", format!("{SPACE}?after=a&limit=1"), 200),
        call("GET", format!("{SPACE}?limit=0"), 400),
        call("GET", format!("{SPACE}?limit=many"), 400),
        call("GET", format!("{SPACE}?befor=a"), 400),
        call("GET", "/v1/tenants/ci/state/neither/say-hello", 400),
        call("GET", key("said-hello"), 200),
        call("GET", key("nothing"), 404),
        call("GET", key("%ff"), 400),
        call("GET", key(&"x".repeat(513)), 400),
        call("DELETE", key(&"x".repeat(513)), 400),
        call("DELETE", key("said-hello"), 200),
        call("DELETE", key("said-hello"), 200),
        call("DELETE", SPACE, 200),
        call("GET", "/v1/tenants/ci/state", 200),
        call("DELETE", "/v1/tenants/ci/state", 200),
        call("DELETE", "/v1/tenants/A/state", 400),
        call("POST", "/v1/state/reset", 200),
    ]
}

fn key(key: &str) -> String {
    format!("{SPACE}/keys/{key}")
}

#[test]
fn every_operation_answers_as_the_document_says() -> Result<()> {
    let host = host()?;
    let socket = host.config().admin_socket();
    let document = Document::of(&socket)?;
    let mut done = BTreeSet::new();
    let decision = last_decision(&socket)?;
    for Call { method, target, headers, body, status } in calls(&decision)? {
        let answer = http::send(&socket, &http::request(method, &target, headers, &body))?;
        assert_eq!(answer.status, status, "{method} {target}: {}", answer.text());
        document.check(method, &target, &answer)?;
        done.extend(document.find(method, &target).filter(|_| status < 300));
    }
    let missing: Vec<_> = document.operations().into_iter().filter(|operation| !done.contains(operation)).collect();
    assert_eq!(missing, [], "operations without a call in this test that succeeds");
    Ok(())
}

#[test]
fn a_host_without_a_store_answers_as_the_document_says() -> Result<()> {
    let mut host = host()?;
    let store = host.config().path().join("state/state.redb");
    let io = |error: std::io::Error| Error::Unexpected(error.to_string());
    host.crash_and_restart_after(|| fs::write(&store, b"damaged").map_err(io))?;
    let socket = host.config().admin_socket();
    let document = Document::of(&socket)?;
    let (value, tenant) = (key("said-hello"), "/v1/tenants/ci/state");
    let calls = [
        ("GET", "/v1/health/live", 200),
        ("GET", "/v1/health/ready", 503),
        ("GET", "/v1/state", 200),
        ("GET", SPACE, 503),
        ("DELETE", SPACE, 503),
        ("GET", &value, 503),
        ("DELETE", &value, 503),
        ("DELETE", tenant, 503),
    ];
    for (method, target, status) in calls {
        let answer = http::send(&socket, &http::request(method, target, &[], b""))?;
        assert_eq!(answer.status, status, "{method} {target}: {}", answer.text());
        document.check(method, target, &answer)?;
    }
    Ok(())
}

#[test]
fn the_document_is_of_this_version_and_names_where_it_is_served() -> Result<()> {
    let host = Config::new()?.start()?;
    let document = Document::of(&host.config().admin_socket())?;
    let value = document.as_value();
    assert_eq!(value["openapi"], json!("3.1.0"));
    assert_eq!(value["info"]["version"], json!(env!("CARGO_PKG_VERSION")));
    assert_eq!(value.get("x-answers-of-all"), None, "what only builds the document is not served");
    Ok(())
}

/// What the fuzzer looks for: a 5xx; a status, a type, a header or a shape that is not described; a method that is taken and
/// should not be.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,\
                      response_schema_conformance,unsupported_method,allow_header_conformance";

#[test]
fn a_fuzzer_gets_no_answer_that_is_not_described() -> Result<()> {
    let host = host()?;
    let proxy = Proxy::to(&host.config().admin_socket())?;
    let scratch = Scratch::new()?;
    let mut command = Command::new("timeout");
    command.arg("1200").arg(artifacts::schemathesis()?).args(["run", "--no-color", "--url", &proxy.url()]);
    command.args(["--header", "Host:portcullis", "--checks", CHECKS, "--phases", "examples,coverage,fuzzing"]);
    // The same calls each time, and not so many that somebody waits for them. (Python's parser is not made for two workers.)
    command.args(["--max-examples", "10", "--generation-deterministic", "--workers", "1", "--request-timeout", "120"]);
    // It would wait for the end of an answer that has none.
    for stream in Document::of(&host.config().admin_socket())?.streams() {
        command.args(["--exclude-operation-id", stream]);
    }
    command.args(["--continue-on-failure", "--warnings", "off"]).arg(format!("{}/v1/openapi.json", proxy.url()));
    command.env("SCHEMATHESIS_HOOKS", HOOKS).current_dir(scratch.path());
    let fuzzed = Finished::of(&mut command)?;
    assert_eq!(fuzzed.code(), Some(0), "{}\n{}", fuzzed.stdout, fuzzed.stderr);
    let passed =
        fuzzed.stdout.split(" generated, ").nth(1).and_then(|rest| rest.split(' ').next()?.parse::<u32>().ok());
    assert!(passed > Some(500), "{}", fuzzed.stdout);
    let live = http::send(&host.config().admin_socket(), &http::request("GET", "/v1/health/live", &[], b""))?;
    assert_eq!(live.status, 200, "it still answers");
    Ok(())
}
