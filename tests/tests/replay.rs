//! A log that was recorded by one configuration, asked about again with another.

use std::collections::BTreeSet;
use std::path::PathBuf;

use portcullis_tests::caller::Caller;
use portcullis_tests::command::Finished;
use portcullis_tests::error::Doing;
use portcullis_tests::log::Log;
use portcullis_tests::portcullis::{self, Config, Portcullis};
use portcullis_tests::walk::{Stage, hello, tutorial};
use portcullis_tests::{Error, Release, Result, plugin, wait};
use serde_json::{Value, json};

const KEEPS: &[u8] = b"grants = [\"state\"]\n";
const USERS: &str = r#"{"alice":{"readOnly":false},"bob":{"readOnly":true}}"#;
const CI: &str = "[[match]]\nuser = \"ci\"\n";

/// The seeds' policies, host-wide.
fn seeds() -> Result<Config> {
    Config::new()?.policy("seccomp")?.policy("user-roles")?.file("data/users.json", USERS.as_bytes())
}

/// Everything that a host logged, as a file in its folder.
fn log_of(host: &Portcullis, decisions: usize) -> Result<PathBuf> {
    wait::until("logging every decision", wait::DEADLINE, || (records(host).len() >= decisions).then_some(()))?;
    let lines = host.process().log().since(Log::START);
    let path = host.config().path().join("decisions.log");
    std::fs::write(&path, lines.join("\n") + "\n").doing_to("writing", &path)?;
    Ok(path)
}

fn records(host: &Portcullis) -> Vec<Value> {
    let lines = host.process().log().since(Log::START);
    let parsed = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    parsed.filter(|line| line.get("message") == Some(&json!("decision"))).collect()
}

/// IDs of the records that fit.
fn ids(host: &Portcullis, fits: impl Fn(&Value) -> bool) -> BTreeSet<String> {
    let records = records(host);
    records.iter().filter(|record| fits(record)).map(|record| text(record, "id").to_owned()).collect()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn number(value: &Value, pointer: &str) -> u64 {
    value.pointer(pointer).and_then(Value::as_u64).unwrap_or_default()
}

fn replay(log: &std::path::Path, config: &Config, more: &[&str]) -> Result<Finished> {
    let (config, log) = (config.write()?.display().to_string(), log.display().to_string());
    let arguments: &[&str] = &["replay", &log, "--config", &config];
    portcullis::run(&[arguments, more].concat())
}

/// The report, of a replay that must end so.
fn report(log: &std::path::Path, config: &Config, more: &[&str], code: i32) -> Result<Value> {
    let arguments: &[&str] = &["--json", "--limit", "1000"];
    let finished = replay(log, config, &[arguments, more].concat())?;
    assert_eq!(finished.code(), Some(code), "{finished:?}");
    serde_json::from_str(&finished.stdout).map_err(|error| Error::Unexpected(format!("{error}: {finished:?}")))
}

/// IDs of all changes of a kind.
fn changed(report: &Value, kind: &str) -> BTreeSet<String> {
    let changes = report.get("changes").and_then(Value::as_array).into_iter().flatten();
    let of_kind = changes.filter(|change| text(change, "kind") == kind);
    let ids = of_kind.flat_map(|change| change.get("examples").and_then(Value::as_array).into_iter().flatten());
    ids.filter_map(Value::as_str).map(str::to_owned).collect()
}

fn create(host: &Portcullis, user: &str, body: &Value) -> Result<bool> {
    let body = body.to_string();
    let call = json!({
        "RequestMethod": "POST",
        "RequestUri": "/v1.44/containers/create",
        "RequestHeaders": { "Content-Type": "application/json", "Content-Length": body.len().to_string() },
        "RequestBody": base64_simd::STANDARD.encode_to_string(body),
        "User": user,
    });
    Ok(plugin::ask(&host.socket(), call.to_string().as_bytes())?.allow)
}

fn raw(host: &Portcullis, call: &Value) -> Result<bool> {
    Ok(plugin::ask(&host.socket(), call.to_string().as_bytes())?.allow)
}

/// What the two seeds walk through, with readers, writers and strangers; gives how many calls that were.
fn walk(host: &Portcullis) -> Result<usize> {
    let unconfined = json!({ "Image": "alpine", "HostConfig": { "SecurityOpt": ["seccomp=unconfined"] } });
    let calls = [
        ("alice", json!({ "Image": "alpine" }), true),
        ("alice", unconfined.clone(), false),
        ("bob", json!({ "Image": "alpine" }), false),
        ("bob", json!({ "Image": "alpine", "Env": ["TOKEN=secret"] }), false),
        ("bob", unconfined, false),
        ("carol", json!({ "Image": "alpine" }), false),
    ];
    for (user, body, allow) in &calls {
        assert_eq!(create(host, user, body)?, *allow, "{user}: {body}");
    }
    for (user, allow) in [("alice", true), ("bob", true), ("carol", false)] {
        assert_eq!(Caller::named(user).list(&host.socket())?.allow, allow, "{user}");
    }
    Ok(calls.len() + 3)
}

/// What somebody says in the header that the tutorial trusts.
fn claimed(record: &Value) -> Option<&str> {
    let headers = record.pointer("/request/headers").and_then(Value::as_array).into_iter().flatten();
    headers.filter(|header| header.get(0) == Some(&json!("Authz-User"))).find_map(|header| header.get(1)?.as_str())
}

#[test]
fn the_walk_of_both_seeds_is_asked_again() -> Result<()> {
    let mut stage = Stage::set(Release::default())?;
    for step in hello::STEPS.iter().chain(tutorial::STEPS) {
        assert_eq!(stage.play(step)?.difference, None, "{}", step.title);
    }
    let host = stage.portcullis();
    // The walk ends so, and records come in their order.
    let is_last = |record: &Value| text(record, "reason").contains("mallory") && record.get("certificate").is_some();
    wait::until("logging the last decision", wait::DEADLINE, || records(host).iter().any(is_last).then_some(()))?;
    // What was decided with what is active now: only certificates tell who calls.
    let generation = records(host).iter().map(|record| number(record, "/generation")).max();
    let recorded: Vec<Value> =
        records(host).into_iter().filter(|record| Some(number(record, "/generation")) == generation).collect();
    let log = host.config().path().join("walk.log");
    let lines: Vec<String> = recorded.iter().map(Value::to_string).collect();
    std::fs::write(&log, lines.join("\n")).doing_to("writing", &log)?;
    let same = report(&log, host.config(), &[], 0)?;
    assert_eq!((number(&same, "/replayed"), number(&same, "/changed")), (lines.len() as u64, 0), "{same:#}");

    let of = |fits: &dyn Fn(&Value) -> bool| -> BTreeSet<String> {
        let asked = recorded.iter().filter(|record| text(record, "cause") != "exempt" && fits(record));
        asked.map(|record| text(record, "id").to_owned()).collect()
    };
    // The header is trusted again of who has no certificate: alice, and nobody else, is let in.
    host.drop_settings("user-roles", "[settings]\nuser_header = \"Authz-User\"\n")?;
    let found = report(&log, host.config(), &[], 3)?;
    let believed = of(&|record| claimed(record) == Some("alice") && record.get("certificate").is_none());
    assert_eq!((believed.len(), changed(&found, "now-allowed")), (1, believed), "{found:#}");
    assert_eq!(number(&found, "/changed"), 1, "{found:#}");

    // A policy more, which is asked first and denies everything.
    host.drop_in("deny-all")?;
    let found = report(&log, host.config(), &[], 3)?;
    let (allowed, denied) =
        (of(&|record| text(record, "answer") == "allow"), of(&|record| text(record, "answer") == "deny"));
    assert!(allowed.len() >= 4 && denied.len() >= 3, "{recorded:#?}");
    assert_eq!(number(&found, "/changed"), (allowed.len() + denied.len()) as u64, "{found:#}");
    assert_eq!(changed(&found, "now-denied"), allowed, "{found:#}");
    assert_eq!(changed(&found, "other-reason"), denied, "{found:#}");
    Ok(())
}

#[test]
fn the_same_configuration_changes_nothing() -> Result<()> {
    let host = seeds()?.start()?;
    let mut decisions = walk(&host)?;
    // What host rules refuse, what cannot be read, and a ping, in one log.
    for uri in ["/v1.44/nothing", "/v1.44/containers/json?all=1&all=0", "/_ping"] {
        raw(&host, &json!({ "RequestMethod": "GET", "RequestUri": uri, "User": "alice" }))?;
        decisions += 1;
    }
    let doubled = r#"{"Image":"a","image":"b"}"#;
    let headers = json!({ "Content-Type": "application/json", "Content-Length": doubled.len().to_string() });
    let body = base64_simd::STANDARD.encode_to_string(doubled);
    let ambiguous = json!({
        "RequestMethod": "POST", "RequestUri": "/v1.44/containers/create", "RequestHeaders": headers,
        "RequestBody": body, "User": "alice",
    });
    assert!(!raw(&host, &ambiguous)?);
    plugin::ask(&host.socket(), b"no call")?;
    let log = log_of(&host, decisions + 2)?;
    let report = report(&log, host.config(), &[], 0)?;
    assert_eq!(number(&report, "/replayed"), decisions as u64 + 1, "{report:#}");
    assert_eq!((number(&report, "/changed"), number(&report, "/moved")), (0, 0), "{report:#}");
    assert_eq!(number(&report, "/skipped/without_call"), 1, "{report:#}");
    assert!(number(&report, "/skipped/other_lines") > 0, "{report:#}");
    assert_eq!(number(&report, "/uncertain_changed") + number(&report, "/uncertain_unchanged"), 0, "{report:#}");
    Ok(())
}

#[test]
fn what_policies_keep_is_kept_in_the_order_of_the_log() -> Result<()> {
    let config = Config::new()?.policy("say-hello")?.file("policies/say-hello.toml", KEEPS)?.tenant("ci", CI)?;
    let host = config.start()?;
    let said = [
        ("ann", "alpine", false),
        ("ci", "alpine", false),
        ("ann", "hello-world", true),
        ("ann", "alpine", true),
        ("ci", "alpine", false),
        ("ci", "hello-world", true),
        ("ci", "alpine", true),
        ("ann", "alpine", true),
    ];
    for (user, image, allow) in said {
        assert_eq!(Caller::named(user).create(&host.socket(), image)?.allow, allow, "{user} {image}");
    }
    let log = log_of(&host, said.len())?;
    let same = report(&log, host.config(), &[], 0)?;
    assert_eq!((number(&same, "/replayed"), number(&same, "/changed")), (said.len() as u64, 0), "{same:#}");

    // One tenant's decisions alone; those of the others were asked where they must be, and not counted.
    let one = report(&log, host.config(), &["--tenant", "ci"], 0)?;
    assert_eq!(number(&one, "/replayed"), 4, "{one:#}");
    // Who wants to see the last only gets what was kept before.
    let since = records(&host).into_iter().rfind(|record| text(record, "user") == "ann").unwrap_or_default();
    let one = report(&log, host.config(), &["--user", "ann", "--since", text(&since, "timestamp")], 0)?;
    assert_eq!((number(&one, "/replayed"), number(&one, "/changed")), (1, 0), "{one:#}");

    // With what was kept at the end, who was denied before hello is allowed: exactly those.
    let copied = report(&log, host.config(), &["--state", "copy"], 3)?;
    let denied = ids(&host, |record| text(record, "answer") == "deny");
    assert_eq!(denied.len(), 3);
    assert_eq!(changed(&copied, "now-allowed"), denied, "{copied:#}");

    // However rotated files are given.
    let text = std::fs::read_to_string(&log).doing_to("reading", &log)?;
    let lines: Vec<_> = text.lines().collect();
    let middle = lines.iter().rposition(|line| line.contains("hello-world")).unwrap_or_default();
    let (older, newer) = lines.split_at(middle);
    let rotated = log.with_extension("log.1");
    std::fs::write(&rotated, older.join("\n")).doing_to("writing", &rotated)?;
    std::fs::write(&log, newer.join("\n")).doing_to("writing", &log)?;
    let both = report(&log, host.config(), &[&rotated.display().to_string()], 0)?;
    assert_eq!((number(&both, "/replayed"), number(&both, "/changed")), (said.len() as u64, 0), "{both:#}");
    Ok(())
}

#[test]
fn exactly_the_decisions_that_a_change_changes_are_reported() -> Result<()> {
    let host = seeds()?.start()?;
    let decisions = walk(&host)?;
    let log = log_of(&host, decisions)?;
    let is = |record: &Value, user: &str, operation: &str| {
        text(record, "user") == user && text(record, "operation") == operation
    };

    // Bob may write: what he was denied as a reader, and nothing else. Without seccomp he is denied still, by another policy.
    let users = USERS.replace("true", "false");
    let writes = Config::new()?.policy("seccomp")?.policy("user-roles")?.file("data/users.json", users.as_bytes())?;
    let found = report(&log, &writes, &[], 3)?;
    let allowed =
        ids(&host, |record| is(record, "bob", "ContainerCreate") && text(record, "reason").starts_with("user-roles"));
    assert_eq!((allowed.len(), changed(&found, "now-allowed")), (2, allowed), "{found:#}");
    assert_eq!(number(&found, "/changed"), 2, "{found:#}");

    // Without seccomp: alice's unconfined container is allowed, bob's is denied by the other policy.
    let lax = Config::new()?.policy("user-roles")?.file("data/users.json", USERS.as_bytes())?;
    let found = report(&log, &lax, &[], 3)?;
    let of_seccomp = |user: &'static str| {
        ids(&host, move |record| text(record, "user") == user && text(record, "reason").starts_with("seccomp"))
    };
    assert_eq!(changed(&found, "now-allowed"), of_seccomp("alice"), "{found:#}");
    assert_eq!(changed(&found, "other-reason"), of_seccomp("bob"), "{found:#}");
    assert_eq!(number(&found, "/changed"), 2, "{found:#}");

    // A policy more, that is only observed: no answer changes, and every allowed call would be denied.
    let observing = seeds()?.policy("deny-all")?.file("policies/deny-all.toml", b"mode = \"observe\"\n")?;
    let found = report(&log, &observing, &["--answer", "allow"], 3)?;
    assert_eq!(changed(&found, "observed"), ids(&host, |record| text(record, "answer") == "allow"), "{found:#}");

    // Another rule of the host: denied before any policy is asked.
    let newer = seeds()?.toml("min_api_version = \"1.45\"");
    let found = report(&log, &newer, &["--user", "alice"], 3)?;
    let of_alice = |answer: &'static str| {
        ids(&host, move |record| text(record, "user") == "alice" && text(record, "answer") == answer)
    };
    assert_eq!(changed(&found, "now-denied"), of_alice("allow"), "{found:#}");
    assert_eq!(changed(&found, "other-reason"), of_alice("deny"), "{found:#}");
    assert_eq!(number(&found, "/replayed"), 3, "{found:#}");
    Ok(())
}

#[test]
fn tenants_are_those_of_the_new_configuration() -> Result<()> {
    let host = Config::new()?.policy("allow-all")?.start()?;
    for user in ["ci", "ann", "ci"] {
        assert!(Caller::named(user).list(&host.socket())?.allow);
    }
    let log = log_of(&host, 3)?;
    let new = Config::new()?.policy("allow-all")?.tenant("ci", CI)?.tenant_says("ci", "not today")?;
    let found = report(&log, &new, &[], 3)?;
    assert_eq!(changed(&found, "now-denied"), ids(&host, |record| text(record, "user") == "ci"), "{found:#}");
    assert_eq!((number(&found, "/moved"), number(&found, "/unchanged")), (2, 1), "{found:#}");
    let change = found.pointer("/changes/0").cloned().unwrap_or_default();
    assert_eq!(text(&change, "tenant"), "ci", "{change:#}");
    assert_eq!(change.get("was"), Some(&json!({ "answer": "allow" })), "{change:#}");
    assert_eq!(change.get("now"), Some(&json!({ "answer": "deny", "reason": "name: not today" })), "{change:#}");
    // The same, only observed.
    let observed = format!("mode = \"observe\"\n{CI}");
    let new = Config::new()?.policy("allow-all")?.tenant("ci", &observed)?.tenant_says("ci", "not today")?;
    let found = report(&log, &new, &[], 3)?;
    assert_eq!(changed(&found, "observed"), ids(&host, |record| text(record, "user") == "ci"), "{found:#}");
    Ok(())
}

#[test]
fn what_a_policy_asked_of_what_was_taken_out_is_told() -> Result<()> {
    let host = Config::new()?.policy("allow-all")?.start()?;
    assert!(create(&host, "ann", &json!({ "Image": "alpine", "Env": ["TOKEN=secret"] }))?);
    assert!(create(&host, "ann", &json!({ "Image": "alpine" }))?);
    let log = log_of(&host, 2)?;
    let written = std::fs::read_to_string(&log).doing_to("reading", &log)?;
    assert!(!written.contains("secret"), "{written}");
    // It looks everywhere, and denies.
    let new = Config::new()?.policy("spy")?.file("policies/spy.toml", b"grants = [\"state\", \"log\"]\n")?;
    let found = report(&log, &new, &[], 3)?;
    assert_eq!((number(&found, "/changed"), number(&found, "/uncertain_changed")), (2, 1), "{found:#}");
    // It looks at nothing.
    let new = Config::new()?.policy("deny-all")?;
    let found = report(&log, &new, &[], 3)?;
    assert_eq!((number(&found, "/changed"), number(&found, "/uncertain_changed")), (2, 0), "{found:#}");
    Ok(())
}

#[test]
fn damaged_lines_are_named_and_the_report_is_for_a_person() -> Result<()> {
    let host = seeds()?.start()?;
    let decisions = walk(&host)?;
    let log = log_of(&host, decisions)?;
    let mut lines = std::fs::read_to_string(&log).doing_to("reading", &log)?;
    let count = lines.lines().count();
    lines.push_str("{\"timestamp\":\"2026-11-25T08:00:00Z\",\"message\":\"decision\",\"id\":\"01K");
    std::fs::write(&log, &lines).doing_to("writing", &log)?;
    let lax = Config::new()?.policy("allow-all")?;
    let finished = replay(&log, &lax, &["--limit", "2"])?;
    assert_eq!(finished.code(), Some(3), "{finished:?}");
    let of_denied = ids(&host, |record| text(record, "answer") == "deny");
    let short = |id: &String| id.get(16..).unwrap_or_default().to_owned();
    let named = of_denied.iter().filter(|id| finished.stdout.contains(&short(id))).count();
    assert!(named >= 2, "{finished:?}");
    for text in [
        "9 decisions of 20",
        "6  would be allowed, and were denied",
        "3  stay as they are",
        "Would be allowed, and were denied",
        "ContainerCreate by bob",
        "was  user-roles: ",
        "more changes are not shown",
        "1 lines are damaged",
        &format!("decisions.log:{}: EOF while parsing", count + 1),
        "lines are no decisions",
        "portcullis why ID",
    ] {
        assert!(finished.stdout.contains(text), "{text} is not in\n{}", finished.stdout);
    }
    assert!(!finished.stdout.contains('\u{1b}'), "no colour, and no bar, where there is no terminal");
    assert_eq!(finished.stderr, "");
    Ok(())
}

#[test]
fn mistakes_are_told_before_anything_is_asked() -> Result<()> {
    let config = seeds()?;
    let folder = config.write()?.display().to_string();
    let cases: [(&[&str], i32, &str); 5] = [
        (&["/nothing/here.log", "--config", &folder], 1, "`/nothing/here.log` cannot be read"),
        (&["-", "--config", "/nothing"], 2, "cannot be read"),
        (&["--config", &folder], 2, "<LOG>"),
        (&["-", "--config", &folder, "--since", "yesterday"], 2, "`yesterday` is not a time"),
        (&["-", "--config", &folder, "--answer", "maybe"], 2, "`maybe` is not an answer"),
    ];
    for (arguments, code, told) in cases {
        let finished = portcullis::run(&[&["replay"][..], arguments].concat())?;
        assert_eq!(finished.code(), Some(code), "{arguments:?}: {finished:?}");
        assert!(finished.stderr.contains(told), "{arguments:?}: {finished:?}");
    }
    // An empty pipe is a log without decisions.
    let finished = portcullis::run(&["replay", "-", "--config", &folder])?;
    assert_eq!(finished.code(), Some(0), "{finished:?}");
    assert!(finished.stdout.contains("no decision was asked again"), "{finished:?}");
    Ok(())
}
