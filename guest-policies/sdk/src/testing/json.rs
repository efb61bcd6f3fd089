//! From JSON as tests write it to JSON as the host holds it.

use std::sync::Arc;

use portcullis_docker::json::{self, JsonError, Shape};
use portcullis_document::Document;
use portcullis_model::Data;
use serde_json::Value;

pub(super) fn document(value: &Value) -> Result<Arc<Document>, JsonError> {
    json::read(value.to_string(), Shape::Any).map(Arc::new)
}

/// The documents of an object, by the names of its members.
pub(super) fn data<'a>(documents: impl IntoIterator<Item = (&'a String, &'a Value)>) -> Result<Arc<Data>, JsonError> {
    let documents = documents.into_iter().map(|(name, value)| Ok((name.clone(), document(value)?)));
    documents.collect::<Result<Vec<_>, _>>().map(|documents| Arc::new(Data::new(documents)))
}
