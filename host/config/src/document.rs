//! JSON and YAML of the operator's, as documents.

mod yaml;

use portcullis_docker::json::{self, Shape};
use portcullis_document::Document;

pub use self::yaml::MAX_TEXT as MAX_YAML;

/// A document from JSON text; an error names the line and column.
pub fn from_json(text: impl Into<Vec<u8>>) -> Result<Document, String> {
    json::read(text, Shape::Any).map_err(|error| error.to_string())
}

/// A document from YAML text, of which JSON is a part; an error names the line and column where that is known. Aliases may not make more than
/// `most` bytes of JSON of it.
pub fn from_yaml(text: Vec<u8>, most: u64) -> Result<Document, String> {
    let begins_as_json =
        text.iter().find(|byte| !byte.is_ascii_whitespace()).is_some_and(|byte| b"{[\"".contains(byte));
    if !begins_as_json {
        return from_json(yaml::to_json(&text, most)?);
    }
    // What the host wrote is, and may be larger than YAML can be.
    if text.len() > MAX_YAML {
        return from_json(text);
    }
    match from_json(text.clone()) {
        Ok(document) => Ok(document),
        Err(_) => from_json(yaml::to_json(&text, most)?),
    }
}

/// A document from a value that is already in memory.
pub fn from_value(value: &serde_json::Value) -> Result<Document, String> {
    from_json(value.to_string())
}
