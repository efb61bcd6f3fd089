//! What an answer of the daemon says was made, renamed or removed.
//!
//! With an answer, dockerd sends the call once more (moby's `pkg/authorization/api.go`); where the operation failed, there
//! is no status and no body. So one `AuthZRes` says both what was asked for and what it came to. An answer of more than 64 KiB dockerd
//! has written by then, and shows nothing of it, not even headers (`Write` in `response.go`).

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use std::collections::BTreeMap;

use portcullis_document::{Document, Value};
use portcullis_model::Request as _;
use portcullis_model::view::Mount;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::json::{self, Shape};
use crate::operation;
use crate::reader::Reader;
use crate::request::DockerRequest;
use crate::target::Target;
use crate::view::{items, member, mounts, owned, text as text_of, texts};
use crate::wire::{self, Text};

const TELLING: [&str; 13] = [
    "ContainerCreate",
    "ContainerRename",
    "ContainerDelete",
    "ContainerPrune",
    "VolumeCreate",
    "VolumeDelete",
    "VolumePrune",
    "ServiceCreate",
    "ServiceUpdate",
    "ContainerList",
    "ContainerInspect",
    "VolumeList",
    "VolumeInspect",
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
        /// What it is beside a folder of the daemon's own, whatever was asked of it: there may have been one of that name. None where
        /// the daemon does not say.
        mounts: Option<Vec<Mount>>,
    },
    /// A service, whose tasks make its volumes.
    Service,
    Renamed {
        container: String,
        name: String,
    },
    ContainersRemoved(Vec<String>),
    VolumesRemoved(Vec<String>),
    /// Nobody can tell which.
    SomeContainersRemoved,
    SomeVolumesRemoved,
    /// Containers that are there, by their whole IDs, with their names.
    ContainersSeen(Vec<(String, String)>),
    /// Volumes that are there, and what they are beside folders of the daemon's own.
    VolumesSeen(Vec<(String, Vec<Mount>)>),
    /// It was carried out, and what it came to cannot be told.
    Hidden,
    /// The operation failed.
    Nothing,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AuthZRes<'a> {
    response_status_code: Option<u16>,
    response_headers: Option<BTreeMap<String, IgnoredAny>>,
    #[serde(borrow)]
    response_body: Option<Text<'a>>,
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
    let status = answer.response_status_code.unwrap_or_default();
    let is_done = (200..300).contains(&status);
    // The daemon has set headers before it carries out anything.
    let is_hidden = status == 0 && answer.response_headers.is_none_or(|headers| headers.is_empty());
    // Its tasks would have made volumes.
    if !is_done && !is_hidden && matches!(request.operation(), "ServiceCreate" | "ServiceUpdate") {
        return None;
    }
    let body = answer.response_body.and_then(|body| wire::decode(&body, "ResponseBody").ok());
    let body = body.and_then(|body| json::read(body, Shape::Any).ok());
    let change = is_done.then(|| change(&request, body.as_ref().map(Document::root))).flatten();
    let change = change.unwrap_or(match request.operation() {
        "ContainerPrune" => Change::SomeContainersRemoved,
        // It ends where one cannot be removed.
        "VolumePrune" => Change::SomeVolumesRemoved,
        _ if is_done || is_hidden => Change::Hidden,
        _ => Change::Nothing,
    });
    Some((request, change))
}

/// The bodies of all these answers are in moby's `api/types`.
fn change(request: &DockerRequest, body: Option<Value<'_>>) -> Option<Change> {
    let asked = |name: &str| request.query().iter().find(|(other, _)| other == name).map(|(_, value)| plain(value));
    let named = |name: &str| request.parameter(name).map(plain);
    let told = |name: &str| some(text_of(member(body, name)));
    Some(match request.operation() {
        "ContainerCreate" => Change::Container { id: told("Id")?, name: asked("name").filter(|name| !name.is_empty()) },
        "VolumeCreate" => Change::Volume { name: told("Name")?, mounts: mounts::of_made_volume(body?) },
        "ServiceCreate" | "ServiceUpdate" => Change::Service,
        "ContainerRename" => Change::Renamed { container: named("id")?, name: asked("name")? },
        "ContainerDelete" => Change::ContainersRemoved(vec![named("id")?]),
        "VolumeDelete" => Change::VolumesRemoved(vec![request.parameter("name")?.to_owned()]),
        "ContainerPrune" => Change::ContainersRemoved(owned(member(Some(body?), "ContainersDeleted"))),
        "VolumePrune" => Change::VolumesRemoved(owned(member(Some(body?), "VolumesDeleted"))),
        "ContainerInspect" => Change::ContainersSeen(vec![(told("Id")?, plain(text_of(member(body, "Name"))))]),
        "ContainerList" => Change::ContainersSeen(items(body).flat_map(listed_container).collect()),
        "VolumeInspect" => Change::VolumesSeen(body.and_then(seen_volume).into_iter().collect()),
        "VolumeList" => Change::VolumesSeen(items(member(body, "Volumes")).filter_map(seen_volume).collect()),
        _ => return None,
    })
}

/// Of its names, that which is no alias of a link.
fn listed_container(container: Value<'_>) -> Option<(String, String)> {
    let mut names = texts(member(Some(container), "Names")).map(plain);
    let name = names.find(|name| !name.contains('/'))?;
    Some((some(text_of(member(Some(container), "Id")))?, name))
}

fn seen_volume(volume: Value<'_>) -> Option<(String, Vec<Mount>)> {
    Some((some(text_of(member(Some(volume), "Name")))?, mounts::of_made_volume(volume)?))
}

fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
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
