//! A call, and what kind it is.

use std::cell::OnceCell;

use portcullis_policy::view::{Capabilities, Container, Mount, Namespace, Resources, SecurityOption};
use portcullis_policy::{Document, Request, Value, settings};

/// What has to be asked about a call. The list of operations is closed: an operation that is not in it is `Unknown`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It makes nothing that could have the host: looks, pulls, stops, deletes, …
    Harmless,
    Create,
    Update,
    /// The create and update of a service.
    Service,
    Exec,
    Start,
    /// Reads files of a container.
    CopyOut,
    /// Writes files into one.
    CopyIn,
    VolumeCreate,
    /// Of cluster volumes only.
    VolumeUpdate,
    NetworkCreate,
    NetworkConnect,
    Build,
    Session,
    Grpc,
    /// A pull or an import.
    ImageCreate,
    /// Secrets and configs.
    Secret,
    Plugin,
    Swarm,
    Checkpoint,
    Top,
    Debug,
    Unknown,
}

/// A call that is being decided, with the views that more than one control asks for.
#[derive(Debug)]
pub struct Call<'r> {
    pub request: &'r Request,
    pub kind: Kind,
    capabilities: OnceCell<Capabilities>,
    container: OnceCell<Option<Container>>,
    options: OnceCell<Vec<SecurityOption>>,
    mounts: OnceCell<Vec<Mount>>,
    namespaces: OnceCell<Vec<Namespace>>,
    resources: OnceCell<Resources>,
    settings: OnceCell<(Document, Vec<String>)>,
}

// === impl Call ===

impl<'r> Call<'r> {
    pub fn of(request: &'r Request) -> Self {
        Self {
            request,
            kind: Kind::of(&request.operation()),
            capabilities: OnceCell::new(),
            container: OnceCell::new(),
            options: OnceCell::new(),
            mounts: OnceCell::new(),
            namespaces: OnceCell::new(),
            resources: OnceCell::new(),
            settings: OnceCell::new(),
        }
    }

    pub fn capabilities(&self) -> &Capabilities {
        self.capabilities.get_or_init(|| self.request.capabilities())
    }

    pub fn container(&self) -> Option<&Container> {
        self.container.get_or_init(|| self.request.container()).as_ref()
    }

    pub fn options(&self) -> &[SecurityOption] {
        self.options.get_or_init(|| self.request.security_options())
    }

    pub fn mounts(&self) -> &[Mount] {
        self.mounts.get_or_init(|| self.request.mounts())
    }

    pub fn namespaces(&self) -> &[Namespace] {
        self.namespaces.get_or_init(|| self.request.namespaces())
    }

    pub fn resources(&self) -> &Resources {
        self.resources.get_or_init(|| self.request.resources())
    }

    /// A setting, if there is one of this name: most are not there, and then the host need not be asked for them.
    pub fn setting(&self, name: &str) -> Option<Value<'_>> {
        let (settings, names) = self.settings.get_or_init(|| {
            let settings = settings();
            let names = settings.keys("").unwrap_or_default();
            (settings, names)
        });
        names.iter().any(|known| known == name).then(|| settings.at([name]))
    }

    /// Whether a setting lists this text. Ask only where it matters: most calls need no setting.
    pub fn lists(&self, setting: &str, text: &str) -> bool {
        self.list(setting).is_some_and(|list| list.iter().any(|listed| listed == text))
    }

    /// The same, with what holds where the setting is not there.
    pub fn lists_or(&self, setting: &str, default: &[&str], text: &str) -> bool {
        match self.list(setting) {
            Some(list) => list.iter().any(|listed| listed == text),
            None => default.contains(&text),
        }
    }

    /// Whether this is a service at a version below `1.minor` of the API, in which daemons ignore what came later.
    pub fn is_service_below(&self, minor: u32) -> bool {
        if self.kind != Kind::Service {
            return false;
        }
        // Without a version, it is the daemon's newest.
        let Some(version) = self.request.api_version() else { return false };
        let numbers =
            version.split_once('.').and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
        numbers.is_none_or(|numbers: (u32, u32)| numbers < (1, minor))
    }

    pub fn list(&self, setting: &str) -> Option<Vec<String>> {
        self.setting(setting)?.texts()
    }

    pub fn says(&self, setting: &str) -> bool {
        self.setting(setting).is_some_and(|value| value.boolean() == Some(true))
    }
}

// === impl Kind ===

/// What makes containers, or changes them.
pub const CONTAINERS: &[Kind] = &[Kind::Create, Kind::Update, Kind::Service];
/// What makes them.
pub const MAKES: &[Kind] = &[Kind::Create, Kind::Service];

impl Kind {
    pub fn of(operation: &str) -> Self {
        match operation {
            "ContainerCreate" => Self::Create,
            "ContainerUpdate" => Self::Update,
            "ServiceCreate" | "ServiceUpdate" => Self::Service,
            "ContainerExec" => Self::Exec,
            "ContainerStart" => Self::Start,
            "ContainerArchive" | "ContainerArchiveInfo" => Self::CopyOut,
            "PutContainerArchive" => Self::CopyIn,
            "VolumeCreate" => Self::VolumeCreate,
            "VolumeUpdate" => Self::VolumeUpdate,
            "NetworkCreate" => Self::NetworkCreate,
            "NetworkConnect" => Self::NetworkConnect,
            "ImageBuild" => Self::Build,
            "Session" => Self::Session,
            "(GRPC)" => Self::Grpc,
            "ImageCreate" => Self::ImageCreate,
            "SecretCreate" | "SecretUpdate" | "ConfigCreate" | "ConfigUpdate" => Self::Secret,
            "PluginPull" | "PluginUpgrade" | "PluginCreate" | "PluginEnable" | "PluginDisable" | "PluginSet"
            | "PluginDelete" | "PluginPush" => Self::Plugin,
            // The last two show the tokens with which another host joins as a manager, and the key of the managers' store.
            "SwarmInit" | "SwarmJoin" | "SwarmLeave" | "SwarmUpdate" | "SwarmUnlock" | "NodeUpdate" | "NodeDelete"
            | "SwarmInspect" | "SwarmUnlockkey" => Self::Swarm,
            "(CheckpointList)" | "(CheckpointCreate)" | "(CheckpointDelete)" => Self::Checkpoint,
            "ContainerTop" => Self::Top,
            "(DebugVars)"
            | "(DebugPprofIndex)"
            | "(DebugPprofCmdline)"
            | "(DebugPprofProfile)"
            | "(DebugPprofSymbol)"
            | "(DebugPprofTrace)"
            | "(DebugPprofName)" => Self::Debug,
            harmless if HARMLESS.contains(&harmless) => Self::Harmless,
            _ => Self::Unknown,
        }
    }
}

const HARMLESS: [&str; 73] = [
    "(BuildCancel)",
    "(NetworkListSlash)",
    "(Options)",
    "BuildPrune",
    "ConfigDelete",
    "ConfigInspect",
    "ConfigList",
    "ContainerAttach",
    "ContainerAttachWebsocket",
    "ContainerChanges",
    "ContainerDelete",
    "ContainerExport",
    "ContainerInspect",
    "ContainerKill",
    "ContainerList",
    "ContainerLogs",
    "ContainerPause",
    "ContainerPrune",
    "ContainerRename",
    "ContainerResize",
    "ContainerRestart",
    "ContainerStats",
    "ContainerStop",
    "ContainerUnpause",
    "ContainerWait",
    "DistributionInspect",
    "ExecInspect",
    "ExecResize",
    "ExecStart",
    "GetPluginPrivileges",
    "ImageAttestations",
    "ImageCommit",
    "ImageDelete",
    "ImageGet",
    "ImageGetAll",
    "ImageHistory",
    "ImageInspect",
    "ImageList",
    "ImageLoad",
    "ImagePrune",
    "ImagePush",
    "ImageSearch",
    "ImageTag",
    "NetworkDelete",
    "NetworkDisconnect",
    "NetworkInspect",
    "NetworkList",
    "NetworkPrune",
    "NodeInspect",
    "NodeList",
    "PluginInspect",
    "PluginList",
    "SecretDelete",
    "SecretInspect",
    "SecretList",
    "ServiceDelete",
    "ServiceInspect",
    "ServiceList",
    "ServiceLogs",
    "SystemAuth",
    "SystemDataUsage",
    "SystemEvents",
    "SystemInfo",
    "SystemPing",
    "SystemPingHead",
    "SystemVersion",
    "TaskInspect",
    "TaskList",
    "TaskLogs",
    "VolumeDelete",
    "VolumeInspect",
    "VolumeList",
    "VolumePrune",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_of_the_daemon_has_a_kind() {
        let table = include_str!("../../../host/docker/data/operations.tsv");
        let rows = table.lines().filter(|line| !line.starts_with('#')).skip(1);
        let operations = rows.filter_map(|row| row.split('\t').next());
        let (mut unknown, mut harmless) = (Vec::new(), 0);
        for operation in operations {
            let kind = Kind::of(operation);
            if kind == Kind::Unknown {
                unknown.push(operation);
            }
            harmless += usize::from(kind == Kind::Harmless);
        }
        assert_eq!(unknown, Vec::<&str>::new());
        assert_eq!(harmless, HARMLESS.len(), "an operation that there is not is in the list");
        assert_eq!(Kind::of("ContainerCopy"), Kind::Unknown);
    }
}
