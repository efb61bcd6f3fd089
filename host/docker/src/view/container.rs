//! What a container gets beside mounts, devices, namespaces and resources; labels, and names of environment variables.

use portcullis_document::{Kind, Value};
use portcullis_model::view::{Container, Label, Labelled, RestartPolicy};

use super::{Facts, driver, entries, given, is_true, items, member, members, owned, text, texts, unsigned};
use crate::json::Shape;

/// `map[string]string`
pub(super) const MAP: Shape = Shape::Map(&Shape::Text);

pub(crate) fn container(facts: Facts<'_>) -> Option<Container> {
    match facts.operation {
        "ContainerCreate" | "ContainerUpdate" => facts.body.map(|_| of_container(facts)),
        "ServiceCreate" | "ServiceUpdate" => facts.service_container().map(|_| of_service(facts)),
        "ImageBuild" => Some(Container {
            cgroup_parent: facts.query("cgroupparent").map(str::to_owned),
            isolation: facts.query("isolation").map(str::to_owned),
            hosts: facts.query_all("extrahosts").map(str::to_owned).collect(),
            ..Container::default()
        }),
        _ => None,
    }
}

fn of_container(facts: Facts<'_>) -> Container {
    let (host, config) = (facts.host_config(), facts.container());
    let of_host = |name| given(member(host, name));
    Container {
        runtime: of_host("Runtime"),
        cgroup_parent: of_host("CgroupParent"),
        isolation: of_host("Isolation"),
        groups: owned(member(host, "GroupAdd")),
        read_only_root: is_true(member(host, "ReadonlyRootfs")),
        init: member(host, "Init").and_then(Value::as_bool),
        restart: member(host, "RestartPolicy").and_then(restart_of_container),
        log: member(host, "LogConfig").and_then(|log| driver(log, "Type", "Config")),
        annotations: entries(member(host, "Annotations")),
        hostname: given(member(config, "Hostname")),
        domainname: given(member(config, "Domainname")),
        hosts: owned(member(host, "ExtraHosts")),
        name_servers: owned(member(host, "Dns")),
        links: owned(member(host, "Links")),
        auto_remove: is_true(member(host, "AutoRemove")),
    }
}

/// As moby's `daemon/cluster/executor/container/container.go` makes a `HostConfig` of a task.
fn of_service(facts: Facts<'_>) -> Container {
    let (spec, task) = (facts.service_container(), member(facts.service(), "TaskTemplate"));
    Container {
        isolation: given(member(spec, "Isolation")),
        groups: owned(member(spec, "Groups")),
        read_only_root: is_true(member(spec, "ReadOnly")),
        init: member(spec, "Init").and_then(Value::as_bool),
        restart: Some(restart_of_service(member(task, "RestartPolicy"))),
        log: member(task, "LogDriver").and_then(|log| driver(log, "Name", "Options")),
        hostname: given(member(spec, "Hostname")),
        hosts: owned(member(spec, "Hosts")),
        name_servers: owned(member(member(spec, "DNSConfig"), "Nameservers")),
        ..Container::default()
    }
}

/// Without a name, a create does not restart it, and an update keeps what was (`UpdateContainer` in moby's
/// `daemon/container/container_unix.go`).
fn restart_of_container(policy: Value<'_>) -> Option<RestartPolicy> {
    let name = given(member(Some(policy), "Name"))?;
    Some(RestartPolicy { name, maximum_retries: limit(member(Some(policy), "MaximumRetryCount")) })
}

/// As `restartPolicyToGRPC` in moby's `daemon/cluster/convert/service.go`.
fn restart_of_service(policy: Option<Value<'_>>) -> RestartPolicy {
    let name = match text(member(policy, "Condition")) {
        "" | "any" => "always",
        "none" => "no",
        other => other,
    };
    RestartPolicy { name: name.to_owned(), maximum_retries: limit(member(policy, "MaxAttempts")) }
}

/// 0 is no limit.
fn limit(value: Option<Value<'_>>) -> Option<u64> {
    unsigned(value).filter(|limit| *limit > 0)
}

/// The names of environment variables.
pub(crate) fn environment(facts: Facts<'_>) -> Vec<String> {
    let of = match facts.operation {
        "ContainerCreate" | "ContainerExec" | "ImageCommit" => facts.body,
        _ => facts.service_container(),
    };
    let name = |text: &str| text.split_once('=').map_or(text, |(name, _)| name).to_owned();
    texts(member(of, "Env")).map(name).collect()
}

pub(crate) fn labels(facts: Facts<'_>) -> Vec<Label> {
    let of_object = match facts.operation {
        "SwarmInit" => member(member(facts.body, "Spec"), "Labels"),
        _ => member(facts.body, "Labels").filter(|labels| labels.kind() == Kind::Object),
    };
    let of_task = member(facts.service_container(), "Labels");
    let mounts = [member(facts.host_config(), "Mounts"), member(facts.service_container(), "Mounts")];
    let volumes = mounts.into_iter().flat_map(items);
    let of_volumes = volumes.filter_map(|mount| member(member(Some(mount), "VolumeOptions"), "Labels"));
    let all = [(Labelled::Object, of_object), (Labelled::Task, of_task)].into_iter();
    let all = all.chain(of_volumes.map(|labels| (Labelled::Volume, Some(labels))));
    let of_body =
        all.flat_map(|(of, labels)| members(labels).map(move |(name, value)| label(of, name, text(Some(value)))));
    of_body.chain(of_build(facts)).collect()
}

fn of_build(facts: Facts<'_>) -> Vec<Label> {
    let Some(labels) = facts.json_parameter("ImageBuild", "labels", MAP) else { return Vec::new() };
    match &labels {
        Ok(labels) => {
            members(Some(labels.root())).map(|(name, value)| label(Labelled::Object, name, text(Some(value)))).collect()
        }
        // Nobody knows what it says.
        Err(text) => vec![label(Labelled::Object, text, "")],
    }
}

fn label(of: Labelled, name: &str, value: &str) -> Label {
    Label { of, name: name.to_owned(), value: value.to_owned() }
}
