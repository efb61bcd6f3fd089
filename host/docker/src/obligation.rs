//! Whether a call already is what policies demand of it, where nobody can change it: an authorization plugin allows or denies.

mod flags;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use portcullis_document::{Document, Kind, Value};
use portcullis_model::{Obligation, Request};

use crate::json::{Shape, read};

/// Two obligations that no call can meet together, each with whose it is.
#[derive(Debug, PartialEq, Eq)]
pub struct Contradiction<T> {
    pub one: T,
    pub other: T,
    /// What they contradict each other about: a pointer, or a label.
    pub about: String,
}

/// Whether a policy may demand this at all; an error says what is wrong with it.
pub fn check(obligation: &Obligation) -> Result<(), String> {
    let is_pointer = |pointer: &str| pointer.starts_with('/') && !bad_escape(pointer);
    match obligation {
        Obligation::Set { pointer, .. } | Obligation::Redact { pointer } if !is_pointer(pointer) => {
            Err(format!("`{obligation}`: expected an RFC 6901 pointer that begins with `/`"))
        }
        Obligation::Set { value, .. } => {
            parse(value).map(drop).ok_or_else(|| format!("`{obligation}`: the value is not JSON"))
        }
        Obligation::Label { name, .. } | Obligation::ShowOnly { name, .. } if name.is_empty() || name.contains('=') => {
            Err(format!("`{obligation}`: expected a label's name, which is not empty and has no `=`"))
        }
        Obligation::Label { .. } | Obligation::ShowOnly { .. } | Obligation::Redact { .. } => Ok(()),
    }
}

/// What is to be added to a call so that it meets an obligation; none where it does.
pub fn unmet(obligation: &Obligation, request: &dyn Request) -> Option<String> {
    match obligation {
        Obligation::Set { pointer, value } => {
            let wanted = parse(value)?;
            let there = request.body().and_then(|body| body.pointer(pointer));
            (!is_same(there, wanted.root())).then(|| flags::to_set(request.operation(), pointer, value, &wanted))
        }
        Obligation::Label { name, value } => match labelled(request, name) {
            Labels::Has(there) if there == *value => None,
            Labels::Has(_) | Labels::Lacks => Some(format!("`--label {name}={value}` is required")),
            Labels::Cannot => {
                Some(format!("the label `{name}={value}` is required, and {} gives none", request.operation()))
            }
        },
        Obligation::ShowOnly { name, value } => {
            let wanted = format!("{name}={value}");
            (!filters_by_label(request, &wanted))
                .then(|| format!("only what has the label `{wanted}` may be listed: add `--filter label={wanted}`"))
        }
        Obligation::Redact { pointer } => Some(format!(
            "`{pointer}` would have to be taken out of the answer, which an authorization plugin cannot do"
        )),
    }
}

/// The first pair of these that no call can meet together.
pub fn contradiction<'a, T: Copy>(all: impl IntoIterator<Item = (T, &'a Obligation)>) -> Option<Contradiction<T>> {
    let mut values: BTreeMap<&str, (T, Document)> = BTreeMap::new();
    let mut labels: BTreeMap<&str, (T, &str)> = BTreeMap::new();
    for (whose, obligation) in all {
        match obligation {
            Obligation::Set { pointer, value } => {
                let Some(value) = parse(value) else { continue };
                let before = values.get(pointer.as_str()).filter(|(_, before)| before.root() != value.root());
                if let Some((one, _)) = before {
                    return Some(Contradiction { one: *one, other: whose, about: pointer.clone() });
                }
                values.entry(pointer).or_insert((whose, value));
            }
            Obligation::Label { name, value } => match labels.get(name.as_str()) {
                Some((one, before)) if before != value => {
                    return Some(Contradiction { one: *one, other: whose, about: format!("label {name}") });
                }
                Some(_) => {}
                None => drop(labels.insert(name, (whose, value))),
            },
            Obligation::ShowOnly { .. } | Obligation::Redact { .. } => {}
        }
    }
    within(&values)
}

/// A value that is demanded as a part of another one, and is not that part of it.
fn within<T: Copy>(values: &BTreeMap<&str, (T, Document)>) -> Option<Contradiction<T>> {
    for (pointer, (whose, value)) in values {
        for (end, _) in pointer.char_indices().skip(1).filter(|(_, letter)| *letter == '/') {
            let (around, rest) = pointer.split_at_checked(end)?;
            let Some((one, whole)) = values.get(around) else { continue };
            if whole.pointer(rest) != Some(value.root()) {
                return Some(Contradiction { one: *one, other: *whose, about: (*pointer).to_owned() });
            }
        }
    }
    None
}

/// The labels that a call gives to what it makes.
enum Labels {
    Has(String),
    Lacks,
    /// The operation gives no labels.
    Cannot,
}

fn labelled(request: &dyn Request, name: &str) -> Labels {
    let of = |labels: Option<Value<'_>>| match labels.and_then(|labels| labels.get(name)).and_then(Value::as_str) {
        Some(value) => Labels::Has(value.to_owned()),
        None => Labels::Lacks,
    };
    match request.operation() {
        "ContainerCreate" | "VolumeCreate" | "NetworkCreate" | "ServiceCreate" | "ServiceUpdate" | "SecretCreate"
        | "SecretUpdate" | "ConfigCreate" | "ConfigUpdate" => {
            of(request.body().and_then(|body| body.pointer("/Labels")))
        }
        "ImageBuild" => match query(request, "labels").and_then(parse) {
            Some(labels) => of(Some(labels.root())),
            None => Labels::Lacks,
        },
        _ => Labels::Cannot,
    }
}

/// Whether a list is filtered by a label, among others: moby's `filters` wants all of a key's values of labels
/// (`MatchKVList` in `api/types/filters/parse.go`).
fn filters_by_label(request: &dyn Request, wanted: &str) -> bool {
    let Some(filters) = query(request, "filters").and_then(parse) else { return false };
    let Some(labels) = filters.root().get("label") else { return false };
    match labels.kind() {
        Kind::List => labels.items().any(|label| label.as_str() == Some(wanted)),
        Kind::Object => labels.get(wanted).and_then(Value::as_bool) == Some(true),
        Kind::Null | Kind::Boolean | Kind::Number | Kind::Text => false,
    }
}

/// The first value, which is the one that the daemon takes.
fn query<'a>(request: &'a dyn Request, name: &str) -> Option<&'a str> {
    request.query().iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

/// Whether the body has this value, or lacks it where it is what Go takes for none.
fn is_same(there: Option<Value<'_>>, wanted: Value<'_>) -> bool {
    match there.filter(|value| value.kind() != Kind::Null) {
        Some(there) => there == wanted,
        None => is_zero(wanted),
    }
}

fn is_zero(value: Value<'_>) -> bool {
    match value.kind() {
        Kind::Null => true,
        Kind::Boolean => value.as_bool() == Some(false),
        Kind::Number => value.as_f64() == Some(0.0),
        Kind::Text => value.as_str() == Some(""),
        Kind::List | Kind::Object => value.is_empty(),
    }
}

fn bad_escape(pointer: &str) -> bool {
    pointer.split('~').skip(1).any(|rest| !rest.starts_with(['0', '1']))
}

fn parse(text: &str) -> Option<Document> {
    read(text, Shape::Any).ok()
}
