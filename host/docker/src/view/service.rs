//! Services, beside what their containers get.

use portcullis_document::Value;
use portcullis_model::view::{Reference, Service, ServiceMode};

use super::{Facts, items, member, owned, text, unsigned};

pub(crate) fn service(facts: Facts<'_>) -> Option<Service> {
    let body = Some(facts.service()?);
    let (task, spec) = (member(body, "TaskTemplate"), facts.service_container());
    let runtime = text(member(task, "Runtime"));
    let (mode, replicas) = mode(member(body, "Mode"));
    Some(Service {
        name: text(member(body, "Name")).to_owned(),
        runtime: if runtime.is_empty() { "container" } else { runtime }.to_owned(),
        mode,
        replicas,
        constraints: owned(member(member(task, "Placement"), "Constraints")),
        secrets: items(member(spec, "Secrets")).map(|secret| reference(secret, "SecretID", "SecretName")).collect(),
        configs: items(member(spec, "Configs")).map(|config| reference(config, "ConfigID", "ConfigName")).collect(),
    })
}

/// A `swarm.ServiceMode`, which has one member at most.
fn mode(mode: Option<Value<'_>>) -> (ServiceMode, Option<u64>) {
    let has = |name| member(mode, name);
    if has("Global").is_some() {
        return (ServiceMode::Global, None);
    }
    if has("GlobalJob").is_some() {
        return (ServiceMode::GlobalJob, None);
    }
    if let Some(job) = has("ReplicatedJob") {
        let of_job = |name| unsigned(member(Some(job), name));
        return (ServiceMode::ReplicatedJob, of_job("TotalCompletions").max(of_job("MaxConcurrent")));
    }
    (ServiceMode::Replicated, unsigned(member(has("Replicated"), "Replicas")))
}

fn reference(of: Value<'_>, id: &str, name: &str) -> Reference {
    let (of, file) = (Some(of), member(Some(of), "File"));
    let of_file = |name| text(member(file, name)).to_owned();
    Reference {
        id: text(member(of, id)).to_owned(),
        name: text(member(of, name)).to_owned(),
        file: file.map(|_| of_file("Name")),
        uid: of_file("UID"),
        gid: of_file("GID"),
        mode: unsigned(member(file, "Mode")).and_then(|mode| mode.try_into().ok()).unwrap_or_default(),
    }
}
