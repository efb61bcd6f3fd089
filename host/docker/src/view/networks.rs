//! Networks that a call makes or joins.

use portcullis_document::Value;
use portcullis_model::view::{Driver, Network, NetworkAttachment, Subnet};

use super::{Facts, entries, given, is_true, items, member, members, owned, text};

/// What a container joins that names no network (`DefaultNetwork` in moby's `daemon/network`).
const DEFAULT: &str = "bridge";

/// Options that name the host's interface: of `macvlan` and `ipvlan`, and of `bridge` (moby's `daemon/libnetwork/drivers`).
const PARENTS: [&str; 2] = ["parent", "com.docker.network.bridge.name"];

pub(crate) fn networks(facts: Facts<'_>) -> Vec<NetworkAttachment> {
    match facts.operation {
        "ContainerCreate" => of_container(facts),
        "NetworkConnect" => {
            vec![endpoint(facts.id.unwrap_or_default(), member(facts.body, "EndpointConfig"), None)]
        }
        _ => facts.attachments().map(of_service).collect(),
    }
}

/// Those of `EndpointsConfig`, and that of the network mode, if it is one.
fn of_container(facts: Facts<'_>) -> Vec<NetworkAttachment> {
    let Some(body) = facts.body else { return Vec::new() };
    let endpoints = member(member(Some(body), "NetworkingConfig"), "EndpointsConfig");
    // For all, before API version 1.44.
    let mac = given(member(Some(body), "MacAddress"));
    let mut networks: Vec<_> =
        members(endpoints).map(|(name, value)| endpoint(real_name(name), Some(value), mac.as_deref())).collect();
    let mode = text(member(facts.host_config(), "NetworkMode"));
    let is_none = matches!(mode, "host" | "none") || mode.starts_with("container:");
    let joins_mode = !is_none && (!mode.is_empty() || networks.is_empty());
    if joins_mode && networks.iter().all(|joined| joined.network != real_name(mode)) {
        networks.push(endpoint(real_name(mode), None, mac.as_deref()));
    }
    networks
}

fn real_name(name: &str) -> &str {
    if matches!(name, "" | "default") { DEFAULT } else { name }
}

/// A `network.EndpointSettings`.
fn endpoint(network: &str, endpoint: Option<Value<'_>>, mac: Option<&str>) -> NetworkAttachment {
    let ipam = member(endpoint, "IPAMConfig");
    let address = |name| given(member(ipam, name));
    let addresses = [address("IPv4Address"), address("IPv6Address")].into_iter().flatten();
    NetworkAttachment {
        network: network.to_owned(),
        aliases: owned(member(endpoint, "Aliases")),
        addresses: addresses.chain(owned(member(ipam, "LinkLocalIPs"))).collect(),
        mac_address: given(member(endpoint, "MacAddress")).or_else(|| mac.map(str::to_owned)),
        links: owned(member(endpoint, "Links")),
        options: entries(member(endpoint, "DriverOpts")),
    }
}

/// A `swarm.NetworkAttachmentConfig`.
fn of_service(network: Value<'_>) -> NetworkAttachment {
    let network = Some(network);
    NetworkAttachment {
        network: text(member(network, "Target")).to_owned(),
        aliases: owned(member(network, "Aliases")),
        addresses: Vec::new(),
        mac_address: None,
        links: Vec::new(),
        options: entries(member(network, "DriverOpts")),
    }
}

/// A `network.CreateRequest`.
pub(crate) fn created(facts: Facts<'_>) -> Option<Network> {
    let body = Some(facts.body.filter(|_| facts.operation == "NetworkCreate")?);
    let (options, ipam) = (member(body, "Options"), member(body, "IPAM"));
    Some(Network {
        name: text(member(body, "Name")).to_owned(),
        driver: given(member(body, "Driver")),
        parent: PARENTS.iter().find_map(|name| given(member(options, name))),
        options: entries(options),
        scope: given(member(body, "Scope")),
        internal: is_true(member(body, "Internal")),
        attachable: is_true(member(body, "Attachable")),
        ingress: is_true(member(body, "Ingress")),
        config_only: is_true(member(body, "ConfigOnly")),
        config_from: given(member(member(body, "ConfigFrom"), "Network")),
        ipv4: member(body, "EnableIPv4").and_then(Value::as_bool),
        ipv6: member(body, "EnableIPv6").and_then(Value::as_bool),
        ipam: Driver { name: text(member(ipam, "Driver")).to_owned(), options: entries(member(ipam, "Options")) },
        subnets: items(member(ipam, "Config")).map(subnet).collect(),
    })
}

/// A `network.IPAMConfig`.
fn subnet(config: Value<'_>) -> Subnet {
    let config = Some(config);
    Subnet {
        subnet: given(member(config, "Subnet")),
        ip_range: given(member(config, "IPRange")),
        gateway: given(member(config, "Gateway")),
        auxiliary: entries(member(config, "AuxiliaryAddresses")),
    }
}
