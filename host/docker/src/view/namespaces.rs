//! Namespaces for which a call asks something.

use portcullis_model::view::{Namespace, NamespaceKind, NamespaceMode};

use super::{Facts, member, members, text};

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
    let joined = if facts.operation == "NetworkConnect" { facts.id } else { None };
    let of_build = if facts.operation == "ImageBuild" { facts.query("networkmode") } else { None };

    let networks = other_endpoints.chain(joined).chain(of_build).map(|network| (NamespaceKind::Network, network));
    let of_texts = of_host.chain(networks).filter(|(_, mode)| !mode.is_empty());
    let of_service = facts.attachments().map(|network| target(text(member(Some(network), "Target"))));
    of_texts
        .map(|(kind, mode)| Namespace { kind, mode: parse(mode) })
        .chain(of_service.map(|mode| Namespace { kind: NamespaceKind::Network, mode }))
        .collect()
}

/// The network of a service. The daemon looks for its ID, then its name, then the beginning of an ID, among the swarm's
/// networks and then its own (moby's `daemon/cluster/networks.go`, `populateNetworkID`): `host` may have any of them. It
/// does not give a container the host's network by its ID.
fn target(text: &str) -> NamespaceMode {
    match text {
        "host" => NamespaceMode::Host,
        // Every swarm has one of this name.
        "bridge" => NamespaceMode::Other(text.to_owned()),
        _ if may_be_id(text) => NamespaceMode::Unknown(text.to_owned()),
        _ => NamespaceMode::Other(text.to_owned()),
    }
}

/// Whether an ID can begin so: swarmkit's have 25 digits of base 36 (`identity/randomid.go`), the daemon's 64 of base 16.
fn may_be_id(text: &str) -> bool {
    let base_36 = |byte: u8| byte.is_ascii_digit() || byte.is_ascii_lowercase();
    let base_16 = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    text.len() <= 25 && text.bytes().all(base_36) || text.len() <= 64 && text.bytes().all(base_16)
}

fn parse(mode: &str) -> NamespaceMode {
    match (mode, mode.strip_prefix("container:")) {
        ("host", _) => NamespaceMode::Host,
        (_, Some(container)) => NamespaceMode::Container(container.to_owned()),
        _ => NamespaceMode::Other(mode.to_owned()),
    }
}
