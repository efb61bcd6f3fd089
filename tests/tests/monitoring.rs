//! The book, the dashboard and the alerts are held to what a host tells a scraper.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use portcullis_tests::command::Finished;
use portcullis_tests::log::Log;
use portcullis_tests::portcullis::{Config, Portcullis};
use portcullis_tests::prometheus::Prometheus;
use portcullis_tests::scrape::Scrape;
use portcullis_tests::tls::Authority;
use portcullis_tests::{Error, Result, admin, artifacts, plugin, wait};
use serde_json::Value;

const CALL: &[u8] = br#"{"RequestMethod":"GET","RequestUri":"/v1.41/containers/json"}"#;
/// What Prometheus itself says of each target.
const OF_PROMETHEUS: [&str; 1] = ["up"];
/// Labels that Prometheus adds, and the one of buckets.
const ADDED: [&str; 3] = ["instance", "job", "le"];
const FUNCTIONS: [&str; 10] =
    ["sum", "min", "max", "rate", "increase", "topk", "histogram_quantile", "label_values", "vector", "time"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(page: &str) -> Result<String> {
    let path = root().join(page);
    std::fs::read_to_string(&path).map_err(|error| Error::Unexpected(format!("{}: {error}", path.display())))
}

/// A host that has done a little of everything, and sends traces to nobody.
fn scrape() -> Result<Scrape> {
    let authority = Authority::new()?;
    let config = Config::new()?.toml("[traces]\nendpoint = \"http://127.0.0.1:1/v1/traces\"\nsample = 1\n");
    let client = "[[admin.client]]\ncommon_name = \"a\"\nscopes = [\"read\"]\n";
    let config = config.toml(&admin::listen_to_clients(&authority)).toml(client);
    let config = config.policy("allow-all")?.file("policies/broken.wasm", b"no policy")?;
    let config = config.file("policies/broken.toml", b"mode = \"observe\"")?;
    let host: Portcullis = config.start()?;
    plugin::ask(&host.socket(), CALL)?;
    plugin::ask(&host.socket(), b"{}")?;
    Scrape::of(&host.config().admin_socket())?;
    Scrape::of(&host.config().admin_socket())
}

/// A row of the book: type and labels, by metric.
fn told() -> Result<BTreeMap<String, (String, BTreeSet<String>)>> {
    let page = read("docs/operators/monitoring.md")?;
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    let row = |line: &str| {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let &["", name, kind, labels, meaning, ""] = cells.as_slice() else { return None };
        let labels =
            labels.split(", ").filter(|label| !label.is_empty()).map(|label| label.trim_matches('`').to_owned());
        (!meaning.is_empty()).then(|| (name.trim_matches('`').to_owned(), (kind.to_owned(), labels.collect())))
    };
    rows.map(|line| row(line).ok_or_else(|| Error::Unexpected(format!("a row of another shape: {line}")))).collect()
}

#[test]
fn the_book_has_every_metric_and_no_other() -> Result<()> {
    let scrape = scrape()?;
    let told = told()?;
    let mut there = BTreeMap::new();
    for (name, family) in &scrape.families {
        assert!(!family.help.is_empty(), "{name}");
        let name_of_samples = if family.kind == "counter" { format!("{name}_total") } else { name.clone() };
        there.insert(name_of_samples, (family.kind.clone(), scrape.labels(name)));
    }
    assert_eq!(told.keys().collect::<Vec<_>>(), there.keys().collect::<Vec<_>>());
    for (name, (kind, labels)) in &there {
        let expected = told.get(name).cloned().unwrap_or_default();
        assert_eq!((kind, labels), (&expected.0, &expected.1), "`{name}`");
    }
    Ok(())
}

/// The parts of a PromQL expression, as far as names need them: a metric with the labels that it is asked for, and the labels
/// by which is summed.
#[derive(Debug, Default, PartialEq)]
struct Expression {
    metrics: Vec<(String, Vec<String>)>,
    labels: Vec<String>,
}

/// Reads an expression. What is not balanced, or names a function that is not known here, is refused.
fn parse(text: &str) -> std::result::Result<Expression, String> {
    let tokens = tokens(text)?;
    let mut expression = Expression::default();
    let mut open = Vec::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let next = tokens.get(at + 1).map(String::as_str);
        at += 1;
        match token.as_str() {
            "by" | "without" if next == Some("(") => {
                let end = at + tokens.iter().skip(at).position(|token| token == ")").ok_or("a list without an end")?;
                expression
                    .labels
                    .extend(tokens.get(at + 1..end).unwrap_or_default().iter().filter(|t| *t != ",").cloned());
                at = end + 1;
            }
            "{" => {
                let end = at + tokens.iter().skip(at).position(|token| token == "}").ok_or("a `{` without an end")?;
                let matchers: Vec<_> = tokens.get(at..end).unwrap_or_default().split(|token| token == ",").collect();
                let labels = matchers.iter().map(|matcher| match matcher {
                    [label, operator, value] if operator.contains('=') && value.starts_with('"') => Ok(label.clone()),
                    other => Err(format!("{other:?} is no matcher")),
                });
                let labels: Vec<_> = labels.collect::<std::result::Result<_, _>>()?;
                let metric = expression.metrics.last_mut().ok_or("labels without a metric")?;
                metric.1.extend(labels);
                at = end + 1;
            }
            "(" | "[" => open.push(token.clone()),
            ")" | "]" => {
                let matching = if token == ")" { "(" } else { "[" };
                if open.pop().as_deref() != Some(matching) {
                    return Err(format!("`{token}` closes nothing"));
                }
            }
            name if name.starts_with(|c: char| c.is_ascii_alphabetic()) => match next {
                _ if FUNCTIONS.contains(&name) => {}
                Some("(") => return Err(format!("`{name}` is no function that is known here")),
                _ => expression.metrics.push((name.to_owned(), Vec::new())),
            },
            _ => {}
        }
    }
    if open.is_empty() { Ok(expression) } else { Err(format!("{open:?} is not closed")) }
}

fn tokens(text: &str) -> std::result::Result<Vec<String>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '$' | '.');
        let length = match first {
            '"' => rest
                .char_indices()
                .skip(1)
                .find(|(_, c)| *c == '"')
                .map(|(at, _)| at + 1)
                .ok_or("a text without an end")?,
            c if word(c) => rest.find(|c| !word(c)).unwrap_or(rest.len()),
            '=' | '!' | '>' | '<' | '~' => {
                rest.find(|c| !matches!(c, '=' | '!' | '>' | '<' | '~')).unwrap_or(rest.len())
            }
            '(' | ')' | '[' | ']' | '{' | '}' | ',' | '+' | '-' | '*' | '/' => 1,
            other => return Err(format!("`{other}` is not expected")),
        };
        let (token, after) = rest.split_at(length);
        // A duration or a variable of Grafana's is a number to us.
        let is_number = token.starts_with(|c: char| c.is_ascii_digit() || c == '$');
        tokens.push(if is_number { "0".to_owned() } else { token.to_owned() });
        rest = after.trim_start();
    }
    Ok(tokens)
}

#[test]
fn what_is_wrong_with_an_expression_is_seen() {
    let read = parse("sum by (tenant, le) (rate(a_bucket{x=~\"$x\",y!=\"(\"}[5m])) / b > 0.9");
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let metrics = vec![("a_bucket".to_owned(), names(&["x", "y"])), ("b".to_owned(), Vec::new())];
    assert_eq!(read, Ok(Expression { metrics, labels: names(&["tenant", "le"]) }));
    for wrong in ["sum(a", "sum(a))", "a{x}", "a{x=y}", "a{x=\"y\"", "summ(a)", "a[5m)", "a{x=\"y}", "a ? b"] {
        assert!(parse(wrong).is_err(), "{wrong}");
    }
}

/// Every text under one of these keys, however deep.
fn texts<'v>(value: &'v Value, keys: &[&str], found: &mut Vec<&'v str>) {
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                match value.as_str().filter(|_| keys.contains(&key.as_str())) {
                    Some(text) => found.push(text),
                    None => texts(value, keys, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| texts(item, keys, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn dashboard() -> Result<Value> {
    let text = read("examples/monitoring/grafana-dashboard.json")?;
    serde_json::from_str(&text).map_err(|error| Error::Unexpected(error.to_string()))
}

fn rules() -> Result<Value> {
    let text = read("examples/monitoring/alerts.yaml")?;
    serde_yaml_ng::from_str(&text).map_err(|error| Error::Unexpected(error.to_string()))
}

#[test]
fn the_dashboard_and_the_alerts_ask_for_what_there_is() -> Result<()> {
    let (dashboard, rules) = (dashboard()?, rules()?);
    let mut expressions = Vec::new();
    texts(&dashboard, &["expr"], &mut expressions);
    assert!(expressions.len() > 25, "{} expressions", expressions.len());
    texts(&rules, &["expr"], &mut expressions);
    assert!(expressions.len() > 40, "{} expressions", expressions.len());
    let (names, told) = (scrape()?.names(), told()?);
    let labels_of = |name: &str| {
        let base = ["_bucket", "_count", "_sum"].iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name);
        told.get(name).or_else(|| told.get(base)).map(|(_, labels)| labels.clone()).unwrap_or_default()
    };
    for text in expressions {
        let expression = parse(text).map_err(|problem| Error::Unexpected(format!("{text}: {problem}")))?;
        assert!(!expression.metrics.is_empty(), "{text}");
        let mut known: BTreeSet<String> = ADDED.iter().map(|label| (*label).to_owned()).collect();
        for (name, asked) in &expression.metrics {
            assert!(names.contains(name) || OF_PROMETHEUS.contains(&name.as_str()), "`{name}` is no metric: {text}");
            let own = labels_of(name);
            let strange = asked.iter().find(|label| !own.contains(*label) && !ADDED.contains(&label.as_str()));
            assert_eq!(strange, None, "`{name}` has no such label: {text}");
            known.extend(own);
        }
        assert!(expression.labels.iter().all(|label| known.contains(label)), "{text}: {:?}", expression.labels);
    }
    Ok(())
}

#[test]
fn the_dashboard_can_be_imported_and_asks_for_its_data_source_and_tenants() -> Result<()> {
    let dashboard = dashboard()?;
    let mut sources = Vec::new();
    texts(&dashboard, &["uid"], &mut sources);
    let own = |uid: &&&str| **uid != "portcullis";
    assert!(sources.iter().filter(own).all(|uid| *uid == "${datasource}"), "{sources:?}");
    let variables = dashboard.pointer("/templating/list").and_then(Value::as_array).cloned().unwrap_or_default();
    let names: Vec<_> = variables.iter().filter_map(|variable| variable.get("name")?.as_str()).collect();
    assert_eq!(names, ["datasource", "instance", "tenant"]);
    let panels = dashboard.get("panels").and_then(Value::as_array).cloned().unwrap_or_default();
    let ids: BTreeSet<_> = panels.iter().filter_map(|panel| panel.get("id")?.as_u64()).collect();
    assert_eq!(ids.len(), panels.len(), "every panel has an ID of its own");
    Ok(())
}

#[test]
fn every_alert_says_what_it_means() -> Result<()> {
    let rules = rules()?;
    let all = rules.pointer("/groups/0/rules").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut names = BTreeSet::new();
    for rule in &all {
        let text = |pointer| rule.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        assert!(names.insert(text("/alert").to_owned()), "{rule}");
        assert!(!text("/annotations/summary").is_empty(), "{rule}");
        assert!(["critical", "warning", "info"].contains(&text("/labels/severity")), "{rule}");
    }
    assert!(all.len() > 10, "{names:?}");
    Ok(())
}

#[test]
fn promtool_takes_the_rules() -> Result<()> {
    let mut promtool = Command::new(artifacts::prometheus("promtool")?);
    let checked = Finished::of(promtool.args(["check", "rules"]).arg(root().join("examples/monitoring/alerts.yaml")))?;
    assert!(checked.status.success(), "{checked:?}");
    Ok(())
}

/// Every family's type, and the names of what it has samples of.
fn types_and_samples(scrape: &Scrape) -> (BTreeMap<String, String>, BTreeSet<String>) {
    let families = scrape.families.iter().filter(|(_, family)| !family.samples.is_empty());
    let types = families.clone().map(|(name, family)| (name.clone(), family.kind.clone())).collect();
    let names = families.flat_map(|(_, family)| family.samples.keys().map(|(name, _)| name.clone())).collect();
    (types, names)
}

#[test]
fn a_real_prometheus_reads_every_metric_and_evaluates_every_alert() -> Result<()> {
    let config = Config::new()?.toml("[metrics]\nlisten = \"127.0.0.1:0\"").policy("allow-all")?;
    let host = config.file("policies/broken.wasm", b"no policy")?.start()?;
    plugin::ask(&host.socket(), CALL)?;
    let serves = host.wait_for(Log::START, "serving metrics", |record| record.message() == "serving metrics")?;
    let alerts = std::fs::canonicalize(root().join("examples/monitoring/alerts.yaml"));
    let alerts = alerts.map_err(|error| Error::Unexpected(error.to_string()))?;
    let prometheus = Prometheus::scraping(serves.text("address"), &alerts)?;

    wait::until("a scrape that works", wait::DEADLINE, || {
        let up = prometheus.ask("query?query=up{job=\"portcullis\"}").ok()?;
        (up.pointer("/result/0/value/1")? == "1").then_some(())
    })?;
    let (types, samples) = types_and_samples(&Scrape::of(&host.config().admin_socket())?);
    let names = prometheus.ask("label/__name__/values")?;
    let names: BTreeSet<String> =
        names.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    assert_eq!(samples.difference(&names).collect::<Vec<_>>(), Vec::<&String>::new(), "{names:?}");
    let metadata = prometheus.ask("metadata")?;
    for (name, kind) in &types {
        assert_eq!(metadata.pointer(&format!("/{name}/0/type")), Some(&Value::from(kind.as_str())), "{name}");
    }

    // A policy that is not active is an alert, as soon as it has lasted.
    let pending = ["PortcullisNotInForce", "PortcullisNotReady"];
    let evaluated = wait::until("an evaluation of every rule", wait::DEADLINE, || {
        let rules = prometheus.ask("rules").ok()?;
        let rules = rules.pointer("/groups/0/rules")?.as_array()?.clone();
        let is = |rule: &Value, member: &str, value: &str| rule.get(member).is_some_and(|is| is == value);
        let is_pending = |name: &&str| rules.iter().any(|rule| is(rule, "name", name) && is(rule, "state", "pending"));
        let is_done = !rules.iter().any(|rule| is(rule, "health", "unknown")) && pending.iter().all(is_pending);
        is_done.then_some(rules)
    })?;
    let bad: Vec<_> = evaluated.iter().filter(|rule| rule.get("health") != Some(&Value::from("ok"))).collect();
    assert_eq!(bad, Vec::<&Value>::new());
    let all = rules()?.pointer("/groups/0/rules").and_then(Value::as_array).map(Vec::len);
    assert_eq!(Some(evaluated.len()), all);
    Ok(())
}
