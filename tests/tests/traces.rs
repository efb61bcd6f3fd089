//! What a collector is told of decisions: every span where it belongs, nothing of the caller's, and nothing lost unseen.

use std::net::TcpListener;

use portcullis_tests::caller::Caller;
use portcullis_tests::collector::Collector;
use portcullis_tests::log::Log;
use portcullis_tests::portcullis::{Config, Portcullis, run};
use portcullis_tests::scrape::Scrape;
use portcullis_tests::{Error, Result, guests, wait};
use serde_json::{Value, json};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

fn traced(collector: &Collector, sample: &str) -> Result<Config> {
    let endpoint = collector.url("/v1/traces");
    Ok(Config::new()?.toml(&format!("[traces]\nendpoint = \"{endpoint}\"\nsample = {sample}")))
}

fn exported(host: &Portcullis, result: &str) -> f64 {
    let scrape = Scrape::of(&host.config().admin_socket()).unwrap_or_default();
    scrape.sum("portcullis_exported_total", &[("signal", "traces"), ("result", result)])
}

/// Waits for so many traces.
fn roots(collector: &Collector, count: usize) -> Result<Vec<Value>> {
    let roots = || collector.spans().into_iter().filter(|span| span["name"] == "authz").collect::<Vec<_>>();
    wait::until("the traces", wait::DEADLINE, || Some(roots()).filter(|roots| roots.len() >= count))
}

fn time(span: &Value, name: &str) -> u64 {
    span[name].as_str().and_then(|text| text.parse().ok()).unwrap_or_default()
}

fn attribute<'v>(span: &'v Value, key: &str) -> &'v Value {
    let attributes = span["attributes"].as_array().into_iter().flatten();
    let found = attributes.filter(|attribute| attribute["key"] == key).map(|attribute| &attribute["value"]);
    found
        .flat_map(|value| value.as_object().into_iter().flat_map(|value| value.values()))
        .next()
        .unwrap_or(&Value::Null)
}

#[test]
fn a_decision_is_one_trace_from_the_call_to_the_log() -> Result<()> {
    let collector = Collector::start()?;
    let config = traced(&collector, "1")?.policy("allow-all")?;
    let host = config.file("policies/broken.wasm", &guests::wasm("trap")?)?.start()?;
    let caller = Caller::named("alice-the-caller").header("traceparent", &format!("00-{TRACE}-{SPAN}-01"));
    assert!(!caller.create(&host.socket(), "secret-image")?.allow);
    let root = roots(&collector, 1)?.remove(0);
    let spans = collector.spans();
    let names: Vec<_> = spans.iter().map(|span| span["name"].as_str().unwrap_or_default()).collect();
    assert_eq!(names, ["authz", "parse", "wait", "read", "policy", "policy", "log"]);

    let expected = [
        ("portcullis.answer", json!("deny")),
        ("portcullis.cause", json!("fault")),
        ("portcullis.tenant", json!("default")),
        ("portcullis.operation", json!("ContainerCreate")),
    ];
    for (key, value) in &expected {
        assert_eq!(attribute(&root, key), value, "{key}");
    }
    assert_eq!((&root["kind"], &root["status"]["code"]), (&json!(2), &json!(2)), "{root:#}");
    // The caller's own word makes a link, and no parent.
    assert_eq!(root["links"], json!([{ "traceId": TRACE, "spanId": SPAN }]));
    assert_eq!(root["parentSpanId"], Value::Null);
    assert!(root["traceId"] != TRACE && root["traceId"].as_str().is_some_and(|id| id.len() == 32), "{root:#}");

    let (start, end) = (time(&root, "startTimeUnixNano"), time(&root, "endTimeUnixNano"));
    assert!(start > 0 && end > start, "{root:#}");
    let mut ids = vec![root["spanId"].clone()];
    for child in &spans[1..] {
        assert_eq!((&child["traceId"], &child["parentSpanId"]), (&root["traceId"], &root["spanId"]), "{child:#}");
        assert!(!ids.contains(&child["spanId"]), "{child:#}");
        ids.push(child["spanId"].clone());
        let (from, to) = (time(child, "startTimeUnixNano"), time(child, "endTimeUnixNano"));
        assert!(start <= from && from <= to && to <= end, "{child:#} is not within {root:#}");
    }
    let of_policies: Vec<_> = spans.iter().filter(|span| span["name"] == "policy").collect();
    let said = |span, key| attribute(span, key).as_str().unwrap_or_default().to_owned();
    assert_eq!(said(of_policies[0], "portcullis.verdict"), "allow");
    assert_eq!(
        (said(of_policies[1], "portcullis.policy"), said(of_policies[1], "portcullis.verdict")),
        ("broken".into(), "trap".into())
    );
    assert!(time(of_policies[0], "endTimeUnixNano") <= time(of_policies[1], "startTimeUnixNano"));

    let call = &collector.received()[0];
    assert_eq!((call.path.as_str(), call.content_type.as_str()), ("/v1/traces", "application/json"));
    assert_eq!(attribute(&call.body["resourceSpans"][0]["resource"], "service.name"), "portcullis");
    let text = call.body.to_string();
    assert!(!text.contains("alice-the-caller") && !text.contains("secret-image"), "{text}");
    Ok(())
}

#[test]
fn as_many_are_sampled_as_are_wanted() -> Result<()> {
    let collector = Collector::start()?;
    let host = traced(&collector, "0.5")?.policy("allow-all")?.start()?;
    for _ in 0..400 {
        assert!(Caller::anybody().list(&host.socket())?.allow);
    }
    // Of 400 with even chances, fewer than 140 or more than 260 come once in a thousand million times.
    wait::until("a good part of them", wait::DEADLINE, || (exported(&host, "sent") >= 140.0).then_some(()))?;
    let before = exported(&host, "sent");
    assert!(before <= 260.0, "{before} of 400 were sampled");
    let other = traced(&collector, "0")?.policy("allow-all")?.start()?;
    assert!(Caller::anybody().list(&other.socket())?.allow);
    assert_eq!((exported(&other, "sent"), exported(&other, "lost")), (0.0, 0.0));
    Ok(())
}

#[test]
fn what_a_busy_collector_refuses_comes_again_and_what_it_never_takes_is_lost_once() -> Result<()> {
    let collector = Collector::start()?;
    collector.answer_next(&[
        (503, ""),
        (429, ""),
        (200, "{}"),
        (400, "no"),
        (200, r#"{"partialSuccess":{"rejectedSpans":"1"}}"#),
    ]);
    let host = traced(&collector, "1")?.policy("allow-all")?.start()?;
    let list = || Caller::anybody().list(&host.socket());
    let statuses = || collector.received().iter().map(|received| received.status).collect::<Vec<_>>();
    assert!(list()?.allow);
    wait::until("the third try", wait::DEADLINE, || (exported(&host, "sent") == 1.0).then_some(()))?;
    assert_eq!(statuses(), [503, 429, 200]);
    assert_eq!(exported(&host, "lost"), 0.0);
    assert!(list()?.allow);
    wait::until("a loss", wait::DEADLINE, || (exported(&host, "lost") == 1.0).then_some(()))?;
    assert_eq!(statuses(), [503, 429, 200, 400], "what is wrong is not tried again");
    assert!(list()?.allow);
    wait::until("a loss in part", wait::DEADLINE, || (exported(&host, "lost") == 2.0).then_some(()))?;
    assert!(list()?.allow);
    wait::until("the next", wait::DEADLINE, || (exported(&host, "sent") == 2.0).then_some(()))?;
    let told = |text: &str| host.records(Log::START).iter().filter(|record| record.message().starts_with(text)).count();
    wait::until("the end of it", wait::DEADLINE, || {
        (told("the collector takes what is sent again") == 1).then_some(())
    })?;
    assert_eq!(told("not sent"), 1, "said once for both losses");
    Ok(())
}

#[test]
fn without_a_collector_decisions_go_on_and_what_waits_is_bounded() -> Result<()> {
    let nobody = Config::new()?.toml("[traces]\nendpoint = \"http://127.0.0.1:1/v1/traces\"\nsample = 1");
    let host = nobody.policy("allow-all")?.start()?;
    let mut connection = portcullis_tests::http::Connection::open(&host.socket())?;
    let call = portcullis_tests::plugin::call(portcullis_tests::plugin::REQUEST, &Caller::anybody().listing());
    for _ in 0..6_000 {
        connection.write(&call)?;
        let answer = connection.read()?;
        assert!(portcullis_tests::plugin::Reply::read(&answer)?.allow);
    }
    // The queue holds 4096, and one batch of 512 is being tried.
    wait::until("what found no room", wait::DEADLINE, || (exported(&host, "lost") >= 1_000.0).then_some(()))?;
    assert_eq!(exported(&host, "sent"), 0.0);
    Ok(())
}

#[test]
fn what_is_left_is_sent_when_the_host_stops() -> Result<()> {
    let collector = Collector::start()?;
    let host = traced(&collector, "1")?.policy("allow-all")?.start()?;
    for _ in 0..20 {
        assert!(Caller::anybody().list(&host.socket())?.allow);
    }
    let mark = host.mark();
    host.process().signal(rustix::process::Signal::TERM)?;
    host.wait_for(mark, "the end", |record| record.message() == "stopped")?;
    assert_eq!(roots(&collector, 20)?.len(), 20);
    Ok(())
}

#[test]
fn a_collector_that_hangs_does_not_hold_up_the_end() -> Result<()> {
    let silent = TcpListener::bind("127.0.0.1:0").and_then(|silent| Ok((silent.local_addr()?, silent)));
    let (address, silent) = silent.map_err(|error| Error::Unexpected(error.to_string()))?;
    let toml = format!("[traces]\nendpoint = \"http://{address}/v1/traces\"\nsample = 1");
    let host = Config::new()?.toml(&toml).policy("allow-all")?.start()?;
    assert!(Caller::anybody().list(&host.socket())?.allow);
    let _held = silent.accept().map_err(|error| Error::Unexpected(error.to_string()))?;
    let mark = host.mark();
    host.process().signal(rustix::process::Signal::TERM)?;
    // A call to a collector may take as long as the whole end may, ten seconds; the host would be ended before it says this.
    host.wait_for(mark, "the end", |record| record.message() == "stopped")?;
    assert_eq!(host.process().wait_for_end(wait::DEADLINE)?.code(), Some(0));
    let told = host.records(Log::START).into_iter().filter(|record| record.message().starts_with("not sent"));
    assert_eq!(told.count(), 1);
    Ok(())
}

#[test]
fn records_of_decisions_go_to_a_collector_as_they_go_elsewhere() -> Result<()> {
    let collector = Collector::start()?;
    let endpoint = collector.url("/v1/logs");
    let config = Config::new()?.policy("deny-all")?;
    let path = config.path().join("decisions.log");
    let config = config.toml(&format!(
        "[decision_log]\nsinks = [\"file\", \"otlp\"]\n[decision_log.file]\npath = {path:?}\n\
         [decision_log.otlp]\nendpoint = \"{endpoint}\""
    ));
    let host = config.start()?;
    for _ in 0..20 {
        assert!(!Caller::named("alice").list(&host.socket())?.allow);
    }
    let mark = host.mark();
    host.process().signal(rustix::process::Signal::TERM)?;
    host.wait_for(mark, "the end", |record| record.message() == "stopped")?;
    let sent = collector.log_records();
    let bodies: Vec<_> = sent.iter().filter_map(|record| record["body"]["stringValue"].as_str()).collect();
    let file = std::fs::read_to_string(&path).map_err(|error| Error::Unexpected(error.to_string()))?;
    assert_eq!(bodies, file.lines().collect::<Vec<_>>());
    assert_eq!(bodies.len(), 20);
    let first = &sent[0];
    assert_eq!((&first["severityNumber"], &first["severityText"]), (&json!(9), &json!("INFO")), "{first:#}");
    assert!(time(first, "timeUnixNano") > 1_600_000_000_000_000_000, "{first:#}");
    assert_eq!(attribute(first, "portcullis.answer"), "deny");
    assert_eq!(attribute(first, "portcullis.cause"), "denied");
    assert_eq!(attribute(first, "portcullis.tenant"), "default");
    assert_eq!(collector.received()[0].path, "/v1/logs");
    Ok(())
}

#[test]
fn a_configuration_that_is_wrong_is_told_with_every_mistake() -> Result<()> {
    for (toml, expected) in [
        ("[traces]\nsample = 0.5", "`[traces] endpoint` is missing"),
        ("[traces]\nendpoint = \"https://collector/v1/traces\"", "which is not `http://`"),
        ("[traces]\nendpoint = \"collector:4318\"", "`[traces] endpoint` is `collector:4318`"),
        ("[traces]\nendpoint = \"http://x/\"\nsample = 2", "`[traces] sample` is 2"),
        ("[traces]\nendpoint = \"http://x/\"\nsample = \"all\"", "`[traces] sample` is a string"),
        ("[traces]\nendpoint = \"http://me:secret@x/\"", "holds a user or a password"),
        ("[decision_log]\nsinks = [\"otlp\"]", "`[decision_log.otlp]` has no `endpoint`"),
        ("[decision_log]\nsinks = [\"otlp\"]\n[decision_log.otlp]", "endpoint` is missing"),
        ("[traces]\nendpiont = \"http://x/\"", "did you mean `endpoint`?"),
    ] {
        let config = Config::new()?.toml(toml);
        let folder = config.write()?.display().to_string();
        let refused = run(&["serve", "--config", &folder])?;
        assert_eq!(refused.code(), Some(2), "{toml}: {refused:?}");
        assert!(refused.stderr.contains(expected), "{toml}: {refused:?}");
        assert!(!refused.stderr.contains("secret"), "{toml}: {refused:?}");
    }
    Ok(())
}
