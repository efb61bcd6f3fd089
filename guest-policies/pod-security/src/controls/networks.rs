//! Published ports, networks that calls make, and logs that go over the network.

use std::net::{IpAddr, Ipv4Addr};

use portcullis_policy::view::{Driver, Network};

use crate::call::{Call, Kind, MAKES};
use crate::text::short;
use crate::{Control, Objection};

const NETWORK_DRIVERS: [&str; 2] = ["bridge", "overlay"];
const LOG_DRIVERS: [&str; 4] = ["json-file", "local", "journald", "none"];
const LOWEST_PORT: i64 = 1024;

/// Options of log drivers that lead nowhere: of a driver that the call does not name, which may be any.
const LOG_OPTIONS: [&str; 11] = [
    "compress",
    "env",
    "env-regex",
    "labels",
    "labels-regex",
    "max-buffer-size",
    "max-file",
    "max-size",
    "mode",
    "tag",
    "cache-disabled",
];

pub const HOST_PORTS: Control = Control { name: "host-ports", of: MAKES, objection: port };
pub const LOG_DRIVER: Control = Control { name: "log-drivers", of: MAKES, objection: log_driver };
pub const NETWORKS: Control = Control { name: "networks", of: &[Kind::NetworkCreate], objection: network };
/// A bridge of the host's may not be named either.
pub const NETWORKS_WITHOUT_INTERFACES: Control =
    Control { name: "networks", of: &[Kind::NetworkCreate], objection: network_or_interface };

fn port(call: &Call<'_>) -> Objection {
    let ports = call.request.ports();
    if ports.is_empty() {
        return None;
    }
    let lowest = call.setting("lowest_port").and_then(|value| value.integer()).unwrap_or(LOWEST_PORT);
    let chosen_by_daemon = |first: u16, last: u16| first == 0 && last == 0;
    let low = ports.iter().find(|port| !chosen_by_daemon(port.first, port.last) && i64::from(port.first) < lowest);
    if let Some(port) = low {
        return Some(
            format!("port {} of the host may not be published; allowed are those from {lowest} on", port.first).into(),
        );
    }
    let everywhere = ports.iter().find(|port| port.address.is_empty())?;
    if call.setting("ports_on_all_addresses").and_then(|value| value.boolean()) != Some(false) {
        return None;
    }
    Some(
        format!(
            "port {} may not be published on all addresses of the host; name one, `-p 127.0.0.1:8080:80`",
            everywhere.container
        )
        .into(),
    )
}

fn log_driver(call: &Call<'_>) -> Objection {
    let Driver { name, options } = call.container()?.log.as_ref()?;
    if name.is_empty() {
        let unknown = options.iter().find(|option| !LOG_OPTIONS.contains(&option.name.as_str()))?;
        return Some(
            format!("the log option `{}` may not be given without `--log-driver`; leave it out", short(&unknown.name))
                .into(),
        );
    }
    (!call.lists_or("log_drivers", &LOG_DRIVERS, name)).then(|| {
        format!(
            "the log driver `{}` may not be chosen: it reads files and connects to addresses as the host; leave it out, or use \
             `local`",
            short(name)
        )
        .into()
    })
}

fn network(call: &Call<'_>) -> Objection {
    let network = call.request.created_network()?;
    objection_to(call, &network, |option| option == "parent")
}

fn network_or_interface(call: &Call<'_>) -> Objection {
    let network = call.request.created_network()?;
    objection_to(call, &network, |option| matches!(option, "parent" | "com.docker.network.bridge.name"))
}

fn objection_to(call: &Call<'_>, network: &Network, is_interface: fn(&str) -> bool) -> Objection {
    let driver = network.driver.as_deref().unwrap_or_default();
    if !driver.is_empty() && !call.lists_or("network_drivers", &NETWORK_DRIVERS, driver) {
        return Some(format!("networks of the driver `{}` may not be made; use `bridge`", short(driver)).into());
    }
    let interface = network.options.iter().find(|option| is_interface(&option.name));
    if let Some(interface) = interface.filter(|option| !call.lists("interfaces", &option.value)) {
        return Some(
            format!(
                "a network may not be built on the interface `{}` of the host; leave out the option `{}`",
                short(&interface.value),
                short(&interface.name)
            )
            .into(),
        );
    }
    if network.ingress {
        return Some("the network of all published ports of the swarm may not be made; leave out `--ingress`".into());
    }
    if !matches!(&*network.ipam.name, "" | "default" | "null") {
        return Some(
            format!("addresses may not come from the driver `{}`; leave it out", short(&network.ipam.name)).into(),
        );
    }
    let public = network.subnets.iter().filter_map(|range| range.subnet.as_deref()).find(|text| !is_private(text))?;
    Some(
        format!(
            "the host would send to containers what is for `{}`; leave out `--subnet`, or use private addresses",
            short(public)
        )
        .into(),
    )
}

/// Ranges that are nobody's on the internet: RFC 1918, RFC 6598, RFC 4193, and those for documentation.
const PRIVATE: [(IpAddr, u32); 9] = [
    (v4(10, 0, 0, 0), 8),
    (v4(172, 16, 0, 0), 12),
    (v4(192, 168, 0, 0), 16),
    (v4(100, 64, 0, 0), 10),
    (v4(192, 0, 2, 0), 24),
    (v4(198, 51, 100, 0), 24),
    (v4(203, 0, 113, 0), 24),
    (IpAddr::V6(std::net::Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0)), 7),
    (IpAddr::V6(std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0)), 32),
];

const fn v4(a: u8, b: u8, c: u8, d: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(a, b, c, d))
}

fn is_private(subnet: &str) -> bool {
    let Some((address, length)) = subnet.split_once('/') else { return false };
    let (Ok(address), Ok(length)) = (address.parse::<IpAddr>(), length.parse::<u32>()) else { return false };
    PRIVATE
        .iter()
        .any(|(range, of_range)| length >= *of_range && first_bits(address, *of_range) == first_bits(*range, *of_range))
}

/// None for addresses of different families, which are never in one range.
fn first_bits(address: IpAddr, count: u32) -> (bool, u128) {
    match address {
        IpAddr::V4(address) => (false, u128::from(address.to_bits().checked_shr(32 - count).unwrap_or_default())),
        IpAddr::V6(address) => (true, address.to_bits().checked_shr(128 - count).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subnet_is_private_if_all_of_it_is() {
        for subnet in [
            "10.0.0.0/8",
            "10.213.0.0/24",
            "172.31.255.0/24",
            "192.168.1.1/32",
            "fd00::/8",
            "fdaa:1::/64",
            "2001:db8::/64",
        ] {
            assert!(is_private(subnet), "{subnet}");
        }
        for subnet in [
            "0.0.0.0/0",
            "8.8.8.0/24",
            "10.0.0.0/7",
            "172.32.0.0/16",
            "192.169.0.0/16",
            "::/0",
            "2001:4860::/32",
            "fe80::/10",
            "::ffff:10.0.0.0/104",
            "10.0.0.0",
            "",
            "x/8",
        ] {
            assert!(!is_private(subnet), "{subnet}");
        }
    }
}
