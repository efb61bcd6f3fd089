//! Plugins, and the swarm.

use portcullis_document::Value;
use portcullis_model::view::{CertificateAuthority, Entry, Plugin, PluginPrivilege, Swarm};

use super::{Facts, driver, entries, given, is_true, items, member, owned, text, texts, unsigned};

pub(crate) fn plugin(facts: Facts<'_>) -> Option<Plugin> {
    let nothing = || Plugin { name: None, privileges: Vec::new(), settings: Vec::new() };
    let of_path = || facts.name.map(str::to_owned);
    let of_query = || facts.query("name").map(str::to_owned);
    let privileges = |list| items(list).map(|one| privilege(one, ["Name", "Description", "Value"])).collect();
    match facts.operation {
        "PluginPull" => Some(Plugin { name: of_query(), privileges: privileges(facts.body), ..nothing() }),
        "PluginUpgrade" => Some(Plugin { name: of_path(), privileges: privileges(facts.body), ..nothing() }),
        "PluginCreate" => Some(Plugin { name: of_query(), ..nothing() }),
        "PluginSet" => Some(Plugin { name: of_path(), settings: settings(facts.body), ..nothing() }),
        _ => member(member(facts.service(), "TaskTemplate"), "PluginSpec").map(of_service),
    }
}

/// A `swarm.RuntimeSpec`.
fn of_service(spec: Value<'_>) -> Plugin {
    let spec = Some(spec);
    let privileges = items(member(spec, "privileges")).map(|one| privilege(one, ["name", "description", "value"]));
    Plugin {
        name: given(member(spec, "name")),
        privileges: privileges.collect(),
        settings: settings(member(spec, "env")),
    }
}

fn privilege(of: Value<'_>, [name, description, value]: [&str; 3]) -> PluginPrivilege {
    let of = Some(of);
    PluginPrivilege {
        name: text(member(of, name)).to_owned(),
        description: text(member(of, description)).to_owned(),
        values: owned(member(of, value)),
    }
}

/// `NAME=VALUE`, as `newSettable` in moby's `daemon/pkg/plugin/v2/settable.go` splits it.
fn settings(list: Option<Value<'_>>) -> Vec<Entry> {
    let entry = |text: &str| {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        Entry { name: name.to_owned(), value: value.to_owned() }
    };
    texts(list).map(entry).collect()
}

pub(crate) fn swarm(facts: Facts<'_>) -> Option<Swarm> {
    let body = facts.body;
    match facts.operation {
        "SwarmInit" => {
            let locks = is_true(member(body, "AutoLockManagers"));
            let of_spec = of_spec(member(body, "Spec"));
            Some(Swarm {
                data_path_port: number(member(body, "DataPathPort")),
                address_pools: owned(member(body, "DefaultAddrPool")),
                subnet_size: number(member(body, "SubnetSize")),
                force_new_cluster: is_true(member(body, "ForceNewCluster")),
                auto_lock: Some(locks || of_spec.auto_lock == Some(true)),
                ..of_node(body, of_spec)
            })
        }
        "SwarmJoin" => {
            let remote_addresses = owned(member(body, "RemoteAddrs"));
            Some(of_node(body, Swarm { remote_addresses, ..Swarm::default() }))
        }
        "SwarmUpdate" => Some(Swarm { rotates: rotates(facts), ..of_spec(body) }),
        "NodeUpdate" => Some(Swarm { role: folded(member(body, "Role")), ..of_node(body, Swarm::default()) }),
        _ => None,
    }
}

fn of_node(body: Option<Value<'_>>, other: Swarm) -> Swarm {
    Swarm {
        listen_address: given(member(body, "ListenAddr")),
        advertise_address: given(member(body, "AdvertiseAddr")),
        data_path_address: given(member(body, "DataPathAddr")),
        availability: folded(member(body, "Availability")),
        ..other
    }
}

/// A `swarm.Spec`.
fn of_spec(spec: Option<Value<'_>>) -> Swarm {
    let authorities = member(spec, "CAConfig");
    let authority = |authority| {
        let field = |name| text(member(Some(authority), name)).to_owned();
        CertificateAuthority {
            protocol: field("Protocol"),
            url: field("URL"),
            options: entries(member(Some(authority), "Options")),
        }
    };
    let signs = |name| given(member(authorities, name)).is_some();
    Swarm {
        auto_lock: Some(is_true(member(member(spec, "EncryptionConfig"), "AutoLockManagers"))),
        signing_certificate: signs("SigningCACert") || signs("SigningCAKey"),
        certificate_authorities: items(member(authorities, "ExternalCAs")).map(authority).collect(),
        log: member(member(spec, "TaskDefaults"), "LogDriver").and_then(|log| driver(log, "Name", "Options")),
        ..Swarm::default()
    }
}

/// The query's, of which the daemon takes every spelling of true (moby's `daemon/server/router/swarm/cluster_routes.go`).
fn rotates(facts: Facts<'_>) -> Vec<String> {
    const KEYS: [(&str, &str); 3] = [
        ("rotateWorkerToken", "worker-token"),
        ("rotateManagerToken", "manager-token"),
        ("rotateManagerUnlockKey", "manager-unlock-key"),
    ];
    let asked = KEYS.into_iter().filter(|(parameter, _)| facts.flag(parameter));
    asked.map(|(_, key)| key.to_owned()).collect()
}

/// The daemon takes any case (moby's `daemon/cluster/convert/node.go`).
fn folded(value: Option<Value<'_>>) -> Option<String> {
    given(value).map(|text| text.to_uppercase().to_lowercase())
}

/// 0 is not given.
fn number(value: Option<Value<'_>>) -> Option<u32> {
    unsigned(value).filter(|number| *number != 0).map(|number| u32::try_from(number).unwrap_or(u32::MAX))
}
