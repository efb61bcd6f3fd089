//! Namespaces for which a call asks something.

use portcullis_model::view::{Namespace, NamespaceKind, NamespaceMode};

use super::{Facts, items, member, members, text};

/// The members of a `HostConfig`. `Cgroup` is another container's cgroup.
const MEMBERS: [(&str, NamespaceKind); 7] = [
    ("CgroupnsMode", NamespaceKind::Cgroup),
    ("Cgroup", NamespaceKind::Cgroup),
    ("IpcMode", NamespaceKind::Ipc),
    ("NetworkMode", NamespaceKind::Network),
    ("PidMode", NamespaceKind::Pid),
    ("UsernsMode", NamespaceKind::User),
    ("UTSMode", NamespaceKind::Uts),
];

pub(crate) fn namespaces(facts: Facts<'_>) -> Vec<Namespace> {
    let host = facts.host_config();
    let of_host = MEMBERS.iter().map(|(name, kind)| (*kind, text(member(host, name))));

    let mode = text(member(host, "NetworkMode"));
    let endpoints = member(member(facts.container(), "NetworkingConfig"), "EndpointsConfig");
    let other_endpoints = members(endpoints).map(|(network, _)| network).filter(move |network| *network != mode);

    let service = facts.service();
    let of_service = [member(member(service, "TaskTemplate"), "Networks"), member(service, "Networks")];
    let targets = of_service.into_iter().flat_map(items).map(|network| text(member(Some(network), "Target")));

    let of_build = if facts.operation == "ImageBuild" { facts.query("networkmode") } else { None };

    let networks = other_endpoints.chain(targets).chain(of_build).map(|network| (NamespaceKind::Network, network));
    of_host
        .chain(networks)
        .filter(|(_, mode)| !mode.is_empty())
        .map(|(kind, mode)| Namespace { kind, mode: parse(mode) })
        .collect()
}

fn parse(mode: &str) -> NamespaceMode {
    match (mode, mode.strip_prefix("container:")) {
        ("host", _) => NamespaceMode::Host,
        (_, Some(container)) => NamespaceMode::Container(container.to_owned()),
        _ => NamespaceMode::Other(mode.to_owned()),
    }
}
