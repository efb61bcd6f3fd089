//! For programs that were given Docker: CI runners and coding agents.

mod folders;
mod networks;
mod projects;

use pod_security::controls::{
    builds, daemon, devices, kernel, limits, mounts, namespaces, networks as ports, privileges, security,
};
use portcullis_policy::settings::Setting;
use portcullis_policy::{Document, Request, Verdict, policy};

policy!(decide, prepare);

pod_security::controls! {
    privileges::PRIVILEGED,
    namespaces::HOST_NAMESPACES,
    namespaces::HOST_NETWORK,
    namespaces::CONTAINER_NAMESPACES,
    privileges::CAPABILITIES,
    projects::PROJECTS,
    projects::SETUID,
    projects::EXEC,
    mounts::VOLUME_DRIVERS,
    mounts::VOLUMES_FROM,
    ports::HOST_PORTS,
    devices::DEVICES,
    security::SECCOMP,
    security::APPARMOR,
    security::SELINUX,
    security::PROC_MOUNT,
    security::SECURITY_OPTIONS,
    kernel::SYSCTLS,
    kernel::CGROUP_PARENT,
    kernel::RUNTIME,
    kernel::ANNOTATIONS,
    kernel::STORAGE_OPTIONS,
    kernel::PRIORITY,
    limits::CAPPED,
    ports::LOG_DRIVER,
    networks::OWN,
    ports::NETWORKS_WITHOUT_INTERFACES,
    builds::BUILDS_CLASSIC,
    daemon::PLUGINS,
    daemon::SWARM,
    daemon::CHECKPOINTS,
    daemon::HOST_PROCESSES,
    daemon::DEBUG,
    daemon::UNKNOWN_OPERATIONS,
}

pub fn decide(request: &Request, data: &Document) -> Verdict {
    verdict(request, data)
}

pub fn prepare(settings: &Document) -> Result<(), String> {
    let own = [
        Setting::texts("projects"),
        Setting::boolean("inside"),
        Setting::texts("symlinks"),
        Setting::boolean("nosuid_nodev"),
        Setting::texts("users"),
        Setting::texts("networks"),
        Setting::integer("memory_mib", 0, 1 << 30),
        Setting::integer("pids", 0, 1 << 22),
        Setting::integer("cpus", 0, 1 << 16),
    ];
    pod_security::prepare(settings, CONTROLS, &own)?;
    projects::check(settings)
}

#[cfg(test)]
mod tests {
    use portcullis_policy::testing;

    use super::{decide, prepare};

    #[test]
    fn cases() {
        testing::run_cases_with(decide, prepare);
    }
}
