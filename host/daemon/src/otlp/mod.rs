//! Sends what happened to a collector, by OTLP over HTTP with JSON.
//!
//! ```text
//! tracer ── a sampled decision ──┐
//!                                ├─> exporter's queue ──> batch ──> encode ──> client ── POST ──> collector
//! decision_log::sink ── a record ┘
//! ```
//!
//! The queue is bounded and never waited for: what finds it full is lost, and counted. One task of the host's own runtime
//! for each signal gathers, sends, and tries again. docs/adr/0016-otlp-by-hand.md says why no SDK does it.

mod client;
mod endpoint;
mod exporter;
mod ids;
mod json;
pub(crate) mod logs;
pub(crate) mod traces;

pub use endpoint::{BadEndpoint, Endpoint};
pub(crate) use exporter::{Exported, Exporter, Exports};
pub(crate) use traces::Tracer;
