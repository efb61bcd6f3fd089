//! How much a tenant may use, and that its neighbours do not notice when it uses all of it.

use std::sync::mpsc::channel;
use std::thread;

use portcullis_tests::caller::Caller;
use portcullis_tests::plugin::{self, Reply};
use portcullis_tests::portcullis::{Config, Portcullis, Record};
use portcullis_tests::{Error, Result, guests, wait};

use crate::{Decision, problem_of, said};

const OVERLOADED: &str = "too many decisions are in flight";
const REFUSED: &str = "policy cannot be loaded; calls are denied until it is mended";
const BOUNDS: &str = "grants = []\n\
    match = [{ user = \"a\" }]\n\
    [limits]\n\
    deadline = \"15ms\"\n\
    memory = \"1MiB\"\n\
    table_elements = 100\n\
    log_lines = 10\n\
    instructions = 1000000\n\
    state_keys = 5\n\
    state_bytes = \"1KiB\"\n";

/// What a policy's file asks, what is wrong with that, and what is expected.
const TOO_MUCH: [(&str, &str, &str, &str); 10] = [
    ("deadline", "[limits]\ndeadline = \"16ms\"", ":2: `[limits] deadline` is 16 ms", "expected 1 ms to 15 ms"),
    ("memory", "[limits]\nmemory = 1048577", ":2: `[limits] memory` is 1048577 bytes", "expected 64KiB to 1024KiB"),
    ("table", "[limits]\ntable_elements = 101", ":2: `[limits] table_elements` is 101", "expected at most 100"),
    (
        "lines",
        "[limits]\nlog_lines = 11",
        ":2: `[limits] log_lines` is 11",
        "expected at most 10, which is what the tenant has",
    ),
    ("count", "[limits]\ninstructions = 1000001", ":2: `[limits] instructions` is 1000001", "expected 1 to 1000000"),
    (
        "keys",
        "[limits]\nstate_keys = 6",
        ":2: `[limits] state_keys` is 6",
        "expected at most 5, which is what the tenant has",
    ),
    (
        "bytes",
        "[limits]\nstate_bytes = \"2KiB\"",
        ":2: `[limits] state_bytes` is 2048 bytes",
        "expected at most 1024 bytes, which is what the tenant has",
    ),
    (
        "log",
        "grants = [\"log\"]",
        ":1: `grants` has `log`, which the tenant is not granted",
        "ask the operator to put `log` into `grants` of tenant.toml",
    ),
    (
        "state",
        "\ngrants = [\"state\"]",
        ":2: `grants` has `state`, which the tenant is not granted",
        "ask the operator to put `state` into `grants` of tenant.toml",
    ),
    ("mode", "mode = \"watch\"", ":1: `mode` is `watch`", "expected \"enforce\" or \"observe\""),
];

#[test]
fn a_policy_that_asks_for_more_than_its_tenant_has_is_refused_until_the_tenant_has_it() -> Result<()> {
    let allow = guests::wasm("allow")?;
    let mut config = Config::new()?.tenant("a", BOUNDS)?;
    for (name, toml, _, _) in TOO_MUCH {
        config = config
            .file(&format!("tenants/a/policies/{name}.toml"), toml.as_bytes())?
            .file(&format!("tenants/a/policies/{name}.wasm"), &allow)?;
    }
    let host = config.start()?;
    let folder = host.config().path().join("tenants/a/policies");
    for (name, _, what, help) in TOO_MUCH {
        let is_its = |record: &Record| record.is_of("a") && record.text("name") == name && record.message() == REFUSED;
        let record = host.wait_for(portcullis_tests::log::Log::START, name, is_its)?;
        let expected = format!("{}{what}\n  help: {help}", folder.join(format!("{name}.toml")).display());
        assert_eq!(record.text("problem"), expected);
    }
    let decision = Decision::of(&host, &Caller::named("a"))?;
    assert_eq!(decision.record.text("cause"), "fault", "{:?}", decision.record);
    assert!(!decision.reply.msg.contains(&*host.config().path().to_string_lossy()), "{:?}", decision.reply);
    // The last is wrong in itself; everything else is there for a tenant that has it.
    host.config().remove("tenants/a/policies/mode.wasm")?;
    let more = "grants = [\"log\", \"state\"]\nmatch = [{ user = \"a\" }]\n";
    host.config().put("tenants/a/tenant.toml", more.as_bytes())?;
    host.hang_up()?;
    let decision = Decision::of(&host, &Caller::named("a"))?;
    assert!(decision.reply.allow, "{:?}", decision.record);
    assert_eq!(decision.policies().len(), TOO_MUCH.len() - 1);
    Ok(())
}

#[test]
fn a_policy_has_its_tenants_limits_where_it_asks_for_none() -> Result<()> {
    let tenant = |user: &str, limit: &str| format!("match = [{{ user = \"{user}\" }}]\n[limits]\n{limit}\n");
    let host = Config::new()?
        .tenant("a", &tenant("a", "deadline = \"7ms\""))?
        .file("tenants/a/policies/spin.wasm", &guests::wasm("spin")?)?
        .tenant("b", &tenant("b", "memory = \"1MiB\""))?
        .file("tenants/b/policies/grow.wasm", &guests::wasm("grow")?)?
        .tenant("c", &tenant("c", "instructions = 5000"))?
        .file("tenants/c/policies/spin.wasm", &guests::wasm("spin")?)?
        .start()?;
    for (user, verdict, text) in
        [("a", "deadline", "7 ms"), ("b", "memory", "1048576 bytes"), ("c", "instructions", "5000")]
    {
        let decision = Decision::of(&host, &Caller::named(user))?;
        let policies = decision.policies();
        assert_eq!(policies[0][2], verdict, "{policies:?}");
        assert!(policies[0][3].contains(text), "{policies:?}");
    }
    Ok(())
}

#[test]
fn lines_of_a_tenants_policies_are_bounded_by_the_second_and_others_lines_are_not_lost() -> Result<()> {
    let tenant = |user: &str| {
        format!("grants = [\"log\"]\nmatch = [{{ user = \"{user}\" }}]\n[limits]\nlog_lines_per_second = 7\n")
    };
    let mut config = Config::new()?;
    for user in ["a", "b"] {
        config = config
            .tenant(user, &tenant(user))?
            .file(&format!("tenants/{user}/policies/flood.toml"), b"grants = [\"log\"]")?
            .file(&format!("tenants/{user}/policies/flood.wasm"), &guests::wasm("flood_log")?)?;
    }
    let host = config.start()?;
    let lines = |user: &str| {
        let mark = host.mark();
        Decision::of(&host, &Caller::named(user))?;
        let records = host.records(mark);
        let of_policy = |record: &&Record| record.is_of(user) && record.text("policy") == "flood";
        let messages: Vec<_> = records.iter().filter(of_policy).map(|record| record.message().to_owned()).collect();
        Ok::<_, Error>(messages)
    };
    let dropped =
        |lines: u32| format!("{lines} more lines were dropped: `log_lines` or `log_lines_per_second` is reached");
    let first = [vec!["noise".to_owned(); 7], vec![dropped(4993)]].concat();
    assert_eq!(lines("a")?, first);
    let again = lines("a")?;
    assert!(again == first || again == [dropped(5000)], "in this second, or in the next: {again:?}");
    assert_eq!(lines("b")?, first, "b's lines are its own");
    Ok(())
}

fn spinning(limits: &str) -> Result<Portcullis> {
    let a = format!("match = [{{ user = \"a\" }}]\n[limits]\n{limits}\n");
    Config::new()?
        .toml("[limits]\ndecision_timeout = \"10m\"")
        .tenant("a", &a)?
        .file("tenants/a/policies/spin.wasm", &guests::wasm("spin")?)?
        .tenant("b", "match = [{ user = \"b\" }]")?
        .tenant_says("b", "b")?
        .start()
}

#[test]
fn who_fills_all_its_places_is_denied_and_nobody_else_waits() -> Result<()> {
    const CALLS: usize = 6;
    let host = spinning("deadline = \"3s\"\ndecisions = 2\nqueue = 1\nqueue_wait = \"50ms\"")?;
    let mark = host.mark();
    let (sender, replies) = channel();
    for _ in 0..CALLS {
        let (socket, sender) = (host.socket(), sender.clone());
        thread::spawn(move || sender.send(Caller::named("a").list(&socket)));
    }
    let next = || {
        let reply = replies.recv_timeout(wait::DEADLINE).map_err(|error| Error::Unexpected(error.to_string()))?;
        reply.map(|Reply { allow, msg, .. }| (allow, msg))
    };
    // Two spin and so take their time; the others, the one that waited among them, are answered first.
    for _ in 2..CALLS {
        assert_eq!(next()?, (false, OVERLOADED.to_owned()));
    }
    for _ in 0..20 {
        assert_eq!(Caller::named("b").list(&host.socket())?.msg, said("b"));
    }
    assert!(replies.try_recv().is_err(), "b was to be answered while a's places are taken");
    for _ in 0..2 {
        let (allow, message) = next()?;
        assert!(!allow && message.starts_with("spin: ") && message != OVERLOADED, "{message}");
    }
    let of_a = |cause| move |record: &&Record| record.is_of("a") && record.text("cause") == cause;
    let count = |cause| host.records(mark).iter().filter(of_a(cause)).count();
    wait::until("every line of a", wait::DEADLINE, || (count("fault") == 2).then_some(()))?;
    assert_eq!(count("overloaded"), CALLS - 2);
    Ok(())
}

#[test]
fn who_finds_all_places_taken_waits_for_one() -> Result<()> {
    let host = spinning("deadline = \"50ms\"\ndecisions = 1\nqueue = 3\nqueue_wait = \"10m\"")?;
    let calls: Vec<_> = (0..4)
        .map(|_| {
            let socket = host.socket();
            thread::spawn(move || Caller::named("a").list(&socket))
        })
        .collect();
    for call in calls {
        let reply = call.join().map_err(|_| Error::Unexpected("a caller panicked".into()))??;
        assert!(reply.msg.starts_with("spin: "), "{reply:?}");
    }
    Ok(())
}

/// What waits holds memory: a large call is answered at once.
#[test]
fn a_large_call_does_not_wait() -> Result<()> {
    let host = spinning("deadline = \"3s\"\ndecisions = 1\nqueue = 8\nqueue_wait = \"10m\"")?;
    let socket = host.socket();
    let spinning = thread::spawn(move || Caller::named("a").list(&socket));
    let large = Caller::named("a").header("X-Large", &"x".repeat(300 << 10)).listing();
    let overloaded = || plugin::ask(&host.socket(), &large).is_ok_and(|reply| reply.msg == OVERLOADED);
    wait::until("the place being taken", wait::DEADLINE, || overloaded().then_some(()))?;
    drop(spinning.join());
    Ok(())
}

#[test]
fn limits_change_while_the_host_runs() -> Result<()> {
    let host = spinning("deadline = \"5ms\"")?;
    let a = Caller::named("a");
    assert!(Decision::of(&host, &a)?.policies()[0][3].contains("5 ms"));
    host.config().put("tenants/a/tenant.toml", b"match = [{ user = \"a\" }]\nlimits = { deadline = \"9ms\" }")?;
    host.hang_up()?;
    assert!(Decision::of(&host, &a)?.policies()[0][3].contains("9 ms"));
    let mark = host.mark();
    host.config().put("tenants/a/tenant.toml", b"match = [{ user = \"a\" }]\nlimits = { deadline = \"11s\" }")?;
    let problem = problem_of(&host, mark, "a", "tenant cannot be loaded; the last good one stays")?;
    assert!(problem.contains(":2: `[limits] deadline` is 11 s"), "{problem}");
    assert!(Decision::of(&host, &a)?.policies()[0][3].contains("9 ms"));
    Ok(())
}
