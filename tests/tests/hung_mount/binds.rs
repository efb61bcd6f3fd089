//! Containers that mount what does not answer.

use std::thread;

use portcullis_tests::scrape::Scrape;
use portcullis_tests::{Result, wait};

use crate::stage::Stage;

const CALLS: usize = 300;
/// Threads that one tenant's lookups can hold.
const HELD: f64 = 4.0;

fn stuck(stage: &Stage) -> Result<f64> {
    Ok(Scrape::of(&stage.host.config().admin_socket())?.sum("portcullis_stuck_lookups", &[]))
}

#[test]
fn a_hung_mount_denies_its_own_calls_and_stops_nobody_else() -> Result<()> {
    let stage = Stage::set()?;
    for tenant in ["a", "b"] {
        for folder in ["hung/there", "fine"] {
            let reply = stage.create(tenant, folder)?;
            assert!(reply.allow, "{tenant} {folder}: {reply:?}");
        }
    }
    stage.mount.hang()?;
    thread::scope(|scope| {
        let hung: Vec<_> = (0..CALLS).map(|_| scope.spawn(|| stage.create("a", "hung/there"))).collect();
        wait::until("a lookup is stuck", wait::DEADLINE, || {
            stuck(&stage).is_ok_and(|stuck| stuck > 0.0).then_some(())
        })?;
        for _ in 0..50 {
            let reply = stage.create("b", "fine")?;
            assert!(reply.allow, "others are decided: {reply:?}");
        }
        for call in hung {
            let reply = call.join().expect("no panic")?;
            let is_known = ["cannot be found out", "too many decisions"].iter().any(|text| reply.msg.contains(text));
            assert!(!reply.allow && is_known, "denied within the decision's time: {reply:?}");
        }
        Ok::<_, portcullis_tests::Error>(())
    })?;
    let held = stuck(&stage)?;
    assert!(held > 0.0 && held <= HELD, "{held} threads are held");
    the_operator_is_told(&stage)?;

    stage.mount.wake()?;
    wait::until("the threads come back", wait::DEADLINE, || {
        stuck(&stage).is_ok_and(|stuck| stuck == 0.0).then_some(())
    })?;
    let reply = stage.create("a", "hung/there")?;
    assert!(reply.allow, "it answers again: {reply:?}");
    assert_eq!(stage.admin("GET", "/v1/health/ready", b"")?["warnings"], serde_json::json!([]));
    Ok(())
}

/// Everything of the admin API answers, and names the path.
fn the_operator_is_told(stage: &Stage) -> Result<()> {
    let path = stage.folders.path("hung").display().to_string();
    let ready = stage.admin("GET", "/v1/health/ready", b"")?;
    assert_eq!(ready["is_ready"], true, "others are decided: {ready}");
    let warning = &ready["warnings"][0];
    assert_eq!(
        (&warning["tenant"], &warning["what"], &warning["name"]),
        (&"a".into(), &"mount".into(), &path.clone().into())
    );
    let tenants = &stage.admin("GET", "/v1/status", b"")?["tenants"];
    let tenant = tenants.as_array().into_iter().flatten().find(|tenant| tenant["name"] == "a").cloned();
    let problem = &tenant.unwrap_or_default()["problems"][0];
    assert_eq!((&problem["what"], &problem["name"]), (&"mount".into(), &path.into()));
    // A question is answered like a call, and whoever asks does not wait for the file system either.
    let source = stage.folders.path("hung/there").display().to_string();
    let question = serde_json::json!({
        "method": "POST", "path": "/v1.44/containers/create", "listener": "a",
        "body": { "HostConfig": { "Binds": [format!("{source}:/x:ro")] } },
    });
    let report = stage.admin("POST", "/v1/decide?explain=true", question.to_string().as_bytes())?;
    assert_eq!(report["answer"], "deny", "{report}");
    assert_eq!(report["explain"]["request"]["mounts"][0]["resolved"], serde_json::Value::Null, "{report}");
    Ok(())
}
