//! JSON of the operator's, as documents.

use portcullis_docker::json::{self, Shape};
use portcullis_model::Document;

/// A document from JSON text; an error names the line and column.
pub(crate) fn from_json(text: String) -> Result<Document, String> {
    json::read(text, Shape::Any).map_err(|error| error.to_string())
}

/// A document from a value that is already in memory.
pub(crate) fn from_value(value: &serde_json::Value) -> Result<Document, String> {
    from_json(value.to_string())
}
