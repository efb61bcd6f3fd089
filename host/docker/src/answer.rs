//! What an answer of the daemon says was made, renamed or removed.
//!
//! With an answer, dockerd sends the call once more (moby's `pkg/authorization/api.go`); where the operation failed, there
//! is no status and no body. So one `AuthZRes` says both what was asked for and what it came to.

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use portcullis_model::Request as _;
use serde::Deserialize;

use crate::operation;
use crate::reader::Reader;
use crate::request::DockerRequest;
use crate::target::Target;
use crate::wire::{self, Text};

const TELLING: [&str; 9] = [
    "ContainerCreate",
    "ContainerRename",
    "ContainerDelete",
    "ContainerPrune",
    "VolumeCreate",
    "VolumeDelete",
    "VolumePrune",
    "ServiceCreate",
    "ServiceUpdate",
];

/// What an operation changed.
#[derive(Debug)]
pub enum Change {
    /// A container, by its whole ID and the name that the caller gave it. As in all of these, without a slash before it.
    Container {
        id: String,
        name: Option<String>,
    },
    Volume {
        name: String,
        /// Whether it is a folder of the daemon's own, without options, whatever was asked of it: there was one of that name.
        is_plain: bool,
    },
    /// A service, whose tasks make its volumes.
    Service,
    Renamed {
        container: String,
        name: String,
    },
    ContainersRemoved(Vec<String>),
    VolumesRemoved(Vec<String>),
    /// The operation failed.
    Nothing,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AuthZRes<'a> {
    response_status_code: Option<u16>,
    #[serde(borrow)]
    response_body: Option<Text<'a>>,
}

/// The bodies of all these answers. moby's `api/types` has them.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Body {
    id: Option<String>,
    name: Option<String>,
    containers_deleted: Option<Vec<String>>,
    volumes_deleted: Option<Vec<String>>,
    /// Of a volume; none where the daemon does not say.
    driver: Option<String>,
    /// Of a volume: null where it has none.
    #[serde(default = "not_told")]
    options: serde_json::Value,
}

fn not_told() -> serde_json::Value {
    serde_json::Value::Bool(true)
}

/// Whether an answer that begins like this is of an operation that [`read`] knows; none where it takes more to tell. dockerd writes
/// method and target at the beginning.
pub fn is_telling(beginning: &[u8]) -> Option<bool> {
    let mut rest = beginning.trim_ascii_start();
    let (mut method, mut uri) = (None, None);
    let mut open = b'{';
    while method.is_none() || uri.is_none() {
        let Some(after) = rest.strip_prefix(&[open]) else { return ends(rest) };
        let (key, after) = match text(after) {
            Ok(found) => found?,
            Err(NotText) => return ends(after),
        };
        let Some(after) = after.trim_ascii_start().strip_prefix(b":") else { return ends(after) };
        let (value, after) = match text(after) {
            Ok(found) => found?,
            Err(NotText) => return ends(after),
        };
        match &*key {
            "RequestMethod" => method = Some(value),
            "RequestUri" => uri = Some(value),
            _ => {}
        }
        (rest, open) = (after.trim_ascii_start(), b',');
    }
    let (method, uri) = (method?, uri?);
    let operation = Target::parse(&uri).ok().and_then(|target| operation::find(&method, &target.path));
    Some(operation.is_some_and(|(operation, _)| TELLING.contains(&operation.id)))
}

/// Reads the body of an `AuthZRes`: the call as it was asked about, and what it came to. None for what is no such call.
pub fn read(bytes: &[u8], reader: &Reader) -> Option<(DockerRequest, Change)> {
    let request = reader.read(wire::read_call(bytes).ok()?).ok()?;
    let answer: AuthZRes<'_> = serde_json::from_slice(bytes).ok()?;
    let is_done = answer.response_status_code.is_some_and(|status| (200..300).contains(&status));
    let body = answer.response_body.and_then(|body| wire::decode(&body, "ResponseBody").ok());
    let body: Body = body.and_then(|body| serde_json::from_slice(&body).ok()).unwrap_or_default();
    // Its tasks would have made volumes.
    if !is_done && matches!(request.operation(), "ServiceCreate" | "ServiceUpdate") {
        return None;
    }
    let change = if is_done { change(&request, body) } else { None };
    Some((request, change.unwrap_or(Change::Nothing)))
}

fn change(request: &DockerRequest, body: Body) -> Option<Change> {
    let asked = |name: &str| request.query().iter().find(|(other, _)| other == name).map(|(_, value)| plain(value));
    let named = |name: &str| request.parameter(name).map(plain);
    Some(match request.operation() {
        "ContainerCreate" => Change::Container { id: body.id?, name: asked("name").filter(|name| !name.is_empty()) },
        "VolumeCreate" => {
            let has_none = body.options.is_null() || body.options.as_object().is_some_and(serde_json::Map::is_empty);
            let is_plain = has_none && matches!(body.driver.as_deref(), None | Some("" | "local"));
            Change::Volume { name: body.name?, is_plain }
        }
        "ServiceCreate" | "ServiceUpdate" => Change::Service,
        "ContainerRename" => Change::Renamed { container: named("id")?, name: asked("name")? },
        "ContainerDelete" => Change::ContainersRemoved(vec![named("id")?]),
        "VolumeDelete" => Change::VolumesRemoved(vec![request.parameter("name")?.to_owned()]),
        "ContainerPrune" => Change::ContainersRemoved(body.containers_deleted?),
        "VolumePrune" => Change::VolumesRemoved(body.volumes_deleted?),
        _ => return None,
    })
}

/// The daemon's own names begin with a slash, and it takes them with and without.
fn plain(name: &str) -> String {
    name.trim_start_matches('/').to_owned()
}

/// What begins otherwise is not dockerd's; what has no end yet may still be.
fn ends(rest: &[u8]) -> Option<bool> {
    if rest.trim_ascii_start().is_empty() { None } else { Some(false) }
}

struct NotText;

/// A text, and what follows.
type Begun<'b> = (Cow<'b, str>, &'b [u8]);

/// The JSON text at the beginning, and what follows; none where it has no end yet.
fn text(bytes: &[u8]) -> Result<Option<Begun<'_>>, NotText> {
    let bytes = bytes.trim_ascii_start();
    match bytes.first() {
        Some(b'"') => {}
        Some(_) => return Err(NotText),
        None => return Ok(None),
    }
    let mut escaped = false;
    let end = bytes.iter().skip(1).position(|byte| {
        let is_end = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        is_end
    });
    let Some((token, rest)) = end.and_then(|end| bytes.split_at_checked(end + 2)) else { return Ok(None) };
    let text: Text<'_> = serde_json::from_slice(token).map_err(|_| NotText)?;
    Ok(Some((text.0, rest)))
}
