//! Names of plugins that lead out of the folders that plugins are in.
//!
//! What is no driver of the daemon's own and no managed plugin is a name that the daemon puts into a path: of a socket in
//! `/run/docker/plugins`, then of a file in `/etc/docker/plugins` and `/usr/lib/docker/plugins` that says where the plugin
//! listens (moby's `pkg/plugins/discovery.go`). With `..` in it that is any socket of the host, also one that a container
//! has made in a folder that it may write.

use std::collections::HashMap;
use std::sync::LazyLock;

use portcullis_document::{Pattern, Value};

use crate::view::Facts;

/// Where the body of an operation names a driver, by pointer; `*` is each item of a list. A managed plugin that a service
/// runs or a call installs is a reference to an image, and found by that alone.
const NAMES: &[(&str, &[&str])] = &[
    (
        "ContainerCreate",
        &[
            "HostConfig/LogConfig/Type",
            "HostConfig/VolumeDriver",
            "HostConfig/Runtime",
            "HostConfig/Mounts/*/VolumeOptions/DriverConfig/Name",
            // At the root, where only `root-host-config` keeps them out.
            "LogConfig/Type",
            "VolumeDriver",
            "Runtime",
            "Mounts/*/VolumeOptions/DriverConfig/Name",
        ],
    ),
    ("NetworkCreate", &["Driver", "IPAM/Driver"]),
    ("SecretCreate", &["Driver/Name", "Templating/Name"]),
    ("SecretUpdate", &["Driver/Name", "Templating/Name"]),
    ("ConfigCreate", &["Templating/Name"]),
    ("ConfigUpdate", &["Templating/Name"]),
    ("ServiceCreate", SERVICE),
    ("ServiceUpdate", SERVICE),
    ("SwarmInit", &["Spec/TaskDefaults/LogDriver/Name"]),
    ("SwarmUpdate", &["TaskDefaults/LogDriver/Name"]),
    ("VolumeCreate", &["Driver"]),
];
const SERVICE: &[&str] =
    &["TaskTemplate/LogDriver/Name", "TaskTemplate/ContainerSpec/Mounts/*/VolumeOptions/DriverConfig/Name"];

static PATTERNS: LazyLock<HashMap<&str, Vec<(&str, Pattern)>>> = LazyLock::new(|| {
    let patterns =
        |pointers: &[&'static str]| pointers.iter().map(|pointer| (*pointer, Pattern::new(pointer))).collect();
    NAMES.iter().map(|(operation, pointers)| (*operation, patterns(pointers))).collect()
});

/// The first name that leads elsewhere, and where it stands.
pub(crate) fn stray(facts: Facts<'_>) -> Option<String> {
    let (patterns, body) = (PATTERNS.get(facts.operation)?, facts.body?);
    let mut is_stray = |name: Value<'_>| leads_out(name.as_str().unwrap_or_default());
    let (pointer, _) = patterns.iter().find(|(_, pattern)| pattern.any(body, &mut is_stray))?;
    // The text itself can hold a password, as in an address.
    Some(format!("`{}` is a path, and not the name of a driver or plugin", pointer.replace('/', ".")))
}

/// A managed plugin has a name such as `vieux/sshfs:latest` or `localhost:5000/sshfs`, and some runtimes have dots.
fn leads_out(name: &str) -> bool {
    !name.is_empty() && name.split('/').any(|part| matches!(part, "" | "." | "..")) || name.contains('\0')
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::json::Shape;
    use crate::operation::{Body, OPERATIONS};

    #[test]
    fn a_name_with_slashes_is_no_path_by_itself() {
        for name in
            ["", "local", "vieux/sshfs:latest", "localhost:5000/a/b:1.0", "io.containerd.runc.v2", "...", "a..b"]
        {
            assert!(!leads_out(name), "{name}");
        }
        for name in ["..", "../a", "a/../../b", "a/..", "/run/a", "a//b", "./a", "a/", ".", "a\0"] {
            assert!(leads_out(name), "{name}");
        }
    }

    /// What in a body has a driver's name by the names of moby's structures. What has not is listed here.
    #[test]
    fn every_driver_of_every_body_is_looked_at() {
        // Of these nothing is looked up in a folder: a key of a table, a kind of task, and a mode of a config.
        const OTHERS: [&str; 3] =
            ["HostConfig/DeviceRequests/*/Driver", "DeviceRequests/*/Driver", "TaskTemplate/Runtime"];
        for operation in OPERATIONS {
            let Body::Json(shape) = operation.body else { continue };
            let mut found = BTreeSet::new();
            collect(shape, String::new(), false, 0, &mut found);
            let known = NAMES.iter().find(|(id, _)| *id == operation.id).map_or(&[][..], |(_, pointers)| pointers);
            let expected: BTreeSet<String> = known.iter().map(|pointer| (*pointer).to_owned()).collect();
            found.retain(|pointer| !OTHERS.contains(&pointer.as_str()));
            assert_eq!(found, expected, "{}", operation.id);
        }
    }

    fn collect(shape: Shape, at: String, is_driver: bool, depth: usize, found: &mut BTreeSet<String>) {
        let below = |name: &str| if at.is_empty() { name.to_owned() } else { format!("{at}/{name}") };
        match shape {
            Shape::Structure(structure) if depth < 16 => {
                for field in structure.fields {
                    let is_name = match field.name {
                        "Driver" | "VolumeDriver" | "Runtime" => true,
                        "Name" => is_driver,
                        "Type" => at.ends_with("LogConfig"),
                        _ => false,
                    };
                    let pointer = below(field.name);
                    if is_name && matches!(field.shape, Shape::Text) {
                        found.insert(pointer.clone());
                    }
                    let is_driver = matches!(field.shape, Shape::Structure(of) if of.name.ends_with(".Driver"));
                    collect(field.shape, pointer, is_driver, depth + 1, found);
                }
            }
            Shape::List(item) | Shape::Pair(item) | Shape::Map(item) => {
                collect(*item, below("*"), false, depth + 1, found);
            }
            Shape::Any
            | Shape::Unknown
            | Shape::Boolean
            | Shape::Text
            | Shape::Base64
            | Shape::Integer(_)
            | Shape::Float32
            | Shape::Texts
            | Shape::Structure(_) => {}
        }
    }
}
