//! The operator's own rules: `OPERATION:PLACE`, with `*` for any characters.

use portcullis_docker::json::Shape;
use portcullis_docker::operation::{Body, OPERATIONS, Operation};
use portcullis_document::{Pattern, fits};

/// What the operator wants to have in the decision log, and what not, beside what can carry a secret anyway.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redaction {
    /// Places of which nothing is logged.
    pub redact: Vec<Rule>,
    /// Places that are logged though they can carry a secret.
    pub keep: Vec<Rule>,
}

/// A place in the calls of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// `*` is each.
    operation: String,
    place: Place,
    /// Ends in `=`: of `NAME=VALUE`, the value.
    pub is_assignment: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Body(Pattern),
    Query(String),
    Header(String),
}

/// Why a rule is none. It continues the sentence that begins with the rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRule {
    #[error("has no `:` between operation and place")]
    NoPlace,
    #[error("names the operation `{0}`, which there is not")]
    Operation(String),
    #[error("names a place in the body, and no body of that operation is ever logged")]
    NoBody,
    #[error("names `{part}`, which `{structure}` has not")]
    NoMember { part: String, structure: String },
    #[error("goes on at `{0}`, where a value has no parts")]
    NoParts(String),
    #[error("names `{0}` in a list, where only a number or `*` can stand")]
    NoIndex(String),
    #[error("names the place `{0}`, which is neither `/POINTER`, `query/NAME` nor `header/NAME`")]
    Place(String),
}

// === impl Rule ===

impl Rule {
    pub fn new(text: &str) -> Result<Self, BadRule> {
        let (operation, place) = text.split_once(':').ok_or(BadRule::NoPlace)?;
        let (place, is_assignment) = match place.strip_suffix('=') {
            Some(place) => (place, true),
            None => (place, false),
        };
        let operations = || OPERATIONS.iter().filter(|known| fits(operation, known.id));
        if operations().next().is_none() {
            return Err(BadRule::Operation(operation.to_owned()));
        }
        let place = if let Some(pointer) = place.strip_prefix('/') {
            let pattern = Pattern::new(pointer);
            check(operations(), pattern.parts())?;
            Place::Body(pattern)
        } else if let Some(name) = place.strip_prefix("query/") {
            Place::Query(name.to_owned())
        } else if let Some(name) = place.strip_prefix("header/") {
            Place::Header(name.to_owned())
        } else {
            return Err(BadRule::Place(place.to_owned()));
        };
        Ok(Self { operation: operation.to_owned(), place, is_assignment })
    }

    /// Whether it is of an operation; of none where that is not known, unless it is of each.
    fn is_of(&self, operation: Option<&str>) -> bool {
        operation.map_or(self.operation == "*", |operation| fits(&self.operation, operation))
    }

    /// Whether it names a place in the body of this operation.
    pub fn is_of_body(&self, operation: &str) -> bool {
        matches!(self.place, Place::Body(_)) && self.is_of(Some(operation))
    }

    /// Whether it names this query parameter. `operation` is `None` if it is not known.
    pub fn is_of_parameter(&self, operation: Option<&str>, parameter: &str) -> bool {
        matches!(&self.place, Place::Query(name) if fits(name, parameter)) && self.is_of(operation)
    }

    /// Whether it names this header, in any case. `operation` is `None` if it is not known.
    pub fn is_of_header(&self, operation: Option<&str>, header: &str) -> bool {
        let matches = |name: &str| fits(&name.to_ascii_lowercase(), &header.to_ascii_lowercase());
        matches!(&self.place, Place::Header(name) if matches(name)) && self.is_of(operation)
    }

    /// Whether the next part of its pointer is this key or index; and whether that was the last one.
    pub fn step(&self, matched: usize, key: &str) -> Option<bool> {
        let Place::Body(pattern) = &self.place else { return None };
        pattern.step(matched, key)
    }
}

/// Whether the place is there in the body of one of the operations at least; if not, why it is not there in the first.
fn check<'o>(operations: impl Iterator<Item = &'o Operation>, parts: &[String]) -> Result<(), BadRule> {
    let mut problem = Err(BadRule::NoBody);
    for operation in operations {
        let Body::Json(shape) = operation.body else { continue };
        match leads_somewhere(shape, operation.id, parts) {
            Ok(()) => return Ok(()),
            Err(why) if problem == Err(BadRule::NoBody) => problem = Err(why),
            Err(_) => {}
        }
    }
    problem
}

fn leads_somewhere(shape: Shape, name: &str, parts: &[String]) -> Result<(), BadRule> {
    let Some((part, rest)) = parts.split_first() else { return Ok(()) };
    let is_index = part == "*" || !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    match shape {
        Shape::Structure(structure) => {
            let structure_name = if structure.name.is_empty() { name } else { structure.name };
            let missing = BadRule::NoMember { part: part.clone(), structure: structure_name.to_owned() };
            let fields = structure.fields.iter().filter(|field| fits(part, field.name));
            let mut problem = Err(missing);
            for field in fields {
                problem = leads_somewhere(field.shape, field.name, rest);
                if problem.is_ok() {
                    break;
                }
            }
            problem
        }
        Shape::Map(shape) => leads_somewhere(*shape, part, rest),
        Shape::List(_) | Shape::Pair(_) | Shape::Texts if !is_index => Err(BadRule::NoIndex(part.clone())),
        Shape::List(shape) | Shape::Pair(shape) => leads_somewhere(*shape, part, rest),
        Shape::Texts => leads_somewhere(Shape::Text, part, rest),
        Shape::Any
        | Shape::Unknown
        | Shape::Boolean
        | Shape::Text
        | Shape::Base64
        | Shape::Integer(_)
        | Shape::Float32 => Err(BadRule::NoParts(part.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_names_a_place_that_there_is() {
        for good in [
            "ContainerCreate:/Labels/*internal*",
            "ContainerCreate:/HostConfig/Binds/*",
            "ContainerCreate:/Env/0=",
            "Container*:/Cmd/*",
            "*:/Labels/com.example~1x",
            "*:query/remote",
            "*:header/X-*",
            "PluginSet:/*=",
            "(CheckpointCreate):/CheckpointID",
        ] {
            assert!(Rule::new(good).is_ok(), "{good}: {:?}", Rule::new(good));
        }
        for (bad, problem) in [
            ("ContainerCreate", "has no `:` between operation and place"),
            ("ContainerMake:/Env", "names the operation `ContainerMake`, which there is not"),
            ("ContainerList:/Env", "names a place in the body, and no body of that operation is ever logged"),
            ("ContainerCreate:/labels/x", "names `labels`, which `ContainerCreateBody` has not"),
            ("ContainerCreate:/Image/x", "goes on at `x`, where a value has no parts"),
            ("ContainerCreate:/Env/x", "names `x` in a list, where only a number or `*` can stand"),
            ("*:cookie", "names the place `cookie`, which is neither `/POINTER`, `query/NAME` nor `header/NAME`"),
        ] {
            assert_eq!(Rule::new(bad).map_err(|error| error.to_string()), Err(problem.to_owned()), "{bad}");
        }
    }
}
