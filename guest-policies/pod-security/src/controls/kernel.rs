//! What a container asks of the kernel and of the runtime beside the rest.

use crate::call::{CONTAINERS, Call, Kind, MAKES};
use crate::text::short;
use crate::{Control, Objection};

const RUNTIMES: [&str; 1] = ["runc"];

/// The Pod Security Standards' safe ones.
const SAFE: [&str; 12] = [
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_wmem",
];

pub const SYSCTLS: Control =
    Control { name: "sysctls", of: &[Kind::Create, Kind::Service, Kind::NetworkConnect], objection: sysctl };
pub const CGROUP_PARENT: Control =
    Control { name: "cgroup-parent", of: &[Kind::Create, Kind::Update, Kind::Build], objection: cgroup_parent };
pub const RUNTIME: Control =
    Control { name: "runtime", of: &[Kind::Create, Kind::Service, Kind::Build], objection: runtime };
pub const ANNOTATIONS: Control = Control { name: "annotations", of: &[Kind::Create], objection: annotation };
pub const STORAGE_OPTIONS: Control = Control { name: "storage-options", of: &[Kind::Create], objection: storage };
pub const PRIORITY: Control = Control { name: "priority", of: CONTAINERS, objection: priority };
pub const READ_ONLY_ROOT: Control = Control { name: "read-only-root", of: MAKES, objection: writable_root };

fn sysctl(call: &Call<'_>) -> Objection {
    let sysctls = call.request.sysctls();
    let unsafe_one =
        sysctls.iter().find(|one| !SAFE.contains(&one.name.as_str()) && !call.lists("sysctls", &one.name))?;
    Some(
        format!(
            "the kernel parameter `{}` may not be set; allowed are the safe ones of the Pod Security Standards",
            short(&unsafe_one.name)
        )
        .into(),
    )
}

fn cgroup_parent(call: &Call<'_>) -> Objection {
    let parent = call.container()?.cgroup_parent.as_deref().filter(|parent| !parent.is_empty())?;
    (!call.lists("cgroup_parents", parent)).then(|| {
        format!("the parent `{}` for control groups may not be chosen; leave out `--cgroup-parent`", short(parent))
            .into()
    })
}

fn runtime(call: &Call<'_>) -> Objection {
    let container = call.container()?;
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    if let Some(isolation) = given(&container.isolation).filter(|isolation| isolation != "default") {
        return Some(format!("the isolation `{}` is not known; leave it out", short(&isolation)).into());
    }
    let runtime = given(&container.runtime)?;
    (!call.lists_or("runtimes", &RUNTIMES, &runtime)).then(|| {
        format!("the runtime `{}` may not be chosen; leave out `--runtime` for the daemon's own", short(&runtime))
            .into()
    })
}

fn annotation(call: &Call<'_>) -> Objection {
    let annotations = &call.container()?.annotations;
    let unknown = annotations.iter().find(|annotation| !call.lists("annotations", &annotation.name))?;
    Some(
        format!("a runtime may obey the annotation `{}`; leave it out, or use a label instead", short(&unknown.name))
            .into(),
    )
}

fn storage(call: &Call<'_>) -> Objection {
    let unknown = call.resources().storage.iter().find(|option| option.name != "size")?;
    Some(
        format!("the storage option `{}` is not known; allowed is `--storage-opt size=…`", short(&unknown.name)).into(),
    )
}

fn priority(call: &Call<'_>) -> Objection {
    let resources = call.resources();
    if resources.oom_score_adjustment.is_some_and(|score| score < 0) || resources.oom_kill_disable == Some(true) {
        return Some(
            "a container may not outlive the host's own programs when memory is short; leave out `--oom-kill-disable` and a \
             negative `--oom-score-adj`"
                .into(),
        );
    }
    let real_time = [resources.cpu_realtime_period, resources.cpu_realtime_runtime];
    real_time.iter().flatten().next().map(|_| {
        "a container may not have the processors before the host's own programs; leave out `--cpu-rt-period` and \
         `--cpu-rt-runtime`"
            .into()
    })
}

fn writable_root(call: &Call<'_>) -> Objection {
    if call.container()?.read_only_root || !call.says("read_only_root") {
        return None;
    }
    Some(
        "the container's root file system must be read-only: add `--read-only`, and `--tmpfs /tmp` for what it writes"
            .into(),
    )
}
