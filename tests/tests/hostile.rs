//! Hostile guests: each its own cause, the host alive, and the next decision right.

#![expect(clippy::expect_used, clippy::panic, reason = "tests end so")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use portcullis_docker::{NoResolve, Reader, Rules, wire};
use portcullis_engine::{
    CompileRequest, Compiler, Grants, LoadError, Outcome, Owner, Policy, Question, Sandbox, SandboxConfig,
    TenantBudget, When,
};
use portcullis_model::{Fault, Limits, Request, Verdict};
use portcullis_tests::log::Mark;
use portcullis_tests::portcullis::{Config, Portcullis, Record};
use portcullis_tests::{Result, guests, plugin};

const CALL: &str = r#"{"RequestMethod":"GET","RequestUri":"/v1.44/containers/json"}"#;

/// What a guest comes to: refused at load, with this in the message; or a fault of this kind when it is asked.
enum Expected {
    Refused(&'static str),
    Fault(&'static str, &'static str),
    Denied(&'static str),
    Allowed,
}

#[rustfmt::skip]
const GUESTS: [(&str, Expected); 24] = [
    ("allow", Expected::Allowed),
    ("big_memory", Expected::Refused("asked for more than its 33554432 bytes of memory")),
    ("env_import", Expected::Refused("cannot be made a component")),
    ("flood_log", Expected::Allowed),
    ("grow", Expected::Fault("memory", "asked for more than its 33554432 bytes of memory")),
    ("grow_table", Expected::Fault("table", "asked for more than its 20000 table elements")),
    ("huge_reason", Expected::Fault("bad-answer", "a reason of 10485760 bytes")),
    ("keep_handles", Expected::Fault("bad-answer", "borrow handles still remain")),
    ("no_contract.module", Expected::Refused("does not carry the contract")),
    ("no_export.component", Expected::Refused("does not export `portcullis:policy/authorizer`")),
    ("no_such_verdict", Expected::Fault("bad-answer", "")),
    ("panic", Expected::Fault("panic", "index out of bounds, src/lib.rs:7")),
    ("reason_not_utf8", Expected::Fault("bad-answer", "utf-8")),
    ("reason_out_of_bounds", Expected::Fault("bad-answer", "out of bounds")),
    ("recurse", Expected::Fault("stack-overflow", "overflowed its stack")),
    ("remember", Expected::Allowed),
    ("spin", Expected::Fault("deadline", "more than its 20 ms")),
    ("spin_at_start", Expected::Refused("more than its 20 ms")),
    ("terminal_reason", Expected::Denied("[2Jgone")),
    ("trap", Expected::Fault("trap", "integer divide by zero (in `divide_by_zero`)")),
    ("trap_at_start", Expected::Refused("trapped: wasm `unreachable` instruction executed (in `start`)")),
    ("unknown_import.component", Expected::Refused("`example:spy/eavesdrop@1.0.0`, which this host does not have")),
    ("wasi.component", Expected::Refused("`wasi:clocks/monotonic-clock@0.2.0`, which this host does not have")),
    ("wrong_type.component", Expected::Refused("is not a policy of this contract")),
];

fn sandbox() -> Sandbox {
    Sandbox::new(&SandboxConfig { instances: 4, cache: None, compiler: Compiler::InProcess }).expect("a sandbox")
}

fn question() -> Question {
    let reader = Reader::new(Rules::default(), Arc::new(NoResolve));
    let request = reader.read(wire::read_call(CALL.as_bytes()).expect("a call")).expect("a request");
    let request: Arc<dyn Request> = Arc::new(request);
    Question {
        request,
        data: Arc::default(),
        settings: Arc::default(),
        state: None,
        budget: TenantBudget::new(512 << 20),
    }
}

fn order(bytes: &[u8]) -> CompileRequest<'_> {
    CompileRequest { bytes, owner: Owner::Host, when: When::Start, metered: false }
}

async fn load(sandbox: &Sandbox, bytes: &[u8]) -> Result<Policy, LoadError> {
    let policy = sandbox.compile(&order(bytes))?.link(Grants::ALL)?;
    policy.probe(&Arc::default(), &Limits::default()).await?;
    Ok(policy)
}

async fn ask(policy: &Policy) -> Outcome {
    policy.decide(question(), &Limits::default()).await
}

#[tokio::test]
async fn every_hostile_guest_has_its_own_cause_and_the_host_goes_on() {
    let sandbox = sandbox();
    let good = load(&sandbox, &guests::wasm("allow").expect("a guest")).await.expect("loads");
    for (name, expected) in GUESTS {
        let loaded = load(&sandbox, &guests::wasm(name).expect(name)).await;
        match (expected, loaded) {
            (Expected::Refused(text), Err(error)) => {
                assert!(error.to_string().contains(text), "{name}: {error}");
            }
            (Expected::Refused(_), Ok(_)) => panic!("{name}: loaded"),
            (_, Err(error)) => panic!("{name}: refused: {error}"),
            (expected, Ok(policy)) => check(name, expected, ask(&policy).await.judgement),
        }
        assert_eq!(ask(&good).await.judgement, Ok(Verdict::Allow), "after {name}");
    }
}

fn check(name: &str, expected: Expected, judgement: Result<Verdict, Fault>) {
    match (expected, judgement) {
        (Expected::Fault(kind, text), Err(fault)) => {
            assert_eq!(fault.kind().as_str(), kind, "{name}: {fault}");
            assert!(fault.to_string().to_lowercase().contains(text), "{name}: {fault}");
        }
        (Expected::Denied(text), Ok(Verdict::Deny(reason))) => assert_eq!(reason.as_str(), text, "{name}"),
        (Expected::Allowed, Ok(Verdict::Allow)) => {}
        (_, judgement) => panic!("{name}: {judgement:?}"),
    }
}

/// The same guests in the real host, one after the other, beside a policy that allows everything.
#[test]
fn every_hostile_guest_is_a_denial_of_the_real_host_which_goes_on() -> Result<()> {
    let host = Config::new()?.policy("allow-all")?.file("policies/guest.toml", b"grants = [\"log\"]")?.start()?;
    for (name, expected) in GUESTS {
        let mark = host.mark();
        host.config().put("policies/guest.wasm", &guests::wasm(name)?)?;
        published(&host, mark)?;
        let reply = plugin::ask(&host.socket(), CALL.as_bytes())?;
        // The second policy is the guest; the line of an earlier question may come late, and has only one.
        let verdict = |record: &Record| Some(record.field("policies")?.get(1)?.get("verdict")?.as_str()?.to_owned());
        let decision = host.wait_for(mark, "a decision of the guest", |record| verdict(record).is_some())?;
        let said = verdict(&decision);
        let said = said.as_deref();
        match expected {
            Expected::Allowed => assert!(reply.allow, "{name}: {reply:?}"),
            Expected::Denied(text) => assert_eq!(reply.msg, format!("guest: {text}"), "{name}"),
            Expected::Refused(_) => assert_eq!(said, Some("not-loadable"), "{name}: {reply:?}"),
            Expected::Fault(kind, _) => assert_eq!(said, Some(kind), "{name}: {reply:?}"),
        }
        let allowed = matches!(expected, Expected::Allowed);
        assert!(reply.allow == allowed && reply.msg.is_empty() == allowed, "{name}: {reply:?}");
        let mark = host.mark();
        host.config().remove("policies/guest.wasm")?;
        published(&host, mark)?;
        assert!(plugin::ask(&host.socket(), CALL.as_bytes())?.allow, "after {name}");
    }
    Ok(())
}

fn published(host: &Portcullis, mark: Mark) -> Result<()> {
    host.wait_for(mark, "a generation", |record| record.message() == "generation published").map(drop)
}

#[test]
fn every_guest_is_asked() {
    let there: BTreeSet<_> = guests::names().expect("the folder").into_iter().collect();
    let asked: BTreeSet<_> = GUESTS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(there, asked);
}

#[tokio::test]
async fn what_is_not_webassembly_is_refused() {
    let sandbox = sandbox();
    for bytes in [&b""[..], b"\0as", b"#!/bin/sh\necho hello\n", b"\0asm\xff\xff\xff\xff", b"\0asm\x0d\0\x01\0garbage"]
    {
        let error = load(&sandbox, bytes).await.expect_err("refused");
        assert!(matches!(error, LoadError::NotWasm { .. } | LoadError::Invalid(_)), "{bytes:?}: {error}");
    }
}

#[tokio::test]
async fn a_guest_that_is_cut_off_at_any_byte_is_refused() {
    let sandbox = sandbox();
    let whole = guests::wasm("allow").expect("a guest");
    for length in 0..whole.len() {
        assert!(load(&sandbox, &whole[..length]).await.is_err(), "cut at {length} of {}", whole.len());
    }
}

#[tokio::test]
async fn what_is_not_granted_is_refused_by_name_and_with_the_grant() {
    let sandbox = sandbox();
    let compiled = sandbox.compile(&order(&guests::wasm("flood_log").expect("a guest"))).expect("compiles");
    let error = compiled.link(Grants::default()).expect_err("refused");
    assert_eq!(error.to_string(), "imports `portcullis:policy/log@0.2.0`, which needs `grants = [\"log\"]`",);
}

#[tokio::test]
async fn log_lines_are_bounded_and_what_is_dropped_is_counted() {
    let sandbox = sandbox();
    let policy = load(&sandbox, &guests::wasm("flood_log").expect("a guest")).await.expect("loads");
    let outcome = ask(&policy).await;
    assert_eq!((outcome.log.len(), outcome.log_dropped), (100, 4900));
}

/// Memory, tables and globals are new in each instance, whatever the pool keeps.
#[tokio::test]
async fn nothing_of_an_earlier_instance_is_left() {
    let sandbox = sandbox();
    let policy = load(&sandbox, &guests::wasm("remember").expect("a guest")).await.expect("loads");
    for round in 0..2_000 {
        assert_eq!(ask(&policy).await.judgement, Ok(Verdict::Allow), "round {round}");
    }
}

/// Sixteen guests spin on two threads and four places: everyone ends at its own deadline, and who does not spin is
/// answered meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guests_that_spin_hold_no_thread() {
    let sandbox =
        Sandbox::new(&SandboxConfig { instances: 32, cache: None, compiler: Compiler::InProcess }).expect("a sandbox");
    let spin = load(&sandbox, &guests::wasm("spin").expect("a guest")).await.expect("loads");
    let good = load(&sandbox, &guests::wasm("allow").expect("a guest")).await.expect("loads");
    let limits = Limits { deadline: Duration::from_millis(100), ..Limits::default() };
    let spinning: Vec<_> = (0..16)
        .map(|_| {
            let (spin, limits) = (spin.clone(), limits.clone());
            tokio::spawn(async move { spin.decide(question(), &limits).await })
        })
        .collect();
    let mut answered = 0;
    while !spinning.iter().all(tokio::task::JoinHandle::is_finished) {
        assert_eq!(ask(&good).await.judgement, Ok(Verdict::Allow));
        answered += 1;
        tokio::task::yield_now().await;
    }
    assert!(answered > 10, "answered {answered} meanwhile");
    for task in spinning {
        let outcome = task.await.expect("no panic");
        assert_eq!(outcome.judgement, Err(Fault::Deadline { limit: Duration::from_millis(100) }));
    }
}
