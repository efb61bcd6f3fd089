//! What each of the daemon's operations shows. An operation that is not listed is not allowed.

/// How much more than a look an operation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Look,
    /// Allowed by a setting.
    Set(&'static Setting),
    /// `docker top`, by its arguments.
    Top,
    /// Attaching, where nothing goes in.
    Attach,
    /// Changes nothing, and is never only a look: what it shows.
    Never(&'static str),
    Change,
}

/// A setting that allows operations.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Setting {
    pub(crate) name: &'static str,
    /// Where the setting is left out.
    pub(crate) default: bool,
    /// What the operations show.
    pub(crate) shows: &'static str,
}

const fn setting(name: &'static str, default: bool, shows: &'static str) -> Setting {
    Setting { name, default, shows }
}

pub(crate) static ATTACH: Setting = setting("attach", false, "what a container writes");
static CHANGES: Setting = setting("changes", false, "the names of files in a container");
static CONFIGS: Setting = setting("configs", false, "the content of configs");
static EVENTS: Setting = setting("events", false, "what everybody does");
static INSPECT: Setting = setting("inspect", true, "environment variables and options, which may hold secrets");
static LOGS: Setting = setting("logs", false, "what containers write");
static REGISTRIES: Setting = setting("registries", false, "what a registry says, which the daemon asks for it");
static STATS: Setting = setting("stats", false, "what a container uses");
pub(crate) static TOP: Setting = setting("top", true, "processes and their arguments");

const FILES: &str = "the files of containers and images";
const SWARM: &str = "the keys of the swarm";
const HOST: &str = "a folder of the host";
const DAEMON: &str = "the daemon's memory";

/// Each class with its operations. Some that look make the daemon read files, and some are long: none changes anything.
const CLASSES: &[(Class, &[&str])] = &[
    (
        Class::Look,
        &[
            "(NetworkListSlash)",
            "(Options)",
            "ContainerList",
            "ContainerWait",
            "ImageAttestations",
            "ImageList",
            "NetworkInspect",
            "NetworkList",
            "NodeInspect",
            "NodeList",
            "SecretInspect",
            "SecretList",
            "SystemDataUsage",
            "SystemInfo",
            "SystemPing",
            "SystemPingHead",
            "SystemVersion",
        ],
    ),
    (
        Class::Set(&INSPECT),
        &[
            "ContainerInspect",
            "ExecInspect",
            "ImageHistory",
            "ImageInspect",
            "PluginInspect",
            "PluginList",
            "ServiceInspect",
            "ServiceList",
            "TaskInspect",
            "TaskList",
            "VolumeInspect",
            "VolumeList",
        ],
    ),
    (Class::Set(&LOGS), &["ContainerLogs", "ServiceLogs", "TaskLogs"]),
    (Class::Set(&EVENTS), &["SystemEvents"]),
    (Class::Set(&STATS), &["ContainerStats"]),
    (Class::Set(&CHANGES), &["ContainerChanges"]),
    (Class::Set(&CONFIGS), &["ConfigInspect", "ConfigList"]),
    (Class::Set(&REGISTRIES), &["DistributionInspect", "GetPluginPrivileges", "ImageSearch"]),
    (Class::Top, &["ContainerTop"]),
    (Class::Attach, &["ContainerAttach"]),
    (Class::Never(FILES), &["ContainerArchive", "ContainerArchiveInfo", "ContainerExport", "ImageGet", "ImageGetAll"]),
    (Class::Never(SWARM), &["SwarmInspect", "SwarmUnlockkey"]),
    (Class::Never(HOST), &["(CheckpointList)"]),
    (
        Class::Never(DAEMON),
        &[
            "(DebugPprofCmdline)",
            "(DebugPprofIndex)",
            "(DebugPprofName)",
            "(DebugPprofProfile)",
            "(DebugPprofSymbol)",
            "(DebugPprofTrace)",
            "(DebugVars)",
        ],
    ),
    (Class::Change, CHANGING),
];

const CHANGING: &[&str] = &[
    "(BuildCancel)",
    "(CheckpointCreate)",
    "(CheckpointDelete)",
    "(GRPC)",
    "BuildPrune",
    "ConfigCreate",
    "ConfigDelete",
    "ConfigUpdate",
    // By websocket, versions of Docker always take input.
    "ContainerAttachWebsocket",
    "ContainerCreate",
    "ContainerDelete",
    "ContainerExec",
    "ContainerKill",
    "ContainerPause",
    "ContainerPrune",
    "ContainerRename",
    "ContainerResize",
    "ContainerRestart",
    "ContainerStart",
    "ContainerStop",
    "ContainerUnpause",
    "ContainerUpdate",
    "ExecResize",
    "ExecStart",
    "ImageBuild",
    "ImageCommit",
    "ImageCreate",
    "ImageDelete",
    "ImageLoad",
    "ImagePrune",
    "ImagePush",
    "ImageTag",
    "NetworkConnect",
    "NetworkCreate",
    "NetworkDelete",
    "NetworkDisconnect",
    "NetworkPrune",
    "NodeDelete",
    "NodeUpdate",
    "PluginCreate",
    "PluginDelete",
    "PluginDisable",
    "PluginEnable",
    "PluginPull",
    "PluginPush",
    "PluginSet",
    "PluginUpgrade",
    "PutContainerArchive",
    "SecretCreate",
    "SecretDelete",
    "SecretUpdate",
    "ServiceCreate",
    "ServiceDelete",
    "ServiceUpdate",
    "Session",
    "SwarmInit",
    "SwarmJoin",
    "SwarmLeave",
    "SwarmUnlock",
    "SwarmUpdate",
    // The daemon sends what it is given to a registry.
    "SystemAuth",
    "VolumeCreate",
    "VolumeDelete",
    "VolumePrune",
    "VolumeUpdate",
];

/// None of an operation that this policy does not know.
pub(crate) fn class_of(operation: &str) -> Option<Class> {
    CLASSES.iter().find(|(_, operations)| operations.contains(&operation)).map(|(class, _)| *class)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const TABLE: &str = include_str!("../../../host/docker/data/operations.tsv");

    #[test]
    fn every_operation_of_the_host_is_in_one_class() {
        let rows = TABLE.lines().filter(|line| !line.starts_with('#')).skip(1);
        let known: Vec<&str> = rows.filter_map(|row| row.split('\t').next()).collect();
        let classed: Vec<&str> = CLASSES.iter().flat_map(|(_, operations)| operations.iter().copied()).collect();
        let mut count = BTreeMap::new();
        for operation in &classed {
            *count.entry(*operation).or_insert(0) += 1;
        }
        for operation in &known {
            assert_eq!(count.remove(operation), Some(1), "{operation}");
        }
        assert!(count.is_empty(), "{count:?} are no operations");
    }

    #[test]
    fn what_writes_is_never_a_look() {
        for row in TABLE.lines().filter(|line| !line.starts_with('#')).skip(1) {
            let columns: Vec<&str> = row.split('\t').collect();
            let writes = columns.contains(&"write");
            let class = class_of(columns[0]).expect("has one");
            let is_change = matches!(class, Class::Change | Class::Attach | Class::Never(DAEMON));
            assert_eq!(is_change, writes, "{row}");
        }
    }
}
