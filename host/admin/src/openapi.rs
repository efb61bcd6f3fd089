//! `GET /v1/openapi.json`: the document that `build.rs` puts together from `host/admin/openapi`.

use axum::http::header::{CONTENT_TYPE, HeaderName};

/// OpenAPI 3.1, as JSON.
const DOCUMENT: &str = include_str!(concat!(env!("OUT_DIR"), "/openapi.json"));

pub(crate) async fn read() -> ([(HeaderName, &'static str); 1], &'static str) {
    ([(CONTENT_TYPE, "application/json")], DOCUMENT)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use serde_json::Value;

    use super::*;
    use crate::route;

    const METHODS: [&str; 5] = ["get", "put", "post", "patch", "delete"];

    /// An operation with its method and path, and what its path says for all of its operations.
    struct Operation<'a> {
        name: (String, String),
        says: &'a Value,
        path: &'a Value,
    }

    fn document() -> Value {
        serde_json::from_str(DOCUMENT).unwrap()
    }

    fn operations(document: &Value) -> Vec<Operation<'_>> {
        let mut found = Vec::new();
        for (name, path) in document["paths"].as_object().unwrap() {
            let methods = METHODS.iter().filter_map(|method| Some((method, path.get(method)?)));
            found.extend(methods.map(|(method, says)| Operation {
                name: (method.to_uppercase(), name.clone()),
                says,
                path,
            }));
        }
        found
    }

    /// What a `$ref` leads to.
    fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
        let Some(reference) = value.get("$ref").and_then(Value::as_str) else { return value };
        let found = document.pointer(reference.trim_start_matches('#'));
        resolved(document, found.unwrap_or_else(|| panic!("`{reference}` leads nowhere")))
    }

    /// The names in braces.
    fn parameters_of(path: &str) -> BTreeSet<&str> {
        path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect()
    }

    #[test]
    fn every_route_is_described_with_its_scope_and_nothing_else_is() {
        let document = document();
        let described: BTreeMap<_, _> = operations(&document)
            .into_iter()
            .map(|op| (op.name, op.says["x-scope"].as_str().unwrap_or_default().to_owned()))
            .collect();
        let routes: BTreeMap<_, _> = route::table()
            .into_iter()
            .map(|route| {
                (
                    (route.method.to_string(), route.path.replace("{*", "{")),
                    route.needs.scope.map_or_else(|| "nobody".to_owned(), |scope| scope.to_string()),
                )
            })
            .collect();
        assert_eq!(described, routes);
    }

    #[test]
    fn every_operation_says_what_it_is_and_how_it_fails() {
        let document = document();
        let mut names = BTreeSet::new();
        for Operation { name, says, path } in operations(&document) {
            let id = says["operationId"].as_str().unwrap_or_default();
            assert!(!id.is_empty() && names.insert(id.to_owned()), "{name:?}: operationId `{id}`");
            let summary = says["summary"].as_str().unwrap_or_default();
            assert!(!summary.is_empty() && !summary.ends_with('.'), "{name:?}: summary `{summary}`");
            assert!(says["tags"][0].is_string(), "{name:?}: tags");
            let responses = says["responses"].as_object().unwrap();
            assert!(responses.keys().any(|status| status.starts_with('2')), "{name:?}");
            for (status, response) in responses {
                let response = resolved(&document, response);
                assert!(response["description"].is_string(), "{name:?} {status}");
                if status.starts_with(['4', '5']) {
                    assert!(response["content"].is_object(), "{name:?} {status} has no body");
                }
            }
            let own = says.get("parameters").and_then(Value::as_array).into_iter().flatten();
            let of_path = path.get("parameters").and_then(Value::as_array).into_iter().flatten();
            let all: Vec<_> = own.chain(of_path).map(|parameter| resolved(&document, parameter)).collect();
            let in_path = all.iter().filter(|parameter| parameter["in"] == "path");
            let in_path: BTreeSet<_> = in_path.filter_map(|parameter| parameter["name"].as_str()).collect();
            assert_eq!(in_path, parameters_of(&name.1), "{name:?}: parameters of the path");
            if !in_path.is_empty() {
                assert!(responses.contains_key("400"), "{name:?}: a name that is none");
            }
        }
    }

    #[test]
    fn every_reference_leads_somewhere_and_every_part_is_used() {
        fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
            found.extend(value.get("$ref").and_then(Value::as_str));
            let (items, members) = (value.as_array().into_iter().flatten(), value.as_object());
            for value in items.chain(members.into_iter().flat_map(|members| members.values())) {
                references(value, found);
            }
        }
        let document = document();
        let mut used = BTreeSet::new();
        references(&document, &mut used);
        let mut there = BTreeSet::new();
        // Schemes of security are named and not referred to.
        let kinds = document["components"].as_object().unwrap().iter().filter(|(kind, _)| *kind != "securitySchemes");
        for (kind, parts) in kinds {
            there.extend(parts.as_object().unwrap().keys().map(|name| format!("#/components/{kind}/{name}")));
        }
        assert_eq!(used, there.iter().map(String::as_str).collect());
    }
}
