//! The parts of OTLP's JSON that every signal has: protobuf's JSON mapping, but for IDs, which are in hexadecimal.

use std::time::{Duration, SystemTime};

use serde::Serialize;

/// `{"key": …, "value": {"stringValue": …}}`
#[derive(Debug, Serialize)]
pub struct Attribute<'a> {
    key: &'static str,
    value: Value<'a>,
}

/// An `AnyValue` of OTLP.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Value<'a> {
    StringValue(&'a str),
    /// 64-bit numbers are text.
    IntValue(String),
}

/// What sends: this program, with its version.
#[derive(Debug, Serialize)]
pub struct Resource {
    attributes: [Attribute<'static>; 2],
}

/// What made the items.
#[derive(Debug, Serialize)]
pub struct Scope {
    name: &'static str,
    version: &'static str,
}

// === impl Attribute ===

impl<'a> Attribute<'a> {
    /// With a text as its value.
    pub fn text(key: &'static str, text: &'a str) -> Self {
        Self { key, value: Value::StringValue(text) }
    }

    /// With a number as its value.
    pub fn number(key: &'static str, number: u64) -> Self {
        Self { key, value: Value::IntValue(number.to_string()) }
    }
}

// === impl Resource, Scope ===

impl Resource {
    /// Of this program.
    pub fn own() -> Self {
        let version = Attribute::text("service.version", env!("CARGO_PKG_VERSION"));
        Self { attributes: [Attribute::text("service.name", "portcullis"), version] }
    }
}

impl Scope {
    /// Of this program.
    pub fn own() -> Self {
        Self { name: "portcullis", version: env!("CARGO_PKG_VERSION") }
    }
}

/// Nanoseconds of Unix time, as text.
pub fn nanoseconds(at: SystemTime) -> String {
    at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_nanos().to_string()
}
