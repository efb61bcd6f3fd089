//! The Kubernetes Pod Security Standards' level "restricted", carried over to Docker's API.

use pod_security::controls::{
    builds, daemon, devices, kernel, limits, mounts, namespaces, networks, privileges, security, users,
};
use portcullis_policy::settings::Setting;
use portcullis_policy::{Document, Request, Verdict, policy};

policy!(decide, prepare);

pod_security::controls! {
    privileges::PRIVILEGED,
    namespaces::HOST_NAMESPACES,
    namespaces::HOST_NETWORK,
    namespaces::CONTAINER_NAMESPACES,
    privileges::FEW_CAPABILITIES,
    privileges::DROP_CAPABILITIES,
    users::NO_NEW_PRIVILEGES,
    users::NON_ROOT,
    users::EXEC_ROOT,
    mounts::HOST_PATHS,
    mounts::VOLUME_DRIVERS,
    mounts::VOLUMES_FROM,
    mounts::VOLUME_TYPES,
    mounts::COPY_IN,
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
    kernel::READ_ONLY_ROOT,
    limits::LIMITS,
    networks::LOG_DRIVER,
    networks::NETWORKS_WITHOUT_INTERFACES,
    builds::BUILDS_NONE,
    builds::DAEMON_DOWNLOADS,
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
        Setting::one_of("binds", &pod_security::BINDS),
        Setting::texts("limits"),
        Setting::boolean("named_users"),
        Setting::boolean("read_only_root"),
    ];
    pod_security::prepare(settings, CONTROLS, &own)?;
    match settings.texts("/limits").unwrap_or_default().iter().find(|name| !limits::KNOWN.contains(&name.as_str())) {
        Some(unknown) => Err(format!("`limits` has `{unknown}`; there are {}", limits::KNOWN.join(", "))),
        None => Ok(()),
    }
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
