//! Namespaces of the host, and of other containers.

use portcullis_policy::view::{NamespaceKind, NamespaceMode};

use crate::call::{Call, Kind};
use crate::text::short;
use crate::{Control, Objection};

const OF: &[Kind] = &[Kind::Create, Kind::Service, Kind::NetworkConnect, Kind::Build];

pub const HOST_NAMESPACES: Control = Control { name: "host-namespaces", of: OF, objection: of_host };
pub const HOST_NETWORK: Control = Control { name: "host-network", of: OF, objection: network_of_host };
pub const CONTAINER_NAMESPACES: Control = Control { name: "container-namespaces", of: OF, objection: of_container };

/// What a daemon takes beside `host` and `container:…`; the network's are names.
const OWN: [&str; 5] = ["", "default", "none", "private", "shareable"];

fn of_host(call: &Call<'_>) -> Objection {
    let namespaces = call.namespaces().iter().filter(|namespace| namespace.kind != NamespaceKind::Network);
    for namespace in namespaces {
        let (what, option) = names(namespace.kind);
        match &namespace.mode {
            NamespaceMode::Host => {
                return Some(format!("the host's {what} may not be shared; leave out `{option} host`").into());
            }
            NamespaceMode::Container(_) => {}
            NamespaceMode::Other(mode) | NamespaceMode::Unknown(mode) => {
                if !OWN.contains(&mode.as_str()) {
                    return Some(
                        format!("`{option} {}` is not known; leave it out for {what} of its own", short(mode)).into(),
                    );
                }
            }
        }
    }
    None
}

fn network_of_host(call: &Call<'_>) -> Objection {
    for namespace in call.namespaces().iter().filter(|namespace| namespace.kind == NamespaceKind::Network) {
        match &namespace.mode {
            NamespaceMode::Host => {
                return Some(
                    "the host's network may not be shared; use a network of Docker's, and publish the ports that are needed".into(),
                );
            }
            NamespaceMode::Unknown(text) if !call.lists("service_networks", text) => {
                return Some(
                    format!(
                        "`{}` may be the ID of the host's network; give a network's name that is not like an ID, such as `shop_backend`",
                        short(text)
                    )
                    .into(),
                );
            }
            NamespaceMode::Unknown(_) | NamespaceMode::Container(_) | NamespaceMode::Other(_) => {}
        }
    }
    None
}

fn of_container(call: &Call<'_>) -> Objection {
    call.namespaces().iter().find_map(|namespace| match &namespace.mode {
        NamespaceMode::Container(container) => {
            let (what, option) = names(namespace.kind);
            Some(
                format!(
                    "the {what} of the container `{}` may not be shared; leave out `{option} container:…`",
                    short(container)
                )
                .into(),
            )
        }
        NamespaceMode::Host | NamespaceMode::Unknown(_) | NamespaceMode::Other(_) => None,
    })
}

/// What a kind is of, and the option that asks for it.
fn names(kind: NamespaceKind) -> (&'static str, &'static str) {
    match kind {
        NamespaceKind::Cgroup => ("control groups", "--cgroupns"),
        NamespaceKind::Ipc => ("shared memory", "--ipc"),
        NamespaceKind::Network => ("network", "--network"),
        NamespaceKind::Pid => ("processes", "--pid"),
        NamespaceKind::User => ("users", "--userns"),
        NamespaceKind::Uts => ("host name", "--uts"),
    }
}
