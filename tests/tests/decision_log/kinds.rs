//! A run with every kind of decision: each has an ID that the caller is shown, and a record that is what the schema says.

use std::collections::BTreeSet;
use std::fs;

use portcullis_decision_log::record::DecisionRecord;
use portcullis_tests::log::Log;
use portcullis_tests::plugin::{self, Reply};
use portcullis_tests::portcullis::{Config, Portcullis};
use portcullis_tests::tls::Authority;
use portcullis_tests::{Error, Result, decisions, guests, wait};
use serde_json::{Value, json};

use crate::schema::Schema;
use crate::{ask, call, log_of, numbered, set, with_file};

/// A host that decides in every way that one can, by the user.
fn of_every_kind() -> Result<Config> {
    let tenant = |name: &str| format!("[[match]]\nuser = \"{name}\"\n");
    with_file("sinks = [\"file\", \"stderr\"]\nsync = false", "")?
        .listener("nowhere", "tenant = \"nobody\"")
        .tenant("default", "")?
        .tenant_policy("default", "bind-mounts")?
        .file(
            "tenants/default/policies/bind-mounts.toml",
            b"[settings]\nallow = [{ source = \"/tmp/bb\", writable = true, create = true }]\n",
        )?
        .tenant_policy("default", "allow-all")?
        .tenant_policy("default", "seccomp")?
        .file("tenants/default/policies/seccomp.toml", b"mode = \"observe\"\n")?
        .tenant("nothing", &tenant("nothing"))?
        .tenant("broken", &tenant("broken"))?
        .file("tenants/broken/data/x.json", b"{")?
        .tenant("trap", &tenant("trap"))?
        .file("tenants/trap/policies/trap.wasm", &guests::wasm("trap")?)?
        .tenant("gone", &tenant("gone"))?
        .file("tenants/gone/policies/gone.wasm", b"no policy")?
        .tenant("talks", &format!("grants = [\"log\"]\n{}", tenant("talks")))?
        .file("tenants/talks/policies/talks.wasm", &guests::wasm("flood_log")?)?
        .file("tenants/talks/policies/talks.toml", b"grants = [\"log\"]\n")?
        .tenant("owes", &format!("grants = [\"obligations\"]\n{}", tenant("owes")))?
        .file("tenants/owes/policies/owes.wasm", &guests::that_demands(&[("show-only", &["owner", "owes"])])?)?
        .file("tenants/owes/policies/owes.toml", b"grants = [\"obligations\"]\n")?
        .tenant("torn", &format!("grants = [\"obligations\"]\n{}", tenant("torn")))?
        .file(
            "tenants/torn/policies/torn.wasm",
            &guests::that_demands(&[("label", &["a", "1"]), ("label", &["a", "2"])])?,
        )?
        .file("tenants/torn/policies/torn.toml", b"grants = [\"obligations\"]\n")
}

fn by(user: &str, call: &[u8]) -> Result<Vec<u8>> {
    let mut call: Value = serde_json::from_slice(call).map_err(|error| Error::Unexpected(error.to_string()))?;
    set(&mut call, "User", user.into());
    set(&mut call, "UserAuthNMethod", "TLS".into());
    Ok(call.to_string().into_bytes())
}

/// Asserts that the log has what the caller was told, and gives the record: of an allow, the last one of the user.
fn logged(host: &Portcullis, reply: &Reply, cause: &str, user: Option<&str>) -> Result<DecisionRecord<'static>> {
    let log = log_of(host.config());
    let is_it = |record: &DecisionRecord| {
        let is_of_user = user.is_none_or(|user| record.user.as_deref() == Some(user));
        let is_allowed = || is_of_user && record.answer == "allow" && record.cause == cause;
        if reply.allow { is_allowed() } else { record.id.ends_with(&reply.id) }
    };
    let record = wait::until(&format!("the record of {reply:?}"), wait::DEADLINE, || {
        log.records().ok()?.into_iter().rfind(is_it)
    });
    let record = record.map_err(|error| Error::Unexpected(format!("{error}: {:#?}", log.records())))?;
    assert_eq!((&*record.cause, record.answer == "allow"), (cause, reply.allow), "{record:?}");
    if !reply.allow {
        assert_eq!(reply.id.len(), 10, "{reply:?}");
        assert_eq!(record.reason.as_deref(), Some(reply.msg.as_str()));
    }
    assert_eq!(record.peer.as_ref().map(|peer| (peer.uid, peer.pid.is_some())), Some((0, true)));
    Ok(record)
}

#[test]
fn every_kind_of_decision_has_an_id_and_a_record() -> Result<()> {
    let host = of_every_kind()?.start()?;
    let nothing = json!({});
    let list = call("GET", "/v1.44/containers/json?all=1", &nothing, None);
    let of = |user: &str, cause: &str| -> Result<DecisionRecord<'static>> {
        logged(&host, &ask(&host, &by(user, &list)?)?, cause, Some(user))
    };

    let allowed = of("alice", "allowed")?;
    assert_eq!(allowed.user.as_deref(), Some("alice"));
    assert_eq!(allowed.request.map(|request| request.uri).as_deref(), Some("/v1.44/containers/json?all=1"));
    assert!(allowed.policies.iter().all(|policy| policy.digest.is_some()) && allowed.policies.len() == 3);
    assert_eq!(of("nothing", "default")?.tenant.as_deref(), Some("nothing"));
    assert_eq!(of("broken", "data")?.policies, []);
    assert_eq!(of("trap", "fault")?.policies.last().map(|policy| policy.verdict.clone()).as_deref(), Some("trap"));
    assert_eq!(
        of("gone", "fault")?.policies.last().map(|policy| policy.verdict.clone()).as_deref(),
        Some("not-loadable")
    );
    let talks = of("talks", "allowed")?;
    let talks = talks.policies.last().map(|policy| (policy.log.len(), policy.log_dropped)).unwrap_or_default();
    assert!(talks.0 > 0 && talks.1 > 0, "{talks:?}");

    let owes = of("owes", "unmet")?.policies;
    assert_eq!(owes.first().map(|policy| policy.demands.join(" ")).as_deref(), Some("show only owner=owes"));
    assert!(owes.first().is_some_and(|policy| policy.unmet.is_some()), "{owes:?}");
    of("torn", "contradiction")?;

    let create = |body: &Value| call("POST", "/v1.44/containers/create", &nothing, Some(body));
    let binds = ["/proc/self/cwd:/x", "/usr/../nowhere/x:/y"];
    let bind = json!({ "Image": "x", "Env": ["A=b"], "HostConfig": { "Binds": binds, "Privileged": true } });
    let denied = logged(&host, &ask(&host, &create(&bind))?, "denied", None)?;
    assert_eq!(denied.policies.iter().map(|policy| &*policy.verdict).collect::<Vec<_>>(), ["allow", "deny", "deny"]);
    let request = denied.request.unwrap_or_default();
    assert_eq!((request.redacted, request.resolved.len()), (vec!["/body/Env/0".to_owned()], 2));
    assert_eq!(request.links, [("/usr/../nowhere/x".to_owned(), vec!["/usr".to_owned()])].into());
    assert_eq!(request.missing, ["/usr/../nowhere/x"]);

    let observed = json!({ "Image": "x", "HostConfig": { "Privileged": true } });
    let observed = logged(&host, &ask(&host, &by("bob", &create(&observed))?)?, "allowed", Some("bob"))?;
    assert_eq!(observed.would.map(|would| would.cause).as_deref(), Some("denied"));

    let ping = call("GET", "/_ping", &nothing, None);
    logged(&host, &ask(&host, &ping)?, "exempt", None)?;
    let old = logged(&host, &ask(&host, &call("POST", "/v1.12/containers/x/start", &nothing, None))?, "rule", None)?;
    assert_eq!((old.rule.as_deref(), old.operation.as_deref()), (Some("old-api-version"), Some("ContainerStart")));
    let empty = logged(&host, &ask(&host, b"")?, "bad-call", None)?;
    assert_eq!((empty.path, empty.request), (None, None));
    let unplaced = plugin::ask(&host.config().socket_of("nowhere"), &create(&bind))?;
    let unplaced = logged(&host, &unplaced, "unplaced", None)?;
    assert!(unplaced.problem.is_some() && unplaced.tenant.is_none());

    let pem = Authority::new()?.certificate("/CN=alice", "")?;
    let mut shown: Value =
        serde_json::from_slice(&by("alice", &list)?).map_err(|error| Error::Unexpected(error.to_string()))?;
    set(&mut shown, "RequestPeerCertificates", json!([base64_simd::STANDARD.encode_to_string(&pem)]));
    ask(&host, shown.to_string().as_bytes())?;
    let log = log_of(host.config());
    let shown = wait::until("the record with a certificate", wait::DEADLINE, || {
        log.records().ok()?.into_iter().find(|record| record.certificate.is_some())
    })?;
    let certificates = shown.request.map(|request| (request.certificates, request.authentication));
    assert_eq!(certificates, Some((vec![pem], Some("TLS".to_owned()))));

    let slow = slow()?;
    let log_fails = unwritable()?;
    let mut schema = Schema::read()?;
    let on_stderr = [&slow, &log_fails].into_iter().flat_map(|host| host.process().log().since(Log::START));
    let lines: Vec<String> = log.lines()?.into_iter().chain(on_stderr).collect();
    let mut causes = BTreeSet::new();
    for line in lines.iter().filter(|line| decisions::record(line).is_ok_and(|record| record.is_some())) {
        schema.check(line);
        causes.extend(decisions::record(line)?.map(|record| record.cause));
    }
    let expected = "allowed bad-call contradiction data default denied exempt fault log overloaded rule unmet unplaced";
    assert_eq!(causes.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(" "), expected);
    assert_eq!(schema.unseen(), BTreeSet::new(), "the schema names what never occurs");
    Ok(())
}

/// A host that has run out of time.
fn slow() -> Result<Portcullis> {
    let host = Config::new()?.toml("[limits]\ndecision_timeout = \"1ms\"");
    let host = host.file("policies/spin.wasm", &guests::wasm("spin")?)?.start()?;
    let mark = host.mark();
    let reply = ask(&host, &numbered(1))?;
    assert!(!reply.allow && reply.id.len() == 10, "{reply:?}");
    host.wait_for(mark, "the decision", |record| record.text("cause") == "overloaded")?;
    Ok(host)
}

/// A host whose log cannot be written: the record of the denial is where it can be.
fn unwritable() -> Result<Portcullis> {
    let config = with_file("sinks = [\"stderr\", \"file\"]\non_full = \"deny\"", "")?.policy("allow-all")?;
    fs::write(config.path().join("logs"), "not a folder").map_err(crate::io)?;
    let host = config.start()?;
    let mark = host.mark();
    let reply = ask(&host, &numbered(1))?;
    let record = host.wait_for(mark, "the decision", |record| record.text("cause") == "log")?;
    assert!(record.text("id").ends_with(&reply.id) && record.text("answer") == "deny", "{record:?}");
    Ok(host)
}
