//! What tenants share and what they do not: policies, data, state, the default verdict.

use portcullis_tests::caller::Caller;
use portcullis_tests::portcullis::{Config, Portcullis};
use portcullis_tests::{Result, artifacts, guests};

use crate::Decision;

const OF_A: &str = "match = [{ user = \"a\" }]\n";
const OF_B: &str = "match = [{ user = \"b\" }]\n";
const OF_C: &str = "match = [{ user = \"c\" }]\n";

fn ask(host: &Portcullis, user: &str) -> Result<Decision> {
    Decision::of(host, &Caller::named(user))
}

#[test]
fn host_wide_policies_are_asked_for_everybody_first_and_a_tenants_own_for_nobody_else() -> Result<()> {
    let host = Config::new()?
        .file("policies/zz.wasm", &guests::wasm("allow")?)?
        .tenant("a", OF_A)?
        .tenant_says("a", "a")?
        .tenant("b", OF_B)?
        .start()?;
    let [of_a, of_b, of_others] = ["a", "b", "z"].map(|user| ask(&host, user));
    assert_eq!(of_a?.policies(), [["host", "zz", "allow", ""], ["tenant", "name", "deny", "a"]]);
    for decision in [of_b?, of_others?] {
        assert!(decision.reply.allow, "{:?}", decision.record);
        assert_eq!(decision.policies(), [["host", "zz", "allow", ""]]);
    }
    Ok(())
}

#[test]
fn a_host_wide_denial_cannot_be_undone_by_a_tenant() -> Result<()> {
    let host = Config::new()?
        .file("policies/stop.wasm", &guests::that_says("not here")?)?
        .tenant("a", &format!("default = \"allow\"\n{OF_A}"))?
        .tenant_policy("a", "allow-all")?
        // Its own policy of the same name takes nothing's place.
        .file("tenants/a/policies/stop.wasm", &guests::wasm("allow")?)?
        .start()?;
    let decision = ask(&host, "a")?;
    assert_eq!(decision.reply.msg, "stop: not here");
    let verdicts = decision.policies();
    assert_eq!(verdicts[0], ["host", "stop", "deny", "not here"]);
    assert_eq!(verdicts[1][..3], ["tenant", "allow-all", "allow"]);
    assert_eq!(verdicts[2][..3], ["tenant", "stop", "allow"]);
    Ok(())
}

/// The guest `answer` says what it finds in `/version/number`.
#[test]
fn a_tenants_documents_lie_over_the_host_wide_ones_for_its_own_policies_only() -> Result<()> {
    let answer = artifacts::policy_bytes("answer")?;
    let host = Config::new()?
        .file("policies/answer.wasm", &answer)?
        .file("data/version.json", br#"{"number": 1}"#)?
        .tenant("a", OF_A)?
        .file("tenants/a/policies/answer.wasm", &answer)?
        .file("tenants/a/data/version.json", br#"{"number": 2}"#)?
        .tenant("b", OF_B)?
        .file("tenants/b/policies/answer.wasm", &answer)?
        .file("tenants/b/data/else.json", br#"{"number": 3}"#)?
        .tenant("c", OF_C)?
        .file("tenants/c/policies/answer.wasm", &answer)?
        .file("tenants/c/data/version.json", br#"{"not": "a number"}"#)?
        .start()?;
    for (user, own, note) in [
        ("a", 2, "its own document"),
        ("b", 1, "the host-wide one, where it has none of that name"),
        ("c", -1, "its own document whole, and nothing below it of the host-wide one"),
    ] {
        let decision = ask(&host, user)?;
        let expected = [("host", 1), ("tenant", own)].map(|(_, data)| data);
        let found: Vec<i64> = decision.policies().iter().filter_map(|policy| data_in(policy[3])).collect();
        assert_eq!(found, expected, "{user}: {note}");
    }
    Ok(())
}

/// The number after `data` in what `answer` says.
fn data_in(reason: &str) -> Option<i64> {
    reason.rsplit_once("data ")?.1.parse().ok()
}

#[test]
fn each_tenant_has_its_own_default_verdict() -> Result<()> {
    for (of_host, of_default, others) in
        [("", "", false), ("default = \"allow\"", "", true), ("", "default = \"allow\"", true)]
    {
        let host = Config::new()?
            .toml(of_host)
            .tenant("default", of_default)?
            .tenant("a", &format!("default = \"allow\"\n{OF_A}"))?
            .tenant("b", &format!("default = \"deny\"\n{OF_B}"))?
            .tenant("c", OF_C)?
            .start()?;
        for (user, expected) in [("a", true), ("b", false), ("c", false), ("z", others)] {
            let decision = ask(&host, user)?;
            assert_eq!(decision.reply.allow, expected, "{user}: {of_host} {of_default}");
            assert_eq!(decision.record.text("cause"), "default", "{user}: {:?}", decision.record);
        }
    }
    Ok(())
}

const HELLO: &str = "say-hello: The request authorization failed. You must say hello first";
const STATE: &[u8] = b"grants = [\"state\"]";

fn hello(host: &Portcullis, user: &str) -> Result<Decision> {
    Decision::after(host, || Caller::named(user).create(&host.socket(), "hello-world"))
}

fn greeters(config: Config) -> Result<Config> {
    let tenant = |own: &str| format!("grants = [\"state\"]\n{own}");
    config
        .policy("say-hello")?
        .file("policies/say-hello.toml", STATE)?
        .tenant("a", &tenant(OF_A))?
        .tenant("b", &tenant(OF_B))
}

fn assert_greeted(host: &Portcullis, greeted: &[(&str, bool)], note: &str) -> Result<()> {
    for (user, expected) in greeted {
        let Decision { reply, record } = ask(host, user)?;
        assert_eq!(reply.allow, *expected, "{note}: {user}: {record:?}");
        assert_eq!(reply.msg, if *expected { "" } else { HELLO }, "{note}: {user}");
    }
    Ok(())
}

#[test]
fn what_a_host_wide_policy_keeps_for_one_tenant_is_not_there_for_another_also_after_a_crash() -> Result<()> {
    let mut host = greeters(Config::new()?)?.start()?;
    assert_greeted(&host, &[("a", false), ("b", false), ("z", false)], "before")?;
    assert!(hello(&host, "a")?.reply.allow);
    let only_a = [("a", true), ("b", false), ("z", false)];
    assert_greeted(&host, &only_a, "after a's hello")?;
    host.crash_and_restart()?;
    assert_greeted(&host, &only_a, "after a crash")?;
    assert!(hello(&host, "z")?.reply.allow);
    assert_greeted(&host, &[("a", true), ("b", false), ("z", true)], "after a hello of the default tenant")
}

#[test]
fn a_tenants_own_policy_keeps_apart_what_the_host_wide_one_of_its_name_keeps() -> Result<()> {
    let mut host = greeters(Config::new()?)?.start()?;
    assert!(hello(&host, "a")?.reply.allow);
    host.config().put("tenants/a/policies/say-hello.toml", STATE)?;
    host.config().put("tenants/a/policies/say-hello.wasm", &artifacts::policy_bytes("say-hello")?)?;
    host.hang_up()?;
    let verdicts =
        |decision: &Decision| decision.policies().iter().map(|policy| policy[2].to_owned()).collect::<Vec<_>>();
    assert_eq!(verdicts(&ask(&host, "a")?), ["allow", "deny"], "the host-wide one was greeted, its own was not");
    host.crash_and_restart()?;
    assert_eq!(verdicts(&ask(&host, "a")?), ["allow", "deny"], "after a crash");
    assert!(hello(&host, "a")?.reply.allow);
    host.crash_and_restart()?;
    assert_greeted(&host, &[("a", true), ("b", false)], "both were greeted by a, and none by b")
}
