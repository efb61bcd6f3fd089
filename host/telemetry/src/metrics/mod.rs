//! Counters and histograms. Whatever a decision passes only adds to numbers; who scrapes puts names to them.

pub mod calls;
mod commits;
pub mod histogram;
pub mod swaps;
mod verdict_counts;

pub use calls::{Calls, Count, Noted};
pub use commits::Commits;
pub use swaps::Swaps;
pub use verdict_counts::VerdictCounts;
