//! The normalised views of a request. One shape whatever the spelling: a mount is a mount in `Binds`, `Mounts`, a local
//! volume with `o=bind` or a service. `wit/policy.wit` documents each field.

mod cluster;
mod container;
mod items;
mod network;

use serde::{Deserialize, Serialize};

pub use self::cluster::{Build, CertificateAuthority, Plugin, PluginPrivilege, Reference, Service, ServiceMode, Swarm};
pub use self::container::{
    BlockIo, BlockIoKind, Container, Label, Labelled, Resources, RestartPolicy, SeccompKind, SeccompProfile, Ulimit,
};
pub use self::items::Items;
pub use self::network::{Network, NetworkAttachment, Subnet};

/// A name with its value, as in an object of the API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    pub name: String,
    pub value: String,
}

/// A driver and its options.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Driver {
    pub name: String,
    pub options: Vec<Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Certificate {
    /// RFC 4514 text.
    pub subject: String,
    pub common_name: Option<String>,
    pub organizations: Vec<String>,
    pub organizational_units: Vec<String>,
    /// Each with its type: `DNS:a.example`, `IP:10.0.0.1`, `email:a@example`, `URI:…`.
    pub alternative_names: Vec<String>,
    /// SHA-256 of the DER bytes, lower-case hex.
    pub fingerprint: String,
    /// Unix time in seconds.
    pub not_after: i64,
}

/// An image reference as the daemon completes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Image {
    pub registry: String,
    pub repository: String,
    pub tag: Option<String>,
    pub digest: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MountKind {
    Bind,
    Volume,
    Tmpfs,
    /// A volume that is a mount of a file system: everything of the local driver that is not a bind.
    FileSystem,
    Image,
    Cluster,
    Npipe,
    /// All mounts of another container (`VolumesFrom`).
    Container,
    Other,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Mount {
    pub kind: MountKind,
    pub source: String,
    /// For a bind, the path after every symlink and `..`; none where it could not be found out.
    pub resolved: Option<String>,
    /// Where the symlinks lie that were followed, and the folders that `..` led out of.
    pub links: Vec<String>,
    /// Whether nothing exists at `resolved`.
    pub missing: bool,
    pub target: String,
    /// Of a volume that is a mount itself: whether the volume is, for others mount it by name.
    pub read_only: bool,
    /// Whether what is mounted below is read-only, too.
    pub read_only_recursive: bool,
    pub propagation: Option<String>,
    pub driver: Option<String>,
    /// The type that a local volume gives to mount(2).
    pub file_system: Option<String>,
    /// As written, at each comma.
    pub options: Vec<String>,
    /// A path within the volume.
    pub subpath: Option<String>,
    /// Whether the call makes a volume, unless there is one of that name.
    pub makes_volume: bool,
    /// Whether an empty volume gets what the image has at the target.
    pub copies_image: bool,
    /// Whether the daemon makes a source that is missing.
    pub makes_source: bool,
}

impl Mount {
    /// One of which nothing is known but what it mounts, and where.
    pub fn new(kind: MountKind, source: &str, target: &str) -> Self {
        Self {
            kind,
            source: source.to_owned(),
            resolved: None,
            links: Vec::new(),
            missing: false,
            target: target.to_owned(),
            read_only: false,
            read_only_recursive: false,
            propagation: None,
            driver: None,
            file_system: None,
            options: Vec::new(),
            subpath: None,
            makes_volume: false,
            copies_image: false,
            makes_source: false,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SecurityOption {
    pub name: String,
    pub value: Option<String>,
}

/// Upper-cased, with `CAP_`; `ALL` stays `ALL`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Capabilities {
    pub added: Vec<String>,
    pub dropped: Vec<String>,
}

/// Devices that a driver chooses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeviceRequest {
    pub driver: String,
    /// -1 for all.
    pub count: i64,
    pub ids: Vec<String>,
    pub capabilities: Vec<Vec<String>>,
    pub options: Vec<Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Device {
    Path {
        host: String,
        container: String,
        permissions: String,
    },
    Request(DeviceRequest),
    /// `c 1:3 mr`
    CgroupRule(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum NamespaceKind {
    Cgroup,
    Ipc,
    Network,
    Pid,
    User,
    Uts,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum NamespaceMode {
    Host,
    /// Another container's, by name or ID.
    Container(String),
    /// A network by a text that may be its ID: maybe the host's.
    Unknown(String),
    Other(String),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Namespace {
    pub kind: NamespaceKind,
    pub mode: NamespaceMode,
}

/// A kernel parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sysctl {
    pub name: String,
    pub value: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Port {
    pub container: u16,
    pub protocol: String,
    /// Empty for all of the host's addresses.
    pub address: String,
    /// 0 where the daemon chooses.
    pub first: u16,
    pub last: u16,
}
