//! What policies demand of calls that they do not deny: who asks the plugin is told what to add.

use portcullis_tests::caller::Caller;
use portcullis_tests::plugin::{self, Reply};
use portcullis_tests::portcullis::{self, Config, Portcullis, Record};
use portcullis_tests::{Result, guests};
use serde_json::{Value, json};

const GRANTED: &[u8] = b"grants = [\"obligations\"]";
const OBSERVED: &[u8] = b"grants = [\"obligations\"]\nmode = \"observe\"";

const OWNER: (&str, &[&str]) = ("label", &["owner", "alice"]);
const MEMORY: (&str, &[&str]) = ("set", &["/HostConfig/Memory", "536870912"]);

/// A host with a policy that allows and demands.
fn demanding(demands: &[(&str, &[&str])]) -> Result<Config> {
    Config::new()?
        .file("policies/demands.wasm", &guests::that_demands(demands)?)?
        .file("policies/demands.toml", GRANTED)
}

fn create(body: &Value) -> Vec<u8> {
    let body = body.to_string();
    let call = json!({
        "RequestMethod": "POST",
        "RequestUri": "/v1.44/containers/create",
        "RequestHeaders": { "Content-Type": "application/json", "Content-Length": body.len().to_string() },
        "RequestBody": base64(body.as_bytes()),
        "User": "alice",
        "UserAuthNMethod": "TLS",
    });
    call.to_string().into_bytes()
}

/// An answer, and its line.
fn decided(host: &Portcullis, call: &[u8]) -> Result<(Reply, Record)> {
    let mark = host.mark();
    let reply = plugin::ask(&host.socket(), call)?;
    Ok((reply, host.wait_for(mark, "the decision's line", |record| record.message() == "decision")?))
}

fn said(record: &Record, name: &str) -> Value {
    record.field("policies").and_then(|policies| policies.pointer(&format!("/0/{name}"))).cloned().unwrap_or_default()
}

#[test]
fn a_call_is_allowed_as_it_is_demanded_and_otherwise_told_what_to_add() -> Result<()> {
    let host = demanding(&[OWNER, MEMORY])?.start()?;
    for (body, missing) in [
        (json!({ "Labels": { "owner": "alice" }, "HostConfig": { "Memory": 536870912 } }), None),
        (json!({ "HostConfig": { "Memory": 536870912 } }), Some("`--label owner=alice` is required")),
        (
            json!({ "Labels": { "owner": "alice" } }),
            Some("`--memory=536870912` is required (`/HostConfig/Memory` must be 536870912)"),
        ),
    ] {
        let (reply, record) = decided(&host, &create(&body))?;
        assert_eq!(reply.allow, missing.is_none(), "{body}: {reply:?}");
        assert_eq!(record.text("cause"), if missing.is_some() { "unmet" } else { "allowed" });
        assert_eq!(said(&record, "demands"), json!(["label owner=alice", "set /HostConfig/Memory to 536870912"]));
        assert_eq!(said(&record, "unmet").as_str(), missing);
        let Some(missing) = missing else { continue };
        assert_eq!(reply.msg, format!("demands: {missing}"));
        let socket = host.config().admin_socket().display().to_string();
        let why = portcullis::run(&["why", &reply.id, "--admin-socket", &socket])?.stdout;
        for line in ["is not as demands demands", "it demands: label owner=alice", "the call is not as it demands: `--"]
        {
            assert!(why.contains(line), "{line} is not in\n{why}");
        }
    }
    // A list creates nothing that could have a label.
    let reply = Caller::named("alice").list(&host.socket())?;
    assert!(!reply.allow && reply.msg.contains("ContainerList gives none"), "{reply:?}");
    Ok(())
}

#[test]
fn what_is_only_observed_demands_nothing() -> Result<()> {
    let config = demanding(&[OWNER])?.policy("allow-all")?;
    config.put("policies/demands.toml", OBSERVED)?;
    let host = config.start()?;
    let (reply, record) = decided(&host, &create(&json!({})))?;
    assert!(reply.allow, "{reply:?}");
    assert_eq!(record.field("would").and_then(|would| would.pointer("/cause")), Some(&json!("unmet")));
    Ok(())
}

#[test]
fn demands_that_contradict_each_other_deny_and_name_both() -> Result<()> {
    let bob = guests::that_demands(&[("label", &["owner", "bob"])])?;
    let config = demanding(&[OWNER])?.file("policies/other.wasm", &bob)?.file("policies/other.toml", GRANTED)?;
    let host = config.start()?;
    let (reply, record) = decided(&host, &create(&json!({ "Labels": { "owner": "alice" } })))?;
    let expected = "`demands` and `other` demand different things of `label owner`, so nothing is allowed";
    assert_eq!((reply.allow, &*reply.msg), (false, expected));
    assert_eq!(record.text("cause"), "contradiction");
    Ok(())
}

#[test]
fn what_nobody_can_demand_is_a_fault() -> Result<()> {
    let long = "x".repeat(40_000);
    let many = vec![OWNER; 65];
    for (demands, text) in [
        (vec![("set", &["Memory", "1"][..])], "expected an RFC 6901 pointer"),
        (vec![("set", &["/Memory", "1 2"])], "the value is not JSON"),
        (vec![("label", &["a=b", ""])], "expected a label's name"),
        (vec![("label", &["a", &*long]), ("label", &["b", &long])], "or than 65536 bytes of them"),
        (many, "more than 64 obligations"),
    ] {
        let host = demanding(&demands)?.start()?;
        let (reply, record) = decided(&host, &create(&json!({})))?;
        assert!(!reply.allow, "{reply:?}");
        assert_eq!((record.text("cause"), said(&record, "verdict")), ("fault", json!("bad-answer")), "{record:?}");
        let reason = said(&record, "reason");
        assert!(reason.as_str().is_some_and(|reason| reason.contains(text)), "{text}: {reason}");
    }
    Ok(())
}

#[test]
fn nothing_is_demanded_without_the_grant() -> Result<()> {
    let config = Config::new()?.file("policies/demands.wasm", &guests::that_demands(&[OWNER])?)?;
    let host = config.start()?;
    let (reply, record) = decided(&host, &create(&json!({ "Labels": { "owner": "alice" } })))?;
    assert!(!reply.allow, "{reply:?}");
    let reason = said(&record, "reason");
    assert!(reason.as_str().is_some_and(|reason| reason.contains("grants = [\"obligations\"]")), "{reason}");
    Ok(())
}

fn base64(bytes: &[u8]) -> String {
    base64_simd::STANDARD.encode_to_string(bytes)
}
