//! A call as policies see it, for people.

use portcullis_docker::{DockerRequest, Refusal};
use portcullis_model::{Access, Request};
use serde::Serialize;
use serde_json::{Value, json};

/// The host rules that refuse a call, and what policies see of it: `{"refused_by": […], "request": {…}}`. The request is that
/// which policies would see if those rules were off, or null.
pub fn explained(refusals: &[Refusal], request: Option<&DockerRequest>) -> Value {
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
        "sysctls": value(request.sysctls()),
        "ports": value(request.ports()),
        "run_as": request.run_as(),
        "container": value(&request.container()),
        "environment": value(request.environment()),
        "labels": value(request.labels()),
        "resources": value(request.resources()),
        "seccomp": value(&request.seccomp()),
        "networks": value(request.networks()),
        "created_network": value(&request.created_network()),
        "service": value(&request.service()),
        "build": value(&request.build()),
        "plugin": value(&request.plugin()),
        "swarm": value(&request.swarm()),
        "tags": value(request.tags()),
        "body": body,
    })
}

fn value<T: Serialize + ?Sized>(view: &T) -> Value {
    // Strings, numbers and lists of them always have JSON.
    serde_json::to_value(view).unwrap_or_default()
}
