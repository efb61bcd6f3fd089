//! Kernel parameters.

use portcullis_model::view::Sysctl;

use super::{Facts, member, members, text};

/// The driver option with those of a network's interface: `net.ipv4.conf.IFNAME.log_martians=1,…` (moby's
/// `daemon/libnetwork/netlabel/labels.go`).
const OF_ENDPOINT: &str = "com.docker.network.endpoint.sysctls";

pub(crate) fn sysctls(facts: Facts<'_>) -> Vec<Sysctl> {
    let maps = [member(facts.host_config(), "Sysctls"), member(facts.service_container(), "Sysctls")];
    let of_maps = maps.into_iter().flat_map(members).map(|(name, value)| sysctl(name, text(Some(value))));
    let endpoints = facts.endpoints().chain(facts.attachments());
    let options = endpoints.filter_map(|endpoint| member(member(Some(endpoint), "DriverOpts"), OF_ENDPOINT));
    let of_endpoints = options.flat_map(|option| text(Some(option)).split(',')).filter(|entry| !entry.is_empty());
    of_maps
        .chain(of_endpoints.map(|entry| {
            let (name, value) = entry.split_once('=').unwrap_or((entry, ""));
            sysctl(name, value)
        }))
        .collect()
}

fn sysctl(name: &str, value: &str) -> Sysctl {
    Sysctl { name: name.to_owned(), value: value.to_owned() }
}
