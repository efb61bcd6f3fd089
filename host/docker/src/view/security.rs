//! Security options and capabilities.

use std::borrow::Cow;

use portcullis_model::document::{Kind, Value};
use portcullis_model::view::{Capabilities, SecurityOption};

use super::{Facts, is_true, member, text, texts};

/// What every daemon since 18.09 masks unless it is told otherwise; a list that lacks one of them unmasks it.
const MASKED_PATHS: [&str; 9] = [
    "/proc/acpi",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/firmware",
];
const READONLY_PATHS: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

pub(crate) fn options(facts: Facts<'_>) -> Vec<SecurityOption> {
    let host = facts.host_config();
    let mut options: Vec<SecurityOption> = texts(member(host, "SecurityOpt")).map(of_text).collect();
    if lacks(member(host, "MaskedPaths"), &MASKED_PATHS) || lacks(member(host, "ReadonlyPaths"), &READONLY_PATHS) {
        options.push(option("systempaths", "unconfined"));
    }
    if let Some(privileges) = member(facts.service_container(), "Privileges") {
        options.extend(of_privileges(privileges));
    }
    options
}

pub(crate) fn capabilities(facts: Facts<'_>) -> Capabilities {
    let (host, service) = (facts.host_config(), facts.service_container());
    let named = |of, names: &[&str]| names.iter().flat_map(|name| texts(member(of, name))).map(capability).collect();
    if service.is_some() {
        Capabilities { added: named(service, &["CapabilityAdd"]), dropped: named(service, &["CapabilityDrop"]) }
    } else {
        // `Capabilities` is the whole list to Docker 19.03; unless its rule is off, it is refused.
        Capabilities { added: named(host, &["CapAdd", "Capabilities"]), dropped: named(host, &["CapDrop"]) }
    }
}

/// As moby's `NormalizeLegacyCapabilities`.
fn capability(name: &str) -> String {
    let name = name.to_uppercase();
    if name == "ALL" || name.starts_with("CAP_") { name } else { format!("CAP_{name}") }
}

/// As moby's `parseSecurityOpt`: at the first `=`, or else at the first `:`.
fn of_text(text: &str) -> SecurityOption {
    let split = text.split_once('=').or_else(|| text.split_once(':'));
    match (text, split) {
        ("disable", _) => option("label", "disable"),
        ("no-new-privileges" | "writable-cgroups", _) => option(text, "true"),
        (_, Some((name @ ("no-new-privileges" | "writable-cgroups"), value))) => option(name, &boolean(value)),
        (_, Some((name, value))) => option(name, value),
        (_, None) => SecurityOption { name: text.to_owned(), value: None },
    }
}

/// The spellings of Go's `strconv.ParseBool`.
fn boolean(value: &str) -> Cow<'_, str> {
    match value {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => "true".into(),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => "false".into(),
        _ => value.into(),
    }
}

/// A list that is there, not null, and without one of the paths.
fn lacks(list: Option<Value<'_>>, paths: &[&str]) -> bool {
    list.is_some_and(|list| {
        list.kind() == Kind::List && !paths.iter().all(|path| texts(Some(list)).any(|other| other == *path))
    })
}

/// A service's `Privileges`, as the options that a container has for the same.
fn of_privileges(privileges: Value<'_>) -> Vec<SecurityOption> {
    let at = |pointer: &str| privileges.pointer(pointer);
    let mut options = Vec::new();
    match text(at("/Seccomp/Mode")) {
        "" | "default" => {}
        "custom" => options.push(option("seccomp", &decoded(text(at("/Seccomp/Profile"))))),
        mode => options.push(option("seccomp", mode)),
    }
    match text(at("/AppArmor/Mode")) {
        "" | "default" => {}
        "disabled" => options.push(option("apparmor", "unconfined")),
        mode => options.push(option("apparmor", mode)),
    }
    if is_true(at("/SELinuxContext/Disable")) {
        options.push(option("label", "disable"));
    }
    for (pointer, name) in [("User", "user"), ("Role", "role"), ("Type", "type"), ("Level", "level")] {
        let value = text(at(&format!("/SELinuxContext/{pointer}")));
        if !value.is_empty() {
            options.push(option("label", &format!("{name}:{value}")));
        }
    }
    if is_true(at("/NoNewPrivileges")) {
        options.push(option("no-new-privileges", "true"));
    }
    options
}

/// A profile is base64; the daemon refuses what is not.
fn decoded(profile: &str) -> String {
    let bytes = base64_simd::STANDARD.decode_to_vec(profile).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn option(name: &str, value: &str) -> SecurityOption {
    SecurityOption { name: name.to_owned(), value: Some(value.to_owned()) }
}
