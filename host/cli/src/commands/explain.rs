//! `portcullis explain`

use std::sync::Arc;

use portcullis_config::HostLimits;
use portcullis_docker::{NoResolve, Reader, Rules, wire};
use portcullis_model::TenantName;
use portcullis_model::printable::escape;
use portcullis_mounts::masked::masked_paths;
use portcullis_mounts::resolve::Resolver;
use portcullis_service::explain::explained;
use serde_json::Value;

use crate::args::Explain;
use crate::commands::read_request;
use crate::exit::Exit;
use crate::out::{self, fail, note, say};
use crate::setup::{read_config, runtime};

/// What is printed of a request, what matters most at the top and what is longest at the end.
const ORDER: [&str; 32] = [
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
    "sysctls",
    "ports",
    "run_as",
    "container",
    "environment",
    "labels",
    "resources",
    "seccomp",
    "networks",
    "created_network",
    "service",
    "build",
    "plugin",
    "swarm",
    "tags",
    "body",
];

pub(crate) fn run(args: &Explain) -> Exit {
    match explain(args) {
        Ok(exit) => exit,
        Err(exit) => exit,
    }
}

fn explain(args: &Explain) -> Result<Exit, Exit> {
    let (rules, limits) = match &args.config {
        Some(dir) => {
            let config = read_config(dir)?;
            (config.rules, config.limits)
        }
        None => (Rules::default(), HostLimits::default()),
    };
    let bytes = read_request(&args.request)?;
    let call = wire::read_call(&bytes)
        .map_err(|error| fail(Exit::Failed, format_args!("{}: {error}", args.request.display())))?;
    let (refusals, mut request) = Reader::new(rules, Arc::new(NoResolve)).masking(masked_paths()).explain(&call);
    if let Some(request) = &mut request {
        let resolver = Resolver::new(limits.decision_timeout);
        if let Some(problem) = runtime()?.block_on(resolver.resolve(request, &TenantName::default())) {
            note!("portcullis: {problem}");
        }
    }
    let report = explained(&refusals, request.as_ref());
    if args.json {
        out::json(&report)?;
    } else {
        print(&report);
    }
    Ok(if refusals.is_empty() { Exit::Done } else { Exit::Denied })
}

/// A line for each fact, and one for each item of a list.
pub(crate) fn print(report: &Value) {
    let refusals = report.get("refused_by").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for refusal in refusals {
        let text = |key| refusal.get(key).and_then(Value::as_str).unwrap_or_default();
        say!("{:<17} {} (host rule `{}`)", "refused", text("reason"), text("rule"));
    }
    let Some(request) = report.get("request").and_then(Value::as_object) else {
        say!("{:<17} nothing: the call cannot be read", "policies see");
        return;
    };
    for name in ORDER {
        let value = request.get(name).unwrap_or(&Value::Null);
        match value {
            Value::Null => say!("{name:<17} -"),
            Value::String(text) => say!("{name:<17} {}", escape(text)),
            Value::Array(items) if items.is_empty() => say!("{name:<17} -"),
            Value::Array(items) => items.iter().for_each(|item| say!("{name:<17} {item}")),
            Value::Object(_) if name == "body" => say!("{name:<17} {value:#}"),
            Value::Bool(_) | Value::Number(_) | Value::Object(_) => say!("{name:<17} {value}"),
        }
    }
}
