//! `portcullis decide`

use hyper::Method;
use portcullis_decision_log::record::{PolicyRecord, WouldBe};
use portcullis_model::TenantName;
use portcullis_model::printable::escape;
use portcullis_replay::offline::Offline;
use portcullis_service::dry_run::{Manner, Question, Report};
use serde_json::{Map, Value};

use crate::admin::{Call, escaped};
use crate::args::Decide;
use crate::commands::{explain, read_request};
use crate::exit::Exit;
use crate::out::{self, fail, note, say};
use crate::setup::{read_config, runtime};

pub(crate) fn run(args: &Decide) -> Exit {
    match decide(args) {
        Ok(report) => {
            if !args.json {
                print(&report);
            } else if let Err(exit) = out::json(&report) {
                return exit;
            }
            if report.is_allow() { Exit::Done } else { Exit::Denied }
        }
        Err(exit) => exit,
    }
}

fn decide(args: &Decide) -> Result<Report, Exit> {
    let question = match (&args.request, &args.method, &args.path) {
        (Some(file), _, _) => read_request(file)?,
        (None, Some(method), Some(path)) => described(args, method, path)?,
        (None, _, _) => return Err(fail(Exit::Usage, "expected `--request FILE`, or `METHOD PATH`")),
    };
    if args.live { ask_host(args, question) } else { ask_folder(args, &question) }
}

/// A question of what the command line says.
fn described(args: &Decide, method: &str, path: &str) -> Result<Vec<u8>, Exit> {
    let mut question = Map::from_iter([("method".to_owned(), method.into()), ("path".to_owned(), path.into())]);
    let mut add = |name: &str, value: Value| drop(question.insert(name.to_owned(), value));
    if let Some(user) = &args.user {
        add("user", user.as_str().into());
    }
    if !args.header.is_empty() {
        let headers = args.header.iter().map(|header| {
            let (name, value) = header.split_once(':').ok_or(header)?;
            Ok((name.trim().to_owned(), Value::from(value.trim())))
        });
        let headers = headers.collect::<Result<Map<_, _>, &String>>();
        let wrong = |header| fail(Exit::Usage, format_args!("`{header}` is not a header; expected `NAME: VALUE`"));
        add("headers", headers.map_err(wrong)?.into());
    }
    let certificates = args.certificate.iter().map(|file| {
        let wrong = |error| fail(Exit::Failed, format_args!("{}: {error}", file.display()));
        std::fs::read_to_string(file).map(Value::from).map_err(wrong)
    });
    let certificates = certificates.collect::<Result<Vec<_>, _>>()?;
    if !certificates.is_empty() {
        add("certificates", certificates.into());
    }
    let question = Value::from(question).to_string();
    match &args.body {
        None => Ok(question.into_bytes()),
        // As it is written: numbers and their digits, and keys that are there twice.
        Some(file) => {
            let body = String::from_utf8_lossy(&read_request(file)?).into_owned();
            Ok(format!("{},\"body\":{body}}}", question.trim_end_matches('}')).into_bytes())
        }
    }
}

/// On the host that runs.
fn ask_host(args: &Decide, question: Vec<u8>) -> Result<Report, Exit> {
    let path = match &args.tenant {
        Some(tenant) => format!("/v1/tenants/{}/decide", escaped(tenant)),
        None => "/v1/decide".to_owned(),
    };
    let explain = args.explain.then(|| "explain=true".to_owned());
    let listener = args.listener.as_ref().map(|name| format!("listener={}", escaped(name)));
    let query: Vec<_> = explain.into_iter().chain(listener).collect();
    Call::new(Method::POST, format!("{path}?{}", query.join("&"))).body(question).json(&args.host)
}

/// With what lies in the folder, without a host that serves.
fn ask_folder(args: &Decide, question: &[u8]) -> Result<Report, Exit> {
    let config = read_config(&args.host.dir.config)?;
    let question = Question::read(question).map_err(|error| fail(Exit::Failed, error))?;
    let tenant = args.tenant.as_deref().map(TenantName::new).transpose();
    let tenant = tenant.map_err(|error| fail(Exit::Usage, error))?;
    let runtime = runtime()?;
    let _entered = runtime.enter();
    let offline = Offline::load(&config).map_err(|error| fail(Exit::Failed, error))?;
    for note in offline.notes() {
        note!("portcullis: {note}");
    }
    let manner = Manner { listener: args.listener.clone(), tenant, explain: args.explain };
    runtime.block_on(offline.ask(question, manner)).map_err(|error| fail(Exit::Failed, error))
}

fn print(report: &Report) {
    match &report.reason {
        None => say!("{} ({})", report.answer, report.cause),
        Some(reason) => say!("{} ({}): {reason}", report.answer, report.cause),
    }
    if let Some(WouldBe { answer, cause, reason, .. }) = &report.would {
        let reason = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        say!("  would {answer} ({cause}) if nothing were only observed{reason}");
    }
    say!("  tenant {}", report.tenant.as_deref().unwrap_or("unknown"));
    if let Some(problem) = &report.problem {
        say!("  {problem}");
    }
    report.policies.iter().for_each(print_policy);
    if let Some(explained) = &report.explain {
        say!();
        explain::print(explained);
    }
}

fn print_policy(policy: &PolicyRecord) {
    let observed = if policy.mode == "observe" { " (observed)" } else { "" };
    let reason = policy.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    say!("  {}{observed} {}{reason}", policy.policy, policy.verdict);
    for demand in &policy.demands {
        say!("    demands {}", escape(demand));
    }
    if let Some(unmet) = &policy.unmet {
        say!("    not met: {}", escape(unmet));
    }
    for line in &policy.log {
        say!("    {} {}", line.level, escape(&line.message));
    }
}
