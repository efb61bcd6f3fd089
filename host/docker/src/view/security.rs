//! Security options and capabilities.

use std::borrow::Cow;
use std::collections::HashSet;

use portcullis_document::{Kind, Value};
use portcullis_model::view::{Capabilities, SecurityOption};

use super::{Facts, is_true, member, text, texts};
use crate::json;

/// What the newest daemon masks unless it is told otherwise (moby's `daemon/pkg/oci/defaults.go`); a list that lacks one of
/// them unmasks it. It also masks what [`crate::Reader::masking`] is given: `thermal_throttle` of each processor that has it.
const MASKED_PATHS: [&str; 12] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
];
const READONLY_PATHS: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

pub(crate) fn options(facts: Facts<'_>) -> Vec<SecurityOption> {
    let host = facts.host_config();
    let mut options: Vec<SecurityOption> = texts(member(host, "SecurityOpt")).map(of_text).collect();
    let masked = MASKED_PATHS.into_iter().chain(facts.masked.iter().map(String::as_str));
    if lacks(member(host, "MaskedPaths"), masked) || lacks(member(host, "ReadonlyPaths"), READONLY_PATHS) {
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
fn lacks<'a>(list: Option<Value<'_>>, paths: impl IntoIterator<Item = &'a str>) -> bool {
    let Some(list) = list.filter(|list| list.kind() == Kind::List) else { return false };
    let listed: HashSet<&str> = texts(Some(list)).collect();
    !paths.into_iter().all(|path| listed.contains(path))
}

/// A service's `Privileges`, as the options that a container has for the same.
fn of_privileges(privileges: Value<'_>) -> Vec<SecurityOption> {
    let at = |pointer: &str| privileges.pointer(pointer);
    let mut options = Vec::new();
    match text(at("/Seccomp/Mode")) {
        "" | "default" => {}
        "custom" => options.push(option("seccomp", &profile(text(at("/Seccomp/Profile"))))),
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
    // Of Windows.
    for (pointer, scheme) in [("Config", "config"), ("File", "file"), ("Registry", "registry")] {
        let value = text(at(&format!("/CredentialSpec/{pointer}")));
        if !value.is_empty() {
            options.push(option("credentialspec", &format!("{scheme}://{value}")));
        }
    }
    if is_true(at("/NoNewPrivileges")) {
        options.push(option("no-new-privileges", "true"));
    }
    options
}

/// The text of a profile, which is base64, as Go reads it: what is not UTF-8 is U+FFFD. What is no base64 stays as it is:
/// no profile to anybody.
fn profile(encoded: &str) -> String {
    match json::decode_base64(encoded) {
        Some(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        None => encoded.to_owned(),
    }
}

fn option(name: &str, value: &str) -> SecurityOption {
    SecurityOption { name: name.to_owned(), value: Some(value.to_owned()) }
}
