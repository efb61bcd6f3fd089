//! What a tenant's own people see: theirs, and nothing of others'.

use portcullis_tests::caller::Caller;
use portcullis_tests::portcullis::Config;
use portcullis_tests::tls::Authority;
use portcullis_tests::{Result, guests, http};
use serde_json::{Value, json};

use super::{CI, CI_TOML, OPS_TOML, ROOT, ask, bearer, start, tokens};

const STATE: &[u8] = b"grants = [\"state\"]\n";

fn config() -> Result<Config> {
    let config = Config::new()?.policy("say-hello")?.file("policies/say-hello.toml", STATE)?.policy("allow-all")?;
    config.tenant("ci", CI_TOML)?.tenant("ops", OPS_TOML)
}

#[test]
fn a_tenant_sees_its_status_and_state_and_nothing_of_others() -> Result<()> {
    let authority = Authority::new()?;
    let (host, door) = start(config()?, &authority, &tokens())?;
    for name in ["alice", "olga"] {
        assert!(Caller::named(name).create(&host.socket(), "hello-world")?.allow);
    }
    let status = ask(&door, "GET", "/v1/tenants/ci/status", CI)?;
    let seen = status.json()?;
    assert_eq!((&seen["name"], &seen["decisions"]), (&json!("ci"), &json!(1)), "{seen:#}");
    let state = ask(&door, "GET", "/v1/tenants/ci/state", CI)?;
    let spaces = state.json()?["spaces"].clone();
    assert_eq!((spaces.as_array().map(Vec::len), &spaces[0]["tenant"]), (Some(1), &json!("ci")), "{spaces:#}");
    for answer in [&status, &state, &ask(&door, "GET", "/v1/tenants/ci/policies", CI)?] {
        assert!(answer.status == 200 && !answer.text().contains("ops"), "{}", answer.text());
    }
    let all = ask(&door, "GET", "/v1/state", ROOT)?.json()?;
    assert_eq!(all["spaces"].as_array().map(Vec::len), Some(2), "{all:#}");
    Ok(())
}

#[test]
fn what_a_host_wide_policy_keeps_for_a_tenant_is_not_the_tenants_to_clear() -> Result<()> {
    let authority = Authority::new()?;
    let (host, door) = start(config()?, &authority, &tokens())?;
    assert!(Caller::named("alice").create(&host.socket(), "hello-world")?.allow);
    let kept =
        || Ok::<_, portcullis_tests::Error>(ask(&door, "GET", "/v1/tenants/ci/state", CI)?.json()?["spaces"].clone());
    let before = kept()?;
    for (method, path) in [
        ("DELETE", "/v1/tenants/ci/state/host/say-hello"),
        ("DELETE", "/v1/tenants/ci/state/h%6Fst/say-hello"),
        ("GET", "/v1/tenants/ci/state/host/say-hello"),
        ("DELETE", "/v1/tenants/ci/state"),
    ] {
        let refused = ask(&door, method, path, CI)?;
        assert!(refused.status == 403 && refused.text().contains("host-wide"), "{method} {path}: {}", refused.text());
    }
    assert!(kept()? == before && before != Value::Array(Vec::new()), "{before:#}");
    assert_eq!(ask(&door, "DELETE", "/v1/tenants/ci/state/tenant/say-hello", CI)?.status, 200);
    assert_eq!(kept()?, before, "a policy of its own has the same name and another space");
    assert_eq!(ask(&door, "DELETE", "/v1/tenants/ci/state/host/say-hello", ROOT)?.status, 200);
    assert_eq!(kept()?, json!([]));
    Ok(())
}

#[test]
fn why_a_tenants_file_is_not_active_is_for_the_operator_since_it_can_name_others() -> Result<()> {
    let authority = Authority::new()?;
    let (host, door) = start(config()?, &authority, &tokens())?;
    host.config().put("tenants/ci/tenant.toml", OPS_TOML.as_bytes())?;
    host.hang_up()?;
    let of_host = ask(&door, "GET", "/v1/status", ROOT)?.text();
    assert!(of_host.contains("claims the same callers"), "{of_host}");
    let own = ask(&door, "GET", "/v1/tenants/ci/status", CI)?.text();
    assert!(own.contains("the operator is told why") && !own.contains("ops"), "{own}");
    Ok(())
}

#[test]
fn a_question_about_a_tenants_call_names_no_listener_of_others() -> Result<()> {
    let authority = Authority::new()?;
    let config = config()?.listener("of-ops", "tenant = \"ops\"\n");
    let (_host, door) = start(config, &authority, &tokens())?;
    let body = br#"{"method":"GET","path":"/v1.44/containers/json","user":"alice"}"#;
    let ask = |token: &str, listener: &str| {
        let path = format!("/v1/tenants/ci/decide?listener={listener}");
        door.send(&http::request("POST", &path, &[("Authorization", &bearer(token))], body))
    };
    let (own, of_host) = (ask(CI, "absent")?, ask(ROOT, "absent")?);
    assert!(own.status == 422 && !own.text().contains("ops"), "{}", own.text());
    assert!(of_host.status == 422 && of_host.text().contains("of-ops"), "{}", of_host.text());
    let there = ask(CI, "docker")?;
    assert!(there.status == 200 && !there.text().contains("ops"), "{}", there.text());
    Ok(())
}

#[test]
fn who_changed_what_is_in_the_log_and_a_token_never_is() -> Result<()> {
    let authority = Authority::new()?;
    let (host, door) = start(config()?, &authority, &tokens())?;
    let mark = host.mark();
    let answer = ask(&door, "DELETE", "/v1/tenants/ci/policies/absent", CI)?;
    assert_eq!(answer.status, 404);
    let told = host.wait_for(mark, "the call's line", |record| record.message() == "admin call")?;
    let said = ["level", "who", "method", "path"].map(|field| told.text(field));
    assert_eq!(said, ["INFO", "ci-deployer", "DELETE", "/v1/tenants/ci/policies/absent"], "{told:?}");
    assert_eq!(told.field("status"), Some(&json!(404)), "{told:?}");

    for attempt in 0..50 {
        let wrong = format!("wrong-token-{attempt}");
        assert_eq!(ask(&door, "POST", "/v1/reload", &wrong)?.status, 401);
    }
    // The operator's own changes, too; and this line comes after all the others.
    let mark_of_operator = host.mark();
    let local = http::request("POST", "/v1/reload", &[], b"");
    assert_eq!(http::send(&host.config().admin_socket(), &local)?.status, 200);
    let own = host.wait_for(mark_of_operator, "the operator's line", |record| record.text("who") == "operator")?;
    assert_eq!((own.text("path"), own.text("peer")), ("/v1/reload", "uid 0"), "{own:?}");

    let records = host.records(mark);
    let refusals: Vec<_> =
        records.iter().filter(|record| record.message() == "the admin API refused an unknown caller").collect();
    assert!(!refusals.is_empty() && refusals.len() < 50, "bounded: {}", refusals.len());
    assert_eq!(refusals[0].text("reason"), "an unknown token");
    let log = host.process().log().since(portcullis_tests::log::Log::START).join("\n");
    for secret in ["wrong-token", ROOT, CI, &bearer(CI)] {
        assert!(!log.contains(secret), "`{secret}` is in the log");
    }
    Ok(())
}

/// What a host-wide policy writes, and why it failed, is the operator's to know.
#[test]
fn a_tenant_asks_for_itself_and_is_told_no_more_than_it_may_know() -> Result<()> {
    let authority = Authority::new()?;
    let config = config()?.file("policies/logs.wasm", &guests::wasm("flood_log")?)?;
    let config = config.file("policies/logs.toml", b"grants = [\"log\"]\nmode = \"observe\"\n")?;
    let config = config.file("policies/traps.wasm", &guests::wasm("trap")?)?;
    let (_host, door) = start(config.file("policies/traps.toml", b"mode = \"observe\"\n")?, &authority, &tokens())?;
    let told = |who: &str| {
        let question = br#"{"method": "GET", "path": "/containers/json", "user": "olga"}"#;
        let (who, json) = (bearer(who), ("content-type", "application/json"));
        let answer =
            door.send(&http::request("POST", "/v1/tenants/ci/decide", &[("authorization", &who), json], question))?;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let answer = answer.json()?;
        assert_eq!(answer["tenant"], json!("ci"), "{answer:#}");
        let policies = answer["policies"].as_array().cloned().unwrap_or_default();
        let of =
            |name: &str| policies.iter().find(|policy| policy["policy"] == json!(name)).cloned().unwrap_or_default();
        Ok::<_, portcullis_tests::Error>((of("logs"), of("traps")))
    };
    let (logs, traps) = told(ROOT)?;
    assert!(logs["log"][0]["message"].is_string() && traps["reason"].is_string(), "{logs:#} {traps:#}");
    let (logs, traps) = told(CI)?;
    assert!(logs["log"].is_null() && logs["log_dropped"].is_null() && traps["reason"].is_null(), "{logs:#} {traps:#}");
    assert_eq!((&logs["mode"], &traps["verdict"]), (&json!("observe"), &json!("trap")));
    Ok(())
}
