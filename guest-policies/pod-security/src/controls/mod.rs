//! The controls, by what they are about.

pub mod builds;
pub mod daemon;
pub mod devices;
pub mod kernel;
pub mod limits;
pub mod mounts;
pub mod namespaces;
pub mod networks;
pub mod privileges;
pub mod security;
pub mod users;

/// The names of all controls, of all the policies: exceptions may name each of them.
pub(crate) const NAMES: [&str; 42] = [
    "annotations",
    "apparmor",
    "builds",
    "capabilities",
    "cgroup-parent",
    "checkpoints",
    "container-namespaces",
    "copy-in",
    "daemon-downloads",
    "debug",
    "devices",
    "drop-capabilities",
    "exec-root",
    "host-namespaces",
    "host-network",
    "host-paths",
    "host-ports",
    "host-processes",
    "limits",
    "log-drivers",
    "networks",
    "no-new-privileges",
    "non-root",
    "own-networks",
    "plugins",
    "priority",
    "privileged",
    "proc-mount",
    "projects",
    "read-only-root",
    "runtime",
    "seccomp",
    "security-options",
    "selinux",
    "setuid",
    "storage-options",
    "swarm",
    "sysctls",
    "unknown-operations",
    "volume-drivers",
    "volume-types",
    "volumes-from",
];
