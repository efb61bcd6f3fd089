use std::collections::BTreeMap;
use std::path::Path;

use portcullis_model as model;

use super::cases::{Answer, Case, Expected, Kept, Outcome};
use super::*;
use crate::{Document, Request, Verdict, log, settings, state};

fn case(yaml: &str) -> Result<Case, serde_yaml_ng::Error> {
    serde_yaml_ng::from_str(yaml)
}

/// Counts calls, and denies from the limit on.
fn count(request: &Request, data: &Document) -> Verdict {
    let user = request.user().unwrap_or_default();
    let count = state::add("count", 1);
    log::info(&format!("{user}: {count}"));
    match data.at(["limits", &user]).integer().or_else(|| settings().integer("/limit")) {
        Some(limit) if count > limit => Verdict::deny(format!("{count} calls of {limit}\nby {user}")),
        Some(_) => Verdict::allow(),
        None => Verdict::abstain(),
    }
}

#[test]
fn a_policy_keeps_its_state_and_has_its_settings_and_data() {
    let mut policy = Policy::new(count).settings(json!({"limit": 1})).data(json!({"limits": {"a/b~c": 2}}));
    let call = Call::get("/v1.41/containers/json");
    assert_eq!(policy.ask(&call), Verdict::allow());
    assert_eq!(policy.ask(&call), Verdict::deny("2 calls of 1\nby "));
    assert_eq!(policy.ask(&call.user("a/b~c")), Verdict::deny("3 calls of 2\nby a/b~c"));
    assert_eq!(policy.kept(), &BTreeMap::from([("count".to_owned(), 3_i64.to_le_bytes().to_vec())]));
    let last = policy.log().last().expect("it wrote");
    assert_eq!((last.level, last.message.as_str()), (Level::Info, "a/b~c: 3"));

    assert_eq!(Policy::new(count).ask(&Call::get("/info")), Verdict::abstain());
    assert_eq!(state::get("count"), None, "nothing stays behind on the thread");
}

/// Keeps the letters of all users who called.
fn remember(request: &Request, _: &Document) -> Verdict {
    state::update("users", |users| {
        let mut users = users.unwrap_or_default().to_vec();
        users.extend(request.user()?.bytes());
        Some(users)
    });
    Verdict::abstain()
}

#[test]
fn an_update_changes_what_is_kept() {
    let call = Call::get("/info");
    let mut policy = Policy::new(remember);
    policy.ask(&call.clone().user("a"));
    policy.ask(&call.clone().user("b"));
    assert_eq!(policy.kept().get("users").map(Vec::as_slice), Some(&b"ab"[..]));
    policy.ask(&call);
    assert!(policy.kept().is_empty(), "none removes it");
}

#[test]
#[should_panic(expected = "does not hold a counter")]
fn a_fault_ends_the_test() {
    Policy::new(count).state("count", "text").ask(&Call::get("/info"));
}

#[test]
#[should_panic(expected = "host rule `unknown-operation`")]
fn a_call_that_the_host_refuses_ends_the_test() {
    Policy::new(count).ask(&Call::get("/nowhere"));
}

#[test]
fn what_is_no_case_is_refused() {
    let cases = [
        ("an unknown key", "{note: n, request: {method: GET, target: /info}, expect: allow, expects: deny}"),
        ("an unknown key of the request", "{note: n, request: {method: GET, target: /info, bdoy: 1}, expect: allow}"),
        ("no note", "{request: {method: GET, target: /info}, expect: allow}"),
        ("no expectation", "{note: n, request: {method: GET, target: /info}}"),
        ("an unknown expectation", "{note: n, request: {method: GET, target: /info}, expect: permit}"),
        ("a denial without a text", "{note: n, request: {method: GET, target: /info}, expect: deny}"),
        ("two expectations", "{note: n, request: {method: GET, target: /info}, expect: {deny: a, refused: b}}"),
        ("a state that is no text", "{note: n, request: {method: GET, target: /info}, expect: allow, state: {a: [1]}}"),
    ];
    for (note, yaml) in cases {
        assert!(case(yaml).is_err(), "{note}");
    }
}

#[test]
fn a_case_has_one_call() {
    let call = "request: {method: GET, target: /info}";
    for (note, yaml) in [
        ("none", "{note: n, expect: allow}".to_owned()),
        ("two", format!("{{note: n, {call}, call: plugin-call.json, expect: allow}}")),
        ("a file that is not there", "{note: n, call: nowhere.json, expect: allow}".to_owned()),
    ] {
        let case = case(&yaml).expect("a case");
        assert!(case.given(Path::new("cases")).is_err(), "{note}");
    }
}

fn kept_bytes(value: &str) -> Vec<u8> {
    let kept = value.parse().map_or_else(|_| Kept::Text(value.to_owned()), Kept::Counter);
    kept.bytes()
}

#[test]
fn a_case_compares_what_came_of_it() {
    let verdict = |verdict| Answer::Verdict(verdict);
    let deny = |reason| verdict(model::Verdict::Deny(model::Reason::new(reason)));
    let allow = || verdict(model::Verdict::Allow);
    let refused = |rule: &str| Answer::Refused(rule.to_owned());
    let fault = || Answer::Fault("the policy overflowed its stack".to_owned());
    let cases = [
        ("allow", "", allow(), "", true),
        ("allow", "", verdict(model::Verdict::Abstain), "", false),
        ("allow", "", deny("no"), "", false),
        ("allow", "", refused("form-body"), "", false),
        ("allow", "", fault(), "", false),
        ("abstain", "", verdict(model::Verdict::Abstain), "", true),
        ("abstain", "", allow(), "", false),
        ("{deny: may not}", "", deny("this may\nnot be"), "", true),
        ("{deny: may not}", "", deny("no"), "", false),
        ("{deny: may not}", "", allow(), "", false),
        ("{deny: overflowed}", "", fault(), "", false),
        ("{refused: form-body}", "", refused("form-body"), "", true),
        ("{refused: form-body}", "", refused("start-body"), "", false),
        ("{refused: form-body}", "", deny("form-body"), "", false),
        ("allow", "state: {a: 1, b: x}", allow(), "a=1,b=x", true),
        ("allow", "state: {a: 1}", allow(), "a=2", false),
        ("allow", "state: {a: 1}", allow(), "", false),
        ("allow", "", allow(), "a=1", false),
        ("allow", "state: {a: 1}, state_after: {a: 2}", allow(), "a=2", true),
        ("allow", "state: {a: 1}, state_after: {}", allow(), "a=1", false),
    ];
    for (expect, state, answer, kept, matches) in cases {
        let separator = if state.is_empty() { "" } else { ", " };
        let yaml = format!("{{note: n, request: {{method: GET, target: /info}}, expect: {expect}{separator}{state}}}");
        let case = case(&yaml).unwrap_or_else(|error| panic!("{yaml}: {error}"));
        let pairs = kept.split(',').filter_map(|pair| pair.split_once('='));
        let kept = pairs.map(|(key, value)| (key.to_owned(), kept_bytes(value))).collect();
        let outcome = Outcome { answer, demanded: Vec::new(), state: kept };
        assert_eq!(case.check(&outcome).is_ok(), matches, "{yaml}: {outcome:?}");
    }
}

#[test]
fn a_case_gives_what_it_says() {
    let case = case(
        "{note: n, request: {method: POST, target: '/v1.41/containers/create?name=x', user: bob, headers: {X-Trace: '7'},
          body: {Image: alpine, HostConfig: {Binds: ['/srv/link/x:/x']}}}, paths: {/srv/link: /etc},
          settings: {a: 1}, data: {users: {bob: {}}}, state: {n: -3, text: '3x'}, expect: allow}",
    )
    .expect("a case");
    assert_eq!(case.expect, Expected::Allow);
    let given = case.given(Path::new("cases")).expect("it can be run");
    let request = given.request.expect("no rule refuses it");
    assert_eq!(
        (request.operation(), request.user(), request.authentication()),
        ("ContainerCreate", Some("bob"), Some("TLS"))
    );
    assert_eq!((request.header("x-trace"), request.header("content-type")), (Some("7"), Some("application/json")));
    assert_eq!(request.mounts().first().and_then(|mount| mount.resolved.as_deref()), Some("/etc/x"));
    assert_eq!(given.settings.root().to_json(), r#"{"a":1}"#);
    assert!(given.data.lookup("/users/bob").is_some());
    assert_eq!(
        given.state,
        BTreeMap::from([("n".to_owned(), (-3_i64).to_le_bytes().to_vec()), ("text".to_owned(), b"3x".to_vec())])
    );
}

#[test]
#[should_panic(expected = "there are no cases")]
fn a_folder_without_cases_is_a_failure() {
    run::run_folder(count, crate::__private::anything, Path::new("src"));
}

#[test]
#[should_panic(expected = "1 of 2 cases are not as expected")]
fn a_case_that_is_not_as_expected_is_a_failure() {
    run::run_folder(count, crate::__private::anything, Path::new("tests/cases"));
}
