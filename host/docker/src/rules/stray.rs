//! Members of a `HostConfig` at the root of a container create.
//!
//! Docker up to 26.1 decodes the body into a structure that embeds a `HostConfig` (moby's
//! `runconfig/config_unix.go`, `ContainerConfigWrapper`). Clients that send all their options at the root as well send
//! empty ones too, which set nothing there.

use portcullis_document::{Kind, Value};

use crate::json::{Reading, Shape};

/// Where an empty or zero value is not the same as none: an empty list of masked paths masks nothing, and the others
/// are pointers in moby's `HostConfig`.
const ALWAYS_SET: [&str; 7] =
    ["MaskedPaths", "ReadonlyPaths", "Capabilities", "Init", "MemorySwappiness", "OomKillDisable", "PidsLimit"];

/// The first such member that sets something.
pub(crate) fn first(reading: &Reading, shape: Shape) -> Option<&'static str> {
    reading.stray?;
    let Shape::Structure(structure) = shape else { return None };
    let strays = || structure.fields.iter().filter(|field| field.stray).map(|field| field.name);
    reading.document.root().members().find_map(|(key, value)| {
        let stray = strays().find(|stray| *stray == key)?;
        sets_something(stray, value).then_some(stray)
    })
}

fn sets_something(name: &str, value: Value<'_>) -> bool {
    match value.kind() {
        Kind::Null => false,
        _ if ALWAYS_SET.contains(&name) => true,
        Kind::Boolean => value.as_bool() != Some(false),
        Kind::Number => value.as_i64() != Some(0),
        Kind::Text => value.as_str() != Some(""),
        Kind::List | Kind::Object => value.len() != Some(0),
    }
}
