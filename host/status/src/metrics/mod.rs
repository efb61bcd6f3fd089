//! What is counted and measured, for Prometheus.
//!
//! ```text
//! a decision ──> recorder ──> calls (each tenant's, by operation and cause), said (each policy's), phases
//! a swap ──> swaps      a commit ──> commits      an admin call ──> requests      the kernel ──> process
//!
//! GET /metrics ──> scrape ── reads all of these, and what is active ──> families ──> page
//! ```
//!
//! Whatever a decision passes only adds to numbers that are there already: names are put to them when somebody scrapes. So a
//! tenant's series go with the tenant, and no label can have a value that a caller chose.

mod families;
mod page;
mod process;
pub mod requests;
mod scrape;
mod server;

pub use scrape::{CONTENT_TYPE, Metrics, Sources};
pub use server::serve;
