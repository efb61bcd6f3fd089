//! What is counted and measured, for Prometheus.
//!
//! ```text
//! a decision ──> recorder ──> calls (each tenant's, by operation and cause), said (each policy's), phases
//! a swap ──> swaps      a commit ──> commits      an admin call ──> requests      the kernel ──> process
//!
//! GET /metrics ──> scrape ── reads all of these, and what is in force ──> families ──> page
//! ```
//!
//! Whatever a decision passes only adds to numbers that are there already: names are put to them when somebody scrapes. So a
//! tenant's series go with the tenant, and no label can have a value that a caller chose.

mod calls;
mod commits;
mod families;
mod histogram;
mod page;
mod phases;
mod process;
mod recorder;
pub(crate) mod requests;
mod said;
mod scrape;
mod server;
mod swaps;

pub use calls::{Calls, Noted};
pub(crate) use commits::Commits;
pub use recorder::Recorder;
pub(crate) use said::Said;
pub(crate) use scrape::{CONTENT_TYPE, Metrics, Sources};
pub(crate) use server::serve;
pub use swaps::Swaps;
