//! No container without a seccomp profile, or with the kernel's own files laid open.

mod profile;

use portcullis_policy::view::SecurityOption;
use portcullis_policy::{Document, Request, Verdict, policy, settings};

policy!(decide);

/// What `MaskedPaths` and `ReadonlyPaths` must have where a call gives them: the daemon's own lists since 20.10, which a
/// tool that makes a container anew from another's description sends back (moby `oci/defaults.go`).
const MASKED: [&str; 10] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/firmware",
];
const READ_ONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

pub fn decide(request: &Request, _data: &Document) -> Verdict {
    match objection(request) {
        Some(reason) => Verdict::deny(reason),
        None => Verdict::allow(),
    }
}

fn objection(request: &Request) -> Option<&'static str> {
    if let Some(reason) = request.security_options().iter().find_map(objection_to) {
        return Some(reason);
    }
    // The daemon gives a privileged container no profile. A privileged exec keeps its container's.
    if request.privileged() && request.operation() == "ContainerCreate" && !allowed("allow_privileged", false) {
        return Some("a privileged container runs without a seccomp profile");
    }
    let body = request.body()?;
    let laid_open =
        replaces(&body, "/HostConfig/MaskedPaths", &MASKED) || replaces(&body, "/HostConfig/ReadonlyPaths", &READ_ONLY);
    laid_open.then_some("the masked and read-only paths of /proc and /sys must stay as they are")
}

fn objection_to(option: &SecurityOption) -> Option<&'static str> {
    match (&*option.name, option.value.as_deref()?) {
        ("systempaths", "unconfined") => Some("the masked and read-only paths of /proc and /sys must stay as they are"),
        ("seccomp", "unconfined") => Some("a container without a seccomp profile is not allowed"),
        ("seccomp", "" | "default" | "builtin") => None,
        ("seccomp", _) if !allowed("allow_custom_profiles", true) => {
            Some("a seccomp profile of one's own is not allowed")
        }
        ("seccomp", profile) if !profile::denies_by_default(profile) => {
            Some("a seccomp profile must deny what it does not list")
        }
        _ => None,
    }
}

/// Whether the list is given, and lacks some of what it takes the place of.
fn replaces(body: &Document, pointer: &str, all: &[&str]) -> bool {
    let Some(paths) = body.texts(pointer) else { return false };
    !all.iter().all(|path| paths.iter().any(|given| given == path))
}

fn allowed(setting: &str, default: bool) -> bool {
    settings().at([setting]).boolean().unwrap_or(default)
}
