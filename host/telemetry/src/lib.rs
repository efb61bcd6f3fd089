//! What is counted, what is sent to collectors, and where log lines go.
//!
//! [`metrics`] only add to numbers that are there already; what makes a page of them is not here. [`otlp`] sends to a
//! collector from a bounded queue. [`log_sink`] writes lines on a thread of its own. Nobody who decides a call waits for
//! any of them.

pub mod log_sink;
pub mod metrics;
pub mod otlp;
