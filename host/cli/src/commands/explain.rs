//! `portcullis explain`

use std::sync::Arc;

use portcullis_daemon::resolve::HostPaths;
use portcullis_docker::{DockerRequest, Reader, Refusal, Rules, wire};
use portcullis_model::{Access, Request};
use serde::Serialize;
use serde_json::{Value, json};

use crate::args::Explain;
use crate::commands::{read_config, read_request};
use crate::exit::{Exit, fail};

/// What is printed of a request, what matters most at the top and what is longest at the end.
const ORDER: [&str; 19] = [
    "operation",
    "access",
    "method",
    "path",
    "api_version",
    "query",
    "user",
    "authentication",
    "certificates",
    "image",
    "mounts",
    "security_options",
    "capabilities",
    "privileged",
    "devices",
    "namespaces",
    "ports",
    "run_as",
    "body",
];

pub(crate) fn run(args: &Explain) -> Exit {
    match explain(args) {
        Ok(exit) => exit,
        Err(exit) => exit,
    }
}

fn explain(args: &Explain) -> Result<Exit, Exit> {
    let rules = match &args.config {
        Some(dir) => read_config(dir)?.rules,
        None => Rules::default(),
    };
    let bytes = read_request(&args.request)?;
    let call = wire::read_call(&bytes)
        .map_err(|error| fail(Exit::Failed, format_args!("{}: {error}", args.request.display())))?;
    let (refusals, request) = Reader::new(rules, Arc::new(HostPaths)).explain(&call);
    let report = report(&refusals, request.as_ref());
    if args.json {
        println!("{report:#}");
    } else {
        print(&report);
    }
    Ok(if refusals.is_empty() { Exit::Done } else { Exit::Denied })
}

fn report(refusals: &[Refusal], request: Option<&DockerRequest>) -> Value {
    let rules: Vec<_> =
        refusals.iter().map(|refusal| json!({ "rule": refusal.rule.name(), "reason": refusal.reason })).collect();
    json!({ "refused_by": rules, "request": request.map(described) })
}

/// Everything that a policy may ask.
fn described(request: &DockerRequest) -> Value {
    let query: Vec<_> = request.query().iter().map(|(name, value)| format!("{name}={value}")).collect();
    // What the host wrote is JSON.
    let body = request.body().and_then(|body| serde_json::from_str::<Value>(&body.root().to_json()).ok());
    json!({
        "operation": request.operation(),
        "access": match request.access() {
            Access::Read => "read",
            Access::Write => "write",
        },
        "method": request.method(),
        "path": request.path(),
        "api_version": request.api_version(),
        "query": query,
        "user": request.user(),
        "authentication": request.authentication(),
        "certificates": match request.certificates() {
            Ok(certificates) => value(certificates),
            Err(error) => Value::from(error.to_string()),
        },
        "image": value(&request.image()),
        "mounts": value(request.mounts()),
        "security_options": value(request.security_options()),
        "capabilities": value(request.capabilities()),
        "privileged": request.privileged(),
        "devices": value(request.devices()),
        "namespaces": value(request.namespaces()),
        "ports": value(request.ports()),
        "run_as": request.run_as(),
        "body": body,
    })
}

fn value<T: Serialize + ?Sized>(view: &T) -> Value {
    // Strings, numbers and lists of them always have JSON.
    serde_json::to_value(view).unwrap_or_default()
}

/// A line for each fact, and one for each item of a list.
fn print(report: &Value) {
    let refusals = report.get("refused_by").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for refusal in refusals {
        let text = |key| refusal.get(key).and_then(Value::as_str).unwrap_or_default();
        println!("{:<17} {} (host rule `{}`)", "refused", text("reason"), text("rule"));
    }
    let Some(request) = report.get("request").and_then(Value::as_object) else {
        println!("{:<17} nothing: the call cannot be read", "policies see");
        return;
    };
    for name in ORDER {
        let value = request.get(name).unwrap_or(&Value::Null);
        match value {
            Value::Null => println!("{name:<17} -"),
            Value::String(text) => println!("{name:<17} {text}"),
            Value::Array(items) if items.is_empty() => println!("{name:<17} -"),
            Value::Array(items) => items.iter().for_each(|item| println!("{name:<17} {item}")),
            Value::Object(_) if name == "body" => println!("{name:<17} {value:#}"),
            Value::Bool(_) | Value::Number(_) | Value::Object(_) => println!("{name:<17} {value}"),
        }
    }
}
