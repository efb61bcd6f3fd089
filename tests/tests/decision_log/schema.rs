//! `docs/decision-log.schema.json`.

use std::collections::BTreeSet;
use std::path::Path;

use portcullis_tests::{Error, Result};
use serde_json::Value;

/// The schema, and which of its fields were seen in a record.
pub(crate) struct Schema {
    text: Value,
    validator: jsonschema::Validator,
    seen: BTreeSet<String>,
}

// === impl Schema ===

impl Schema {
    pub(crate) fn read() -> Result<Self> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/decision-log.schema.json");
        let text = std::fs::read_to_string(&path).map_err(crate::io)?;
        let unreadable = |error: String| Error::Unexpected(format!("`{}`: {error}", path.display()));
        let text: Value = serde_json::from_str(&text).map_err(|error| unreadable(error.to_string()))?;
        let validator = jsonschema::validator_for(&text).map_err(|error| unreadable(error.to_string()))?;
        Ok(Self { text, validator, seen: BTreeSet::new() })
    }

    /// Asserts that a line is what the schema says, and notes which fields it has.
    pub(crate) fn check(&mut self, line: &str) {
        let record: Value = serde_json::from_str(line).unwrap_or_default();
        assert!(record.is_object(), "not JSON: {line}");
        let errors: Vec<String> = self.validator.iter_errors(&record).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:#?}: {line}");
        let mut seen = std::mem::take(&mut self.seen);
        self.see(&self.text, &record, "", &mut seen);
        self.seen = seen;
    }

    /// Fields that the schema names and that no record had.
    pub(crate) fn unseen(&self) -> BTreeSet<String> {
        let mut all = BTreeSet::new();
        self.fields(&self.text, "", &mut all);
        all.difference(&self.seen).cloned().collect()
    }

    fn see(&self, schema: &Value, value: &Value, place: &str, seen: &mut BTreeSet<String>) {
        for schema in self.meant(schema) {
            let properties = schema.get("properties").and_then(Value::as_object);
            for (name, property) in properties.into_iter().flatten() {
                if let Some(member) = value.get(name) {
                    let place = format!("{place}/{name}");
                    self.see(property, member, &place, seen);
                    seen.insert(place);
                }
            }
            let items = schema.get("items").zip(value.as_array());
            items
                .into_iter()
                .for_each(|(schema, items)| items.iter().for_each(|item| self.see(schema, item, place, seen)));
        }
    }

    fn fields(&self, schema: &Value, place: &str, all: &mut BTreeSet<String>) {
        for schema in self.meant(schema) {
            let properties = schema.get("properties").and_then(Value::as_object);
            for (name, property) in properties.into_iter().flatten() {
                let place = format!("{place}/{name}");
                self.fields(property, &place, all);
                all.insert(place);
            }
            schema.get("items").into_iter().for_each(|items| self.fields(items, place, all));
        }
    }

    /// A schema, and those that it leads to.
    fn meant<'s>(&'s self, schema: &'s Value) -> Vec<&'s Value> {
        let mut meant = vec![schema];
        let reference =
            schema.get("$ref").and_then(Value::as_str).and_then(|text| self.text.pointer(text.strip_prefix('#')?));
        meant.extend(reference);
        let any = schema.get("anyOf").and_then(Value::as_array);
        any.into_iter().flatten().for_each(|schema| meant.extend(self.meant(schema)));
        meant
    }
}
