//! What a container gets: of a create, an update, a service's tasks, a build's steps.

use serde::Serialize;

use super::{Driver, Entry};

/// `no`, `always`, `on-failure`, `unless-stopped`, or as written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RestartPolicy {
    pub name: String,
    /// None: no limit.
    pub maximum_retries: Option<u64>,
}

/// What a container gets beside mounts, devices, namespaces and resources.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Container {
    pub runtime: Option<String>,
    pub cgroup_parent: Option<String>,
    pub isolation: Option<String>,
    pub groups: Vec<String>,
    pub read_only_root: bool,
    pub init: Option<bool>,
    pub restart: Option<RestartPolicy>,
    pub log: Option<Driver>,
    pub annotations: Vec<Entry>,
    pub hostname: Option<String>,
    pub domainname: Option<String>,
    pub hosts: Vec<String>,
    pub name_servers: Vec<String>,
    pub links: Vec<String>,
    pub auto_remove: bool,
}

/// What a label is attached to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Labelled {
    Object,
    /// The containers of a service.
    Task,
    /// A volume that a mount makes.
    Volume,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Label {
    pub of: Labelled,
    pub name: String,
    pub value: String,
}

/// -1 is no limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ulimit {
    pub name: String,
    pub soft: i64,
    pub hard: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BlockIoKind {
    Weight,
    ReadBytes,
    WriteBytes,
    ReadOperations,
    WriteOperations,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BlockIo {
    pub kind: BlockIoKind,
    /// Empty for the weight that holds for all devices.
    pub device: String,
    pub value: u64,
}

/// What a call asks for of the machine's resources; none is not asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Resources {
    pub memory: Option<i64>,
    pub memory_reservation: Option<i64>,
    pub memory_swap: Option<i64>,
    pub memory_swappiness: Option<i64>,
    pub kernel_memory: Option<i64>,
    pub kernel_memory_tcp: Option<i64>,
    pub shared_memory: Option<i64>,
    pub nano_cpus: Option<i64>,
    pub nano_cpus_reservation: Option<i64>,
    pub cpu_shares: Option<i64>,
    pub cpu_period: Option<i64>,
    pub cpu_quota: Option<i64>,
    pub cpu_realtime_period: Option<i64>,
    pub cpu_realtime_runtime: Option<i64>,
    pub cpus: Option<String>,
    pub memory_nodes: Option<String>,
    /// -1 is no limit.
    pub pids: Option<i64>,
    pub oom_kill_disable: Option<bool>,
    pub oom_score_adjustment: Option<i64>,
    pub block_io: Vec<BlockIo>,
    pub ulimits: Vec<Ulimit>,
    pub storage: Vec<Entry>,
    pub generic: Vec<Entry>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SeccompKind {
    Default,
    Builtin,
    Unconfined,
    Custom,
    /// Refused by daemons, or read in two ways.
    Unreadable,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SeccompProfile {
    pub kind: SeccompKind,
    pub default_action: Option<String>,
    /// Each once.
    pub actions: Vec<String>,
    pub listener: bool,
    /// `sha256:` and lower-case hex.
    pub digest: Option<String>,
}

impl SeccompProfile {
    /// One that says nothing but of what kind it is.
    pub fn of_kind(kind: SeccompKind) -> Self {
        Self { kind, default_action: None, actions: Vec::new(), listener: false, digest: None }
    }
}
