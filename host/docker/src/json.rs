//! JSON as the daemon reads it.
//!
//! Go's `encoding/json` takes a member of a structure whatever the case of its name (by Unicode's simple folding), merges
//! what is there twice, and reads what other parsers refuse. Two parsers that differ are how authorization plugins are
//! bypassed, so [`read`] either gives the value that Go would, every key in its documented spelling, or refuses:
//!
//! - keys in the position of a structure match as Go matches them, and are rewritten; keys of maps stay;
//! - a key that is there twice is refused, in structures after folding;
//! - what a member's type does not take is refused, as the daemon does;
//! - lone surrogates are U+FFFD, as in Go; bytes that are not UTF-8 are refused;
//! - 10,000 levels may be nested, as in Go, and none costs stack.

mod error;
mod fold;
mod members;
#[cfg(test)]
mod properties;
mod reader;
mod scan;
mod shape;
pub(crate) mod shapes;
#[cfg(test)]
mod tests;

use portcullis_document::Document;

pub use self::error::{JsonError, Problem};
pub(crate) use self::shape::decode_base64;
pub use self::shape::{Counted, Field, Integer, Shape, Structure};

/// A body, and what in it is told to the host rules.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) document: Document,
    /// The first member, not null, that stands where only old daemons read it.
    pub(crate) stray: Option<&'static str>,
    /// Whether a structure has a member that no daemon knows.
    pub(crate) has_unknown: bool,
}

/// Reads one JSON value of a shape. [`Shape::Any`] is for documents of the operator.
pub fn read(text: impl Into<Vec<u8>>, shape: Shape) -> Result<Document, JsonError> {
    read_body(text.into(), shape, false).map(|reading| reading.document)
}

/// Where `is_bounded`, reading ends as soon as there are more items of a view than a call may have.
pub(crate) fn read_body(bytes: Vec<u8>, shape: Shape, is_bounded: bool) -> Result<Reading, JsonError> {
    let text = String::from_utf8(bytes).map_err(|error| error::not_utf8(&error))?;
    reader::read(text, shape, is_bounded)
}
