//! Tenants by certificate, from the `docker` command to the answer: a real dockerd with TLS, and callers of two
//! organizational units who have the same name.

use portcullis_tests::command::Finished;
use portcullis_tests::portcullis::{self, Config, Record};
use portcullis_tests::tls::Authority;
use portcullis_tests::{Docker, Dockerd, Result, guests};

const RUN: [&str; 3] = ["run", "--rm", "hello-world"];
const PRIVILEGED: [&str; 4] = ["run", "--rm", "--privileged", "hello-world"];
const POWER: &str = "seccomp: a privileged container runs without a seccomp profile";
const STRANGER: &str = "name: not for strangers";
const UNPLACED: &str = "it cannot be told whose rules are to be asked";

fn assert_runs(finished: &Finished, note: &str) {
    assert!(finished.status.success(), "{note}: {finished:?}");
}

/// Asserts that it was refused for this reason, and that the caller was told nothing of tenants.
fn assert_denied(finished: &Finished, reason: &str, note: &str) {
    let sentence = format!("authorization denied by plugin {}: {reason}", portcullis::NAME);
    assert!(
        !finished.status.success() && finished.stderr.contains(&sentence),
        "{note}: no `{sentence}` in {finished:?}"
    );
    for tenant in ["builders", "watchers"] {
        assert!(!finished.stderr.contains(tenant), "{note}: {finished:?}");
    }
}

#[test]
fn two_units_get_two_answers_and_the_host_wide_policy_is_for_both() -> Result<()> {
    let host = Config::new()?
        .policy("seccomp")?
        .tenant("builders", "[[match]]\norganizational_unit = \"CI\"")?
        .tenant_policy("builders", "allow-all")?
        .tenant("watchers", "[[match]]\norganizational_unit = \"Support\"")?
        .tenant_policy("watchers", "user-roles")?
        .file("tenants/watchers/data/users.json", br#"{"alice": {"readOnly": true}}"#)?
        .tenant("default", "")?
        .tenant_says("default", "not for strangers")?
        .start()?;
    let setup = Dockerd::setup().guarded_by(portcullis::NAME, &host.config().plugin_folder());
    let dockerd = setup.with_tls(Authority::new()?).start()?;
    let caller = |subject| Docker::with_certificate(dockerd.tls()?, subject);
    let (builder, watcher) = (caller("/OU=CI/CN=alice")?, caller("/OU=Support/CN=alice")?);
    let denied = "user-roles: `alice` may only read, and ContainerCreate changes something";

    assert_runs(&builder.run(&RUN)?, "a builder runs a container");
    assert_runs(&watcher.run(&["ps"])?, "a watcher looks");
    assert_denied(&watcher.run(&RUN)?, denied, "a watcher runs a container");
    assert_denied(&builder.run(&PRIVILEGED)?, POWER, "a builder wants too much");
    assert_denied(&watcher.run(&PRIVILEGED)?, POWER, "a watcher wants too much");
    assert_denied(&caller("/OU=Sales/CN=alice")?.run(&["ps"])?, STRANGER, "one of no tenant");
    assert_denied(&Docker::new(&dockerd)?.run(&["ps"])?, STRANGER, "one without a certificate");
    assert_denied(&caller("/OU=CI/OU=Support/CN=alice")?.run(&["ps"])?, UNPLACED, "one of two tenants");

    // A swap of one tenant is nobody else's.
    let mark = host.mark();
    host.config().put("tenants/watchers/policies/user-roles.wasm", &guests::wasm("allow")?)?;
    host.wait_for(mark, "the swap", |record| record.is_of("watchers") && record.message() == "generation published")?;
    assert_runs(&watcher.run(&RUN)?, "a watcher who may more now");
    assert_runs(&builder.run(&RUN)?, "a builder as before");
    assert_denied(&watcher.run(&PRIVILEGED)?, POWER, "a watcher wants too much still");

    let decisions = host.records(portcullis_tests::log::Log::START);
    let of = |tenant| move |record: &&Record| record.is_of(tenant) && record.message() == "decision";
    for tenant in ["builders", "watchers"] {
        assert!(decisions.iter().filter(of(tenant)).count() > 0, "the log names {tenant}");
        assert!(decisions.iter().filter(of(tenant)).all(|record| record.text("user") == "alice"), "{tenant}");
    }
    Ok(())
}
