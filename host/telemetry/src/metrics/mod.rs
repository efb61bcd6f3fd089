//! Counters and histograms. Whatever a decision passes only adds to numbers; who scrapes puts names to them.

pub mod calls;
mod commits;
pub mod histogram;
mod said;
pub mod swaps;

pub use calls::{Calls, Noted};
pub use commits::Commits;
pub use said::Said;
pub use swaps::Swaps;
