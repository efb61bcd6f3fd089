//! The document of the admin API: a real host answers as it says, to every operation.

use std::collections::BTreeSet;
use std::fs;

use portcullis_tests::caller::Caller;
use portcullis_tests::openapi::Document;
use portcullis_tests::portcullis::{Config, Portcullis};
use portcullis_tests::{Error, Result, artifacts, http};
use serde_json::json;

const TENANT: &str = "grants = [\"state\"]\n[[match]]\nuser = \"alice\"\n";

/// A call, and the status that it is to have.
struct Call<'a> {
    method: &'a str,
    target: &'a str,
    headers: &'a [(&'a str, &'a str)],
    body: &'a [u8],
    status: u16,
}

fn call<'a>(method: &'a str, target: &'a str, status: u16) -> Call<'a> {
    Call { method, target, headers: &[], body: b"", status }
}

/// A host with a tenant, of which something is kept.
fn host() -> Result<Portcullis> {
    let config = Config::new()?.policy("say-hello")?.file("policies/say-hello.toml", b"grants = [\"state\"]\n")?;
    let config = config.policy("allow-all")?.file("policies/broken.wasm", b"broken")?;
    let host = config.tenant("ci", TENANT)?.tenant_policy("ci", "allow-all")?.start()?;
    assert!(Caller::named("alice").create(&host.socket(), "hello-world")?.allow);
    Ok(host)
}

/// In this order: what is put is there for what comes after it.
fn calls<'a>(wasm: &'a [u8]) -> Vec<Call<'a>> {
    let put = |target, headers, body, status| Call { method: "PUT", target, headers, body, status };
    let ask = |target, body, status| Call { method: "POST", target, headers: &[], body, status };
    let bytes_of = |target| Call { headers: &[("accept", "application/wasm")], ..call("GET", target, 200) };
    let mut calls =
        vec![call("GET", "/v1/openapi.json", 200), call("GET", "/v1/status", 200), call("POST", "/v1/reload", 204)];
    for (folder, name) in [("/v1/policies", "x"), ("/v1/tenants/ci/policies", "y")] {
        let of = |name: &str| -> &'static str { format!("{folder}/{name}").leak() };
        calls.extend([
            call("GET", folder, 200),
            put(of(name), &[], wasm, 201),
            put(of(name), &[], wasm, 200),
            put(of(name), &[("if-none-match", "*")], wasm, 412),
            put(of(name), &[("if-none-match", "x")], wasm, 400),
            put(of("z"), &[], b"no policy", 422),
            put(of("%2e."), &[], wasm, 400),
            call("GET", of(name), 200),
            bytes_of(of(name)),
            call("GET", of("z"), 404),
            call("GET", of("%ff"), 400),
            Call { headers: &[("if-match", "\"x\"")], ..call("DELETE", of(name), 412) },
            call("GET", of(&format!("{name}/config")), 200),
            put(of(&format!("{name}/config")), &[], br#"{"mode": "observe", "settings": {"a": 1}}"#, 201),
            put(of(&format!("{name}/config")), &[], b"[]", 400),
            put(of(&format!("{name}/config")), &[], br#"{"mod": 1}"#, 422),
            put(of(&format!("{name}/config")), &[("if-match", "\"x\"")], b"{}", 412),
            call("GET", of(&format!("{name}/config?effective=true")), 200),
            Call { body: b"{}", ..call("PATCH", of(&format!("{name}/config")), 200) },
            Call {
                headers: &[("content-type", "application/json-patch+json")],
                ..call("PATCH", of(&format!("{name}/config")), 415)
            },
            put(of(&format!("{name}/mode")), &[], b"enforce", 200),
            put(of(&format!("{name}/settings")), &[], br#"{"b": 2}"#, 200),
            call("GET", of(&format!("{name}/settings")), 200),
            call("DELETE", of(&format!("{name}/config")), 204),
            call("DELETE", of(&format!("{name}/config")), 404),
            call("DELETE", of(name), 204),
            call("DELETE", of(name), 404),
        ]);
    }
    calls.extend([
        ask("/v1/decide?explain=true", br#"{"method": "GET", "path": "/containers/json", "user": "alice"}"#, 200),
        ask("/v1/decide", br#"{"method": "GET", "path": "/nothing"}"#, 200),
        ask("/v1/decide", br#"{"RequestMethod": "GET"}"#, 200),
        ask("/v1/decide", b"nothing", 400),
        ask("/v1/decide?listener=none", br#"{"method": "GET", "path": "/_ping"}"#, 422),
        ask("/v1/tenants/ci/decide", br#"{"method": "GET", "path": "/containers/json"}"#, 200),
        ask("/v1/tenants/nobody/decide", br#"{"method": "GET", "path": "/_ping"}"#, 404),
        call("GET", "/v1/policies/broken", 200),
        call("GET", "/v1/tenants/nobody/policies", 404),
        call("GET", "/v1/tenants/..%2fci/policies", 400),
        call("GET", "/v1/state", 200),
        call("GET", "/v1/tenants/ci/state/host/say-hello", 200),
        call("GET", "/v1/tenants/ci/state/neither/say-hello", 400),
        call("DELETE", "/v1/tenants/ci/state/host/say-hello", 200),
        call("DELETE", "/v1/tenants/ci/state", 200),
        call("DELETE", "/v1/tenants/A/state", 400),
        call("POST", "/v1/state/reset", 200),
        call("GET", "/v1/nothing", 404),
        call("PATCH", "/v1/status", 405),
    ]);
    calls
}

#[test]
fn every_operation_answers_as_the_document_says() -> Result<()> {
    let host = host()?;
    let (socket, wasm) = (host.config().admin_socket(), artifacts::policy_bytes("deny-all")?);
    let document = Document::of(&socket)?;
    let mut done = BTreeSet::new();
    for Call { method, target, headers, body, status } in calls(&wasm) {
        let answer = http::send(&socket, &http::request(method, target, headers, body))?;
        assert_eq!(answer.status, status, "{method} {target}: {}", answer.text());
        document.check(method, target, &answer)?;
        done.extend(document.find(method, target).filter(|_| status < 300));
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
    let space = "/v1/tenants/ci/state/host/say-hello";
    let calls = [
        ("GET", "/v1/state", 200),
        ("GET", space, 503),
        ("DELETE", space, 503),
        ("DELETE", "/v1/tenants/ci/state", 503),
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
    assert_eq!(value.get("x-every-operation"), None, "what only builds the document is not served");
    Ok(())
}
