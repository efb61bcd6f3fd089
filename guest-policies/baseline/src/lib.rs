//! The Kubernetes Pod Security Standards' level "baseline", carried over to Docker's API.

use pod_security::controls::{builds, daemon, devices, kernel, mounts, namespaces, networks, privileges, security};
use portcullis_policy::settings::Setting;
use portcullis_policy::{Document, Request, Verdict, policy};

policy!(decide, prepare);

pod_security::controls! {
    privileges::PRIVILEGED,
    namespaces::HOST_NAMESPACES,
    namespaces::HOST_NETWORK,
    namespaces::CONTAINER_NAMESPACES,
    privileges::CAPABILITIES,
    mounts::HOST_PATHS,
    mounts::VOLUME_DRIVERS,
    mounts::VOLUMES_FROM,
    networks::HOST_PORTS,
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
    networks::LOG_DRIVER,
    networks::NETWORKS,
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
    pod_security::prepare(settings, CONTROLS, &[Setting::one_of("binds", &pod_security::BINDS)])
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
