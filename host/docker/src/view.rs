//! The normalised views: one shape for what the API spells in several ways.
//!
//! Containers, services, volumes, builds and updates have shapes of their own; a rule about mounts, capabilities or
//! security options is written once and holds for all of them. `portcullis_model::view` has the shapes.

pub(crate) mod build;
pub(crate) mod cluster;
pub(crate) mod container;
pub(crate) mod devices;
pub(crate) mod image;
pub(crate) mod mounts;
pub(crate) mod namespaces;
pub(crate) mod networks;
pub(crate) mod ports;
pub(crate) mod resources;
pub(crate) mod seccomp;
pub(crate) mod security;
pub(crate) mod service;
pub(crate) mod sysctls;
#[cfg(test)]
mod tests;

use portcullis_document::{Document, Kind, Value};
use portcullis_model::view::{Driver, Entry};

use crate::ApiVersion;
use crate::json::{self, Shape};

/// So many items may be in a query parameter that is JSON.
const MOST_ITEMS: usize = 16 << 10;

/// What the views are made from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) operation: &'static str,
    pub(crate) body: Option<Value<'a>>,
    pub(crate) query: &'a [(String, String)],
    /// The `name` in the path.
    pub(crate) name: Option<&'a str>,
    /// The one in the path.
    pub(crate) api_version: Option<ApiVersion>,
    /// The `id` in the path.
    pub(crate) id: Option<&'a str>,
    /// What the daemon masks on this machine, besides what it masks on every one.
    pub(crate) masked: &'a [String],
}

// === impl Facts ===

impl<'a> Facts<'a> {
    /// The query parameter's first value, unless it is empty.
    fn query(self, name: &str) -> Option<&'a str> {
        let first = self.query.iter().find(|(other, _)| other == name);
        first.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// All values of a query parameter, unless they are empty.
    fn query_all(self, name: &str) -> impl Iterator<Item = &'a str> {
        let all = self.query.iter().filter(move |(other, _)| other == name);
        all.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// As moby's `httputils.BoolValue`.
    fn flag(self, name: &str) -> bool {
        let value = self.query(name).unwrap_or_default().trim().to_lowercase();
        !matches!(&*value, "" | "0" | "no" | "false" | "none")
    }

    /// A query parameter of the operation that is JSON; its text where the daemon would refuse it, or take the last of two that
    /// have one key.
    fn json_parameter(self, operation: &str, name: &str, shape: Shape) -> Option<Result<Document, &'a str>> {
        let text = self.query(name).filter(|_| self.operation == operation)?;
        let read = json::read(text, shape).ok();
        let read = read.filter(|document| document.root().len().unwrap_or_default() <= MOST_ITEMS);
        Some(read.ok_or(text))
    }

    /// The `container.Config` of a create.
    pub(crate) fn container(self) -> Option<Value<'a>> {
        if self.operation == "ContainerCreate" { self.body } else { None }
    }

    /// The `container.HostConfig` of a create, or the part of it that an update has. Without one, old daemons take the
    /// root of a create for it, which only `root-host-config` refuses.
    pub(crate) fn host_config(self) -> Option<Value<'a>> {
        match self.operation {
            "ContainerCreate" => member(self.body, "HostConfig").or(self.body),
            "ContainerUpdate" => self.body,
            _ => None,
        }
    }

    /// What a container gets in its networks: an `EndpointSettings` for each.
    fn endpoints(self) -> impl Iterator<Item = Value<'a>> {
        let of_create = member(member(self.container(), "NetworkingConfig"), "EndpointsConfig");
        let connect = if self.operation == "NetworkConnect" { self.body } else { None };
        members(of_create).map(|(_, endpoint)| endpoint).chain(member(connect, "EndpointConfig"))
    }

    /// What a service's tasks get in its networks: a `NetworkAttachmentConfig` for each. The service's own list is of
    /// daemons up to 25.0.
    fn attachments(self) -> impl Iterator<Item = Value<'a>> {
        let service = self.service();
        [member(member(service, "TaskTemplate"), "Networks"), member(service, "Networks")].into_iter().flat_map(items)
    }

    fn exec(self) -> Option<Value<'a>> {
        if self.operation == "ContainerExec" { self.body } else { None }
    }

    pub(crate) fn service(self) -> Option<Value<'a>> {
        matches!(self.operation, "ServiceCreate" | "ServiceUpdate").then_some(self.body).flatten()
    }

    pub(crate) fn service_container(self) -> Option<Value<'a>> {
        member(member(self.service(), "TaskTemplate"), "ContainerSpec")
    }

    /// Whether a container or an exec is privileged.
    pub(crate) fn privileged(self) -> bool {
        let of = if self.operation == "ContainerExec" { self.exec() } else { self.host_config() };
        is_true(member(of, "Privileged"))
    }

    /// The user that a container or exec runs as, where the call says.
    pub(crate) fn run_as(self) -> Option<&'a str> {
        let of = self.container().or(self.exec()).or(self.service_container());
        Some(text(member(of, "User"))).filter(|user| !user.is_empty())
    }
}

/// A member that is there and not null.
pub(crate) fn member<'a>(of: Option<Value<'a>>, name: &str) -> Option<Value<'a>> {
    of?.get(name).filter(|value| value.kind() != Kind::Null)
}

/// A text, empty where there is none.
pub(crate) fn text(value: Option<Value<'_>>) -> &str {
    value.and_then(Value::as_str).unwrap_or_default()
}

/// A list's texts; null counts as empty, as the daemon reads it.
pub(crate) fn texts<'a>(list: Option<Value<'a>>) -> impl Iterator<Item = &'a str> {
    list.into_iter().flat_map(|list| list.items()).map(|item| text(Some(item)))
}

/// A list's texts, of their own.
pub(crate) fn owned(list: Option<Value<'_>>) -> Vec<String> {
    texts(list).map(str::to_owned).collect()
}

/// A text that is not empty.
pub(crate) fn given(value: Option<Value<'_>>) -> Option<String> {
    Some(text(value)).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// A whole number that is not below 0, as large as Go's `uint64` can be.
fn unsigned(value: Option<Value<'_>>) -> Option<u64> {
    value?.number_text()?.parse().ok()
}

/// The members of an object whose values are texts.
fn entries(object: Option<Value<'_>>) -> Vec<Entry> {
    let entry = |(name, value): (&str, Value<'_>)| Entry { name: name.to_owned(), value: text(Some(value)).to_owned() };
    members(object).map(entry).collect()
}

/// A driver's name and options, unless both are empty.
fn driver(value: Value<'_>, name: &str, options: &str) -> Option<Driver> {
    let (name, options) = (text(member(Some(value), name)).to_owned(), entries(member(Some(value), options)));
    (!name.is_empty() || !options.is_empty()).then_some(Driver { name, options })
}

pub(crate) fn is_true(value: Option<Value<'_>>) -> bool {
    value.and_then(Value::as_bool).unwrap_or_default()
}

pub(crate) fn items<'a>(list: Option<Value<'a>>) -> impl Iterator<Item = Value<'a>> {
    list.into_iter().flat_map(|list| list.items())
}

pub(crate) fn members<'a>(object: Option<Value<'a>>) -> impl Iterator<Item = (&'a str, Value<'a>)> {
    object.into_iter().flat_map(|object| object.members())
}
