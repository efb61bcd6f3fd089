//! The daemon's operations, in the groups of its API: the tags of moby's `api/swagger.yaml`, and `buildkit`, `checkpoints` and
//! `debug` for what it routes and does not describe.

/// Each group with its operations.
const GROUPS: &[(&str, &[&str])] = &[
    ("buildkit", &["(GRPC)"]),
    ("checkpoints", &["(CheckpointCreate)", "(CheckpointDelete)", "(CheckpointList)"]),
    ("configs", &["ConfigCreate", "ConfigDelete", "ConfigInspect", "ConfigList", "ConfigUpdate"]),
    (
        "containers",
        &[
            "ContainerArchive",
            "ContainerArchiveInfo",
            "ContainerAttach",
            "ContainerAttachWebsocket",
            "ContainerChanges",
            "ContainerCreate",
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
            "ContainerStart",
            "ContainerStats",
            "ContainerStop",
            "ContainerTop",
            "ContainerUnpause",
            "ContainerUpdate",
            "ContainerWait",
            "PutContainerArchive",
        ],
    ),
    (
        "debug",
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
    ("distribution", &["DistributionInspect"]),
    ("exec", &["ContainerExec", "ExecInspect", "ExecResize", "ExecStart"]),
    (
        "images",
        &[
            "(BuildCancel)",
            "BuildPrune",
            "ImageAttestations",
            "ImageBuild",
            "ImageCommit",
            "ImageCreate",
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
        ],
    ),
    (
        "networks",
        &[
            "(NetworkListSlash)",
            "NetworkConnect",
            "NetworkCreate",
            "NetworkDelete",
            "NetworkDisconnect",
            "NetworkInspect",
            "NetworkList",
            "NetworkPrune",
        ],
    ),
    ("nodes", &["NodeDelete", "NodeInspect", "NodeList", "NodeUpdate"]),
    (
        "plugins",
        &[
            "GetPluginPrivileges",
            "PluginCreate",
            "PluginDelete",
            "PluginDisable",
            "PluginEnable",
            "PluginInspect",
            "PluginList",
            "PluginPull",
            "PluginPush",
            "PluginSet",
            "PluginUpgrade",
        ],
    ),
    ("secrets", &["SecretCreate", "SecretDelete", "SecretInspect", "SecretList", "SecretUpdate"]),
    ("services", &["ServiceCreate", "ServiceDelete", "ServiceInspect", "ServiceList", "ServiceLogs", "ServiceUpdate"]),
    ("session", &["Session"]),
    (
        "swarm",
        &["SwarmInit", "SwarmInspect", "SwarmJoin", "SwarmLeave", "SwarmUnlock", "SwarmUnlockkey", "SwarmUpdate"],
    ),
    (
        "system",
        &[
            "(Options)",
            "SystemAuth",
            "SystemDataUsage",
            "SystemEvents",
            "SystemInfo",
            "SystemPing",
            "SystemPingHead",
            "SystemVersion",
        ],
    ),
    ("tasks", &["TaskInspect", "TaskList", "TaskLogs"]),
    ("volumes", &["VolumeCreate", "VolumeDelete", "VolumeInspect", "VolumeList", "VolumePrune", "VolumeUpdate"]),
];

/// The group of an operation; none of one that this policy does not know.
pub(crate) fn group_of(operation: &str) -> Option<&'static str> {
    let has = |(_, operations): &&(&str, &[&str])| operations.contains(&operation);
    GROUPS.iter().find(has).map(|(group, _)| *group)
}

pub(crate) fn is_group(name: &str) -> bool {
    GROUPS.iter().any(|(group, _)| *group == name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_operation_of_the_host_is_in_one_group() {
        let table = include_str!("../../../host/docker/data/operations.tsv");
        let rows = table.lines().filter(|line| !line.starts_with('#')).skip(1);
        let known: BTreeSet<&str> = rows.filter_map(|row| row.split('\t').next()).collect();
        let grouped: Vec<&str> = GROUPS.iter().flat_map(|(_, operations)| operations.iter().copied()).collect();
        assert_eq!(grouped.iter().copied().collect::<BTreeSet<_>>(), known);
        assert_eq!(grouped.len(), known.len(), "none is in two groups");
    }
}
