//! Sends what happened to a collector, by OTLP over HTTP with JSON.
//!
//! ```text
//! service::traces ── a sampled decision ──┐
//!                                ├─> exporter's queue ──> batch ──> encode ──> client ── POST ──> collector
//! decision_log::sink ── a record ┘
//! ```
//!
//! The queue is bounded and never waited for: what finds it full is lost, and counted. One task of the host's own runtime
//! for each signal gathers, sends, and tries again. docs/adr/0016-otlp-by-hand.md says why no SDK does it.

mod client;
mod endpoint;
pub mod exporter;
pub mod ids;
pub mod json;
pub mod logs;

pub use client::network_hint;
pub use endpoint::{BadEndpoint, Endpoint};
pub use exporter::{Exported, Exporter, Exports, Item};
