//! What is only observed: asked, logged and counted apart, and not counted in the answer.

use portcullis_tests::caller::Caller;
use portcullis_tests::plugin::{self, Reply};
use portcullis_tests::portcullis::{self, Config, Portcullis, Record};
use portcullis_tests::{Error, Result};
use serde_json::{Value, json};

const OBSERVED: &str = "mode = \"observe\"\n";
const TOLD: &str = "no policy allows this";

fn tenant(user: &str, more: &str) -> String {
    format!("{more}[[match]]\nuser = {user:?}\n")
}

/// An answer, and its line.
fn decided(host: &Portcullis, user: &str) -> Result<(Reply, Record)> {
    let mark = host.mark();
    let reply = Caller::named(user).list(&host.socket())?;
    Ok((reply, host.wait_for(mark, "the decision's line", |record| record.message() == "decision")?))
}

fn status(host: &Portcullis) -> Result<Value> {
    let socket = host.config().admin_socket().display().to_string();
    let finished = portcullis::run(&["status", "--json", "--admin-socket", &socket])?;
    serde_json::from_str(&finished.stdout).map_err(|error| Error::Unexpected(format!("{error}: {finished:?}")))
}

fn named<'a>(list: &'a Value, name: &str) -> &'a Value {
    let found = list.as_array().into_iter().flatten().find(|item| item["name"] == name);
    found.unwrap_or(&Value::Null)
}

#[test]
fn an_observed_tenant_is_allowed_what_its_own_rules_deny() -> Result<()> {
    let config = Config::new()?
        .tenant("denies", &tenant("denies", OBSERVED))?
        .tenant_says("denies", "not here")?
        .tenant("fails", &tenant("fails", OBSERVED))?
        .file("tenants/fails/policies/bad.wasm", b"no policy")?
        .tenant("silent", &tenant("silent", OBSERVED))?
        .tenant("allows", &tenant("allows", OBSERVED))?
        .tenant_policy("allows", "allow-all")?;
    let host = config.start()?;
    let cases = [
        ("denies", Some(("denied", "name: not here"))),
        ("fails", Some(("fault", "bad: the policy could not be loaded"))),
        ("silent", Some(("default", TOLD))),
        ("allows", None),
    ];
    for (user, would) in cases {
        let (reply, record) = decided(&host, user)?;
        assert!(reply.allow, "{user}: {reply:?}");
        assert_eq!((record.text("cause"), record.text("mode")), ("default", "observe"), "{user}");
        let would = would.map(|(cause, reason)| json!({ "answer": "deny", "cause": cause, "reason": reason }));
        assert_eq!(record.field("would"), would.as_ref(), "{user}");
        let policies = record.field("policies").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        assert!(policies.iter().all(|policy| policy["mode"] == "observe"), "{user}: {policies:?}");
        assert_eq!(policies.is_empty(), user == "silent");
    }
    let status = status(&host)?;
    for (user, would_deny) in [("denies", 1), ("fails", 1), ("silent", 1), ("allows", 0)] {
        let tenant = named(&status["tenants"], user);
        let figures = (&tenant["is_observed"], &tenant["decisions"], &tenant["denials"], &tenant["would_deny"]);
        assert_eq!(figures, (&json!(true), &json!(1), &json!(0), &json!(would_deny)), "{tenant:#}");
    }
    let policies = &named(&status["tenants"], "denies")["policies"];
    assert_eq!(named(policies, "name")["would_deny"], 1, "{policies:#}");
    assert_eq!(named(&status["tenants"], "default")["is_observed"], false);

    let socket = host.config().admin_socket().display().to_string();
    let table = portcullis::run(&["status", "--admin-socket", &socket])?.stdout;
    for text in ["WOULD DENY", "observe", "broken: would deny every call"] {
        assert!(table.contains(text), "{text} is not in\n{table}");
    }
    Ok(())
}

#[test]
fn an_observed_tenant_is_denied_what_is_not_its_own_to_allow() -> Result<()> {
    let config = Config::new()?.policy("deny-all")?.tenant("ci", &tenant("ci", OBSERVED))?;
    let host = config.tenant_policy("ci", "allow-all")?.start()?;
    let (reply, record) = decided(&host, "ci")?;
    assert!(!reply.allow, "a host-wide policy holds for every tenant");
    assert_eq!((record.text("cause"), record.field("would")), ("denied", None), "{record:?}");
    let call = br#"{"RequestMethod":"GET","RequestUri":"/v1.44/nothing","User":"ci"}"#;
    assert!(!plugin::ask(&host.socket(), call)?.allow, "a host rule holds for every tenant");
    Ok(())
}

#[test]
fn a_tenants_mode_changes_while_the_host_runs() -> Result<()> {
    let config = Config::new()?.tenant("ci", &tenant("ci", ""))?.tenant_says("ci", "no")?;
    let host = config.start()?;
    for (mode, allow) in [("", false), (OBSERVED, true), ("mode = \"enforce\"\n", false)] {
        host.config().put("tenants/ci/tenant.toml", tenant("ci", mode).as_bytes())?;
        host.hang_up()?;
        assert_eq!(decided(&host, "ci")?.0.allow, allow, "{mode}");
    }
    let mark = host.mark();
    host.config().put("tenants/ci/tenant.toml", b"mode = \"watch\"\n")?;
    let told = host.wait_for(mark, "the mistake", |record| record.is_of("ci") && record.level() == "ERROR")?;
    assert!(told.text("problem").contains("`mode` is `watch`"), "{told:?}");
    assert!(told.text("problem").contains("expected \"enforce\" or \"observe\""), "{told:?}");
    Ok(())
}

#[test]
fn an_observed_host_wide_policy_is_counted_over_all_tenants() -> Result<()> {
    let config = Config::new()?.policy("allow-all")?.policy("deny-all")?;
    let host = config.file("policies/deny-all.toml", OBSERVED.as_bytes())?.tenant("ci", &tenant("ci", ""))?.start()?;
    for user in ["ci", "ann", "ann"] {
        let (reply, record) = decided(&host, user)?;
        assert!(reply.allow, "{user}: {reply:?}");
        assert_eq!((record.text("cause"), record.text("mode")), ("allowed", "enforce"));
        assert_eq!(record.field("would").map(|would| &would["answer"]), Some(&json!("deny")), "{record:?}");
    }
    let status = status(&host)?;
    assert_eq!(named(&status["policies"], "deny-all")["would_deny"], 3, "{status:#}");
    assert_eq!(named(&status["policies"], "allow-all")["would_deny"], 0, "{status:#}");
    assert_eq!(named(&status["tenants"], "ci")["would_deny"], 1, "{status:#}");
    assert_eq!(named(&status["tenants"], "default")["would_deny"], 2, "{status:#}");
    // Its counting begins anew when it is another policy.
    host.drop_settings("deny-all", "mode = \"observe\"\n[limits]\nlog_lines = 5\n")?;
    let status = self::status(&host)?;
    assert_eq!(named(&status["policies"], "deny-all")["would_deny"], 0, "{status:#}");
    Ok(())
}
