//! No container gets a power that a plain one has not: capabilities, devices, namespaces of the host or of another
//! container, what `HOST_CONFIG` names. Written the obvious way, with the documented spellings only.

use portcullis_policy::view::{Kind, NamespaceMode};
use portcullis_policy::{Document, Request, Verdict, policy};

policy!(decide);

const HOST_CONFIG: [&str; 11] = [
    "Annotations",
    "CgroupParent",
    "ExtraHosts",
    "GroupAdd",
    "Links",
    "LogConfig",
    "OomScoreAdj",
    "RestartPolicy",
    "Runtime",
    "StorageOpt",
    "Ulimits",
];

pub fn decide(request: &Request, _data: &Document) -> Verdict {
    if let Some(capability) = request.capabilities().added.first() {
        return Verdict::deny(format!("the capability {capability} is given to nobody"));
    }
    if !request.devices().is_empty() {
        return Verdict::deny("devices are given to nobody");
    }
    for namespace in request.namespaces() {
        match namespace.mode {
            NamespaceMode::Host => return Verdict::deny("the host's namespaces are its own"),
            NamespaceMode::Container(other) => {
                return Verdict::deny(format!("the namespaces of `{other}` are its own"));
            }
            NamespaceMode::Unknown(network) => {
                return Verdict::deny(format!("`{network}` may be the host's network; name a network otherwise"));
            }
            NamespaceMode::Other(_) => {}
        }
    }
    if request.operation() == "ContainerExec" && request.privileged() {
        return Verdict::deny("a process has no more power than its container");
    }
    if !request.sysctls().is_empty() {
        return Verdict::deny("Sysctls is not for callers to say");
    }
    if !request.ports().is_empty() {
        return Verdict::deny("the host's ports are its own");
    }
    let Some(body) = request.body() else { return Verdict::abstain() };
    let host_config = body.at(["HostConfig"]);
    let says = |name: &&str| match host_config.at([name]).kind() {
        None | Some(Kind::Null) => false,
        Some(Kind::Text) => host_config.at([name]).text() != Some(String::new()),
        Some(_) => true,
    };
    match HOST_CONFIG.iter().find(|name| says(name)) {
        Some(name) => Verdict::deny(format!("{name} is not for callers to say")),
        None => Verdict::abstain(),
    }
}
