//! The document in which the host describes its admin API, and real answers held against it.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::http::{self, Answer};

const METHODS: [&str; 5] = ["get", "put", "post", "patch", "delete"];
/// The parameter that takes the rest of a path, slashes and all.
const REST: &str = "{pointer}";

/// What `GET /v1/openapi.json` answers. Objects in it are closed: a member that is not described is a mistake.
#[derive(Clone, Debug)]
pub struct Document(Value);

/// A method and a path of the document, as `GET /v1/policies/{name}`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Operation {
    pub method: String,
    pub path: String,
}

// === impl Document ===

impl Document {
    /// Of the host that answers at this socket.
    pub fn of(socket: &Path) -> Result<Self> {
        let answer = http::send(socket, &http::request("GET", "/v1/openapi.json", &[], b""))?;
        let mut document = serde_json::from_slice(&answer.body)
            .map_err(|error| Error::Unexpected(format!("{} without a document: {error}", answer.status)))?;
        close(&mut document);
        Ok(Self(document))
    }

    pub fn as_value(&self) -> &Value {
        &self.0
    }

    pub fn operations(&self) -> BTreeSet<Operation> {
        let of_path = |(path, says): (&String, &Value)| {
            let methods = METHODS.iter().filter(|method| says.get(**method).is_some());
            let path = path.clone();
            methods
                .map(move |method| Operation { method: method.to_uppercase(), path: path.clone() })
                .collect::<Vec<_>>()
        };
        members(&self.0, "/paths").flat_map(of_path).collect()
    }

    /// The `operationId` of each operation whose answer has no end.
    pub fn streams(&self) -> Vec<&str> {
        let is_stream = |says: &&Value| {
            let answers = says.pointer("/responses/200").map(|answer| self.resolved(answer));
            answers.is_some_and(|answer| answer.pointer("/content/text~1event-stream").is_some())
        };
        let operations =
            members(&self.0, "/paths").flat_map(|(_, says)| METHODS.iter().filter_map(|method| says.get(method)));
        operations.filter(is_stream).filter_map(|says| says.get("operationId")?.as_str()).collect()
    }

    /// Whether an answer to a call is as described: its status, its headers, its type and its shape.
    pub fn check(&self, method: &str, target: &str, answer: &Answer) -> Result<()> {
        let wrong = |what: &str| {
            let body = String::from_utf8_lossy(&answer.body);
            Error::Unexpected(format!("{method} {target}: {} {what}\n{:?}\n{body}", answer.status, answer.headers))
        };
        let Some(operation) = self.find(method, target) else {
            let is_told = matches!(answer.status, 403..=405) && self.fits(&reference("Error"), &answer.body).is_ok();
            return if is_told { Ok(()) } else { Err(wrong("for what is not described")) };
        };
        let Operation { method: verb, path } = operation;
        let response =
            self.0.get("paths").and_then(|paths| paths.get(path)?.get(verb.to_lowercase())?.get("responses"));
        let response = response.and_then(|all| all.get(answer.status.to_string()));
        let response = self.resolved(response.ok_or_else(|| wrong("is not described"))?);
        for (name, header) in members(response, "/headers") {
            let is_required = self.resolved(header).get("required") == Some(&Value::Bool(true));
            if is_required && header_of(answer, name).is_none() {
                return Err(wrong(&format!("without `{name}`")));
            }
        }
        let Some(content) = response.get("content").and_then(Value::as_object) else {
            return if answer.body.is_empty() { Ok(()) } else { Err(wrong("has a body")) };
        };
        let kind = header_of(answer, "content-type").and_then(|kind| kind.split(';').next()).unwrap_or_default();
        let Some(described) = content.get(kind) else { return Err(wrong("of a type that is not described")) };
        match described.get("schema") {
            Some(schema) if kind == "application/json" => {
                self.fits(schema, &answer.body).map_err(|problem| wrong(&format!("of another shape: {problem}")))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// The operation that a call is one of; the path with the fewest parameters comes first.
    pub fn find(&self, method: &str, target: &str) -> Option<Operation> {
        let path = target.split('?').next().unwrap_or_default();
        let fitting = self.operations().into_iter().filter(|operation| operation.method == method);
        fitting
            .filter(|operation| matches(&operation.path, path))
            .min_by_key(|operation| operation.path.matches('{').count())
    }

    /// What a `$ref` leads to.
    pub fn resolved<'a>(&'a self, value: &'a Value) -> &'a Value {
        let reference = value.get("$ref").and_then(Value::as_str);
        reference.and_then(|reference| self.0.pointer(reference.trim_start_matches('#'))).unwrap_or(value)
    }

    fn fits(&self, schema: &Value, body: &[u8]) -> Result<(), String> {
        let body: Value = serde_json::from_slice(body).map_err(|error| format!("no JSON: {error}"))?;
        let mut root = schema.as_object().cloned().unwrap_or_default();
        root.insert("components".to_owned(), self.0.get("components").cloned().unwrap_or_default());
        let validator = jsonschema::draft202012::new(&Value::Object(root)).map_err(|error| error.to_string())?;
        let problems: Vec<_> =
            validator.iter_errors(&body).map(|error| format!("{}: {error}", error.instance_path())).collect();
        if problems.is_empty() { Ok(()) } else { Err(problems.join("; ")) }
    }
}

/// Every object whose members are described has no others.
fn close(value: &mut Value) {
    match value {
        Value::Object(members) => {
            if members.get("properties").is_some_and(Value::is_object) && !members.contains_key("additionalProperties")
            {
                members.insert("additionalProperties".to_owned(), Value::Bool(false));
            }
            members.values_mut().for_each(close);
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn reference(schema: &str) -> Value {
    serde_json::json!({ "$ref": format!("#/components/schemas/{schema}") })
}

fn members<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    value.pointer(pointer).and_then(Value::as_object).into_iter().flat_map(Map::iter)
}

fn header_of<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    let header = answer.headers.iter().find(|(given, _)| given.eq_ignore_ascii_case(name));
    header.map(|(_, value)| value.as_str())
}

fn matches(template: &str, path: &str) -> bool {
    let (mut wanted, mut given) = (template.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            (Some(REST), Some(_)) => return true,
            (Some(wanted), Some(given)) if wanted == given || (wanted.starts_with('{') && !given.is_empty()) => {}
            (Some(_), Some(_)) | (Some(_), None) | (None, Some(_)) => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn document() -> Document {
        let mut document = json!({
            "paths": { "/v1/things/{name}": { "get": { "responses": {
                "200": {
                    "headers": { "ETag": { "required": true } },
                    "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Thing" } } },
                },
                "204": {},
            } } } },
            "components": { "schemas": {
                "Thing": { "type": "object", "required": ["size"], "properties": { "size": { "type": "integer" } } },
                "Error": { "type": "object", "required": ["error"], "properties": { "error": { "type": "string" } } },
            } },
        });
        close(&mut document);
        Document(document)
    }

    /// The method; the path; status, headers and body of the answer; whether that is described.
    type Case<'a> = (&'a str, &'a str, u16, &'a [(&'a str, &'a str)], &'a str, bool);

    #[test]
    fn answers_that_are_not_as_described_are_found() {
        let (json, tag) = (("content-type", "application/json"), ("etag", "\"x\""));
        let cases: [Case<'_>; 12] = [
            ("GET", "/v1/things/a?x=1", 200, &[json, tag], r#"{"size": 1}"#, true),
            ("GET", "/v1/things/a", 204, &[], "", true),
            ("GET", "/v1/things/a", 204, &[], "body", false),
            ("GET", "/v1/things/a", 200, &[json], r#"{"size": 1}"#, false),
            ("GET", "/v1/things/a", 200, &[("content-type", "text/plain"), tag], r#"{"size": 1}"#, false),
            ("GET", "/v1/things/a", 200, &[json, tag], r#"{"size": "1"}"#, false),
            ("GET", "/v1/things/a", 200, &[json, tag], r#"{"size": 1, "more": 2}"#, false),
            ("GET", "/v1/things/a", 200, &[json, tag], "{}", false),
            ("GET", "/v1/things/a", 500, &[json, tag], r#"{"error": "x"}"#, false),
            ("PUT", "/v1/things/a", 405, &[json], r#"{"error": "x"}"#, true),
            ("GET", "/v1/things/a/b", 404, &[json], r#"{"error": "x"}"#, true),
            ("GET", "/v1/things/a/b", 404, &[json], "not found", false),
        ];
        for (method, target, status, headers, body, expected) in cases {
            let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            let answer = Answer { status, headers, body: body.into() };
            let found = document().check(method, target, &answer);
            assert_eq!(found.is_ok(), expected, "{method} {target}: {found:?}");
        }
    }

    #[test]
    fn what_has_no_end_is_named() {
        let stream = json!({ "content": { "text/event-stream": {} } });
        let follow = json!({ "get": { "operationId": "follow", "responses": { "200": stream } } });
        let status = json!({ "get": { "operationId": "status", "responses": { "200": { "content": {} } } } });
        assert_eq!(Document(json!({ "paths": { "/a": follow, "/b": status } })).streams(), ["follow"]);
    }

    #[test]
    fn a_path_with_parameters_is_found() {
        let cases = [
            ("/v1/state", "/v1/state", true),
            ("/v1/state/{key}", "/v1/state/a%2Fb", true),
            ("/v1/state/{key}", "/v1/state/", false),
            ("/v1/state/{key}", "/v1/state/a/b", false),
            ("/v1/data/{pointer}", "/v1/data/a/b", true),
            ("/v1/data/{pointer}", "/v1/data", false),
        ];
        for (template, path, expected) in cases {
            assert_eq!(matches(template, path), expected, "{template} {path}");
        }
    }
}
