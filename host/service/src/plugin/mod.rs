//! The plugin front: dockerd's authorization protocol on a unix socket, as dockerd speaks it.
//!
//! ```text
//! socket ──> connection ──> endpoint ── body ──> decide ──> answer
//! ```
//!
//! Every call is answered: a connection that breaks makes dockerd ask again with an empty body. Every decision is an
//! HTTP 200, for dockerd takes anything else as a failure of the plugin.

mod connection;
mod endpoint;
mod keep_alive;

pub use connection::{Front, Phase, serve};
