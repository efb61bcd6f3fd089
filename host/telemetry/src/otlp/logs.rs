//! Records of decisions, as log records.

use std::sync::Arc;
use std::time::SystemTime;

use serde::Serialize;

use crate::otlp::exporter::Item;
use crate::otlp::json::{Attribute, Resource, Scope, Value, nanoseconds};

/// One decision's record.
#[derive(Debug)]
pub struct Record {
    /// When the call had arrived.
    pub at: SystemTime,
    /// As it is in every other sink: one object of JSON, without what is secret.
    pub line: Arc<str>,
    pub answer: &'static str,
    pub cause: &'static str,
    pub tenant: Option<portcullis_model::TenantName>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    resource_logs: [ResourceLogs<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceLogs<'a> {
    resource: Resource,
    scope_logs: [ScopeLogs<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ScopeLogs<'a> {
    scope: Scope,
    log_records: Vec<LogRecord<'a>>,
}

/// `opentelemetry/proto/logs/v1/logs.proto`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogRecord<'a> {
    time_unix_nano: String,
    severity_number: u8,
    severity_text: &'static str,
    body: Value<'a>,
    attributes: Vec<Attribute<'a>>,
}

/// Of `SeverityNumber`.
const INFO: u8 = 9;
/// What a record holds beside its line, roughly.
const OVERHEAD: usize = 128;

impl Item for Record {
    fn bytes(&self) -> usize {
        OVERHEAD + self.line.len()
    }
}

/// The body of a call with these records.
pub fn encode(records: &[Record]) -> Vec<u8> {
    let log_records = records.iter().map(Record::encoded).collect();
    let scope_logs = [ScopeLogs { scope: Scope::own(), log_records }];
    let request = Request { resource_logs: [ResourceLogs { resource: Resource::own(), scope_logs }] };
    // Texts and numbers always have JSON.
    serde_json::to_vec(&request).unwrap_or_default()
}

impl Record {
    fn encoded(&self) -> LogRecord<'_> {
        let mut attributes =
            vec![Attribute::text("portcullis.answer", self.answer), Attribute::text("portcullis.cause", self.cause)];
        attributes.extend(self.tenant.as_ref().map(|tenant| Attribute::text("portcullis.tenant", tenant.as_str())));
        LogRecord {
            time_unix_nano: nanoseconds(self.at),
            severity_number: INFO,
            severity_text: "INFO",
            body: Value::StringValue(&self.line),
            attributes,
        }
    }
}
