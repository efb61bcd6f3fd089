//! Builds, plugins, services, and the swarm.

use serde::Serialize;

use super::{Driver, Entry};

/// A secret or a config that a service's containers get.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reference {
    pub id: String,
    pub name: String,
    /// None: not a file, but what the runtime is configured with.
    pub file: Option<String>,
    pub uid: String,
    pub gid: String,
    pub mode: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServiceMode {
    Replicated,
    Global,
    ReplicatedJob,
    GlobalJob,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Service {
    pub name: String,
    /// `container`, `plugin`, or as written.
    pub runtime: String,
    pub mode: ServiceMode,
    pub replicas: Option<u64>,
    pub constraints: Vec<String>,
    pub secrets: Vec<Reference>,
    pub configs: Vec<Reference>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Build {
    /// `1`, or `2` for BuildKit.
    pub builder: String,
    pub remote: Option<String>,
    pub session: Option<String>,
    pub dockerfile: Option<String>,
    pub target: Option<String>,
    pub platform: Option<String>,
    /// Names only.
    pub arguments: Vec<String>,
    pub cache_from: Vec<String>,
    pub outputs: Vec<Driver>,
    pub pull: bool,
    pub no_cache: bool,
    pub squash: bool,
    pub security_options: Vec<String>,
    /// Parameters that are not read as the daemon reads them.
    pub unreadable: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PluginPrivilege {
    pub name: String,
    pub description: String,
    pub values: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Plugin {
    /// None: that of its image.
    pub name: Option<String>,
    pub privileges: Vec<PluginPrivilege>,
    pub settings: Vec<Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CertificateAuthority {
    pub protocol: String,
    pub url: String,
    pub options: Vec<Entry>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Swarm {
    pub listen_address: Option<String>,
    pub advertise_address: Option<String>,
    pub data_path_address: Option<String>,
    pub data_path_port: Option<u32>,
    pub remote_addresses: Vec<String>,
    pub address_pools: Vec<String>,
    pub subnet_size: Option<u32>,
    pub force_new_cluster: bool,
    pub auto_lock: Option<bool>,
    /// `manager`, `worker`, or as written in small letters.
    pub role: Option<String>,
    /// `active`, `pause`, `drain`, or as written in small letters.
    pub availability: Option<String>,
    pub signing_certificate: bool,
    pub certificate_authorities: Vec<CertificateAuthority>,
    pub log: Option<Driver>,
    pub rotates: Vec<String>,
}
