//! Ports that the host publishes.

use std::net::IpAddr;

use portcullis_document::Value;
use portcullis_model::view::Port;

use super::{Facts, is_true, items, member, members, text};

pub(crate) fn ports(facts: Facts<'_>) -> Vec<Port> {
    let host = facts.host_config();
    let mut ports: Vec<Port> = members(member(host, "PortBindings")).flat_map(of_bindings).collect();
    if is_true(member(host, "PublishAllPorts")) {
        ports.extend(members(member(facts.container(), "ExposedPorts")).map(|(port, _)| published(port, "", 0, 0)));
        // What the image exposes, nobody knows yet.
        ports.push(Port { container: 0, protocol: String::new(), address: String::new(), first: 0, last: 0 });
    }
    ports.extend(items(member(member(facts.service(), "EndpointSpec"), "Ports")).map(of_service));
    ports
}

/// `80/tcp` and its bindings; without any, the daemon chooses a port.
fn of_bindings((port, bindings): (&str, Value<'_>)) -> Vec<Port> {
    let of_binding = |binding| {
        let (first, last) = range(text(member(Some(binding), "HostPort")));
        published(port, text(member(Some(binding), "HostIp")), first, last)
    };
    let ports: Vec<Port> = bindings.items().map(of_binding).collect();
    if ports.is_empty() { vec![published(port, "", 0, 0)] } else { ports }
}

fn of_service(port: Value<'_>) -> Port {
    let number = |name| {
        let number = member(Some(port), name).and_then(Value::as_i64).unwrap_or_default();
        u16::try_from(number).unwrap_or(u16::MAX)
    };
    let protocol = text(member(Some(port), "Protocol")).to_ascii_lowercase();
    Port {
        container: number("TargetPort"),
        protocol: if protocol.is_empty() { "tcp".to_owned() } else { protocol },
        address: String::new(),
        first: number("PublishedPort"),
        last: number("PublishedPort"),
    }
}

/// `PORT[/PROTOCOL]`; of a range, the first.
fn published(port: &str, address: &str, first: u16, last: u16) -> Port {
    let (number, protocol) = port.split_once('/').unwrap_or((port, ""));
    Port {
        container: range(number).0,
        protocol: if protocol.is_empty() { "tcp".to_owned() } else { protocol.to_ascii_lowercase() },
        address: host_address(address),
        first,
        last,
    }
}

/// An address in one spelling; empty for every address of the host. Up to 28.5 the daemon hands Go's `net.ParseIP` the
/// text and takes what that does not parse for none, which is every address (moby's `daemon/container_operations.go`);
/// later ones refuse it. Both take an IPv4 address that is written as IPv6 for the same.
fn host_address(text: &str) -> String {
    match text.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(address) if !address.is_unspecified() => address.to_string(),
        _ => String::new(),
    }
}

/// `8080`, `8000-8010`, or nothing where the daemon chooses. What is no port may be any.
fn range(text: &str) -> (u16, u16) {
    if text.is_empty() {
        return (0, 0);
    }
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (first.parse(), last.parse()) {
        (Ok(first), Ok(last)) => (first, last),
        _ => (0, u16::MAX),
    }
}
