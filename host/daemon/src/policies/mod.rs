//! Policies and data from the operator's folder, live.
//!
//! ```text
//! watch ── something changed ──> loader ── read, check, compile, probe ──> set ── one pointer store ──> Live
//! ```
//!
//! A set is immutable. A request takes the pointer once and keeps its set to the end.

mod loader;
mod set;
mod source;
mod watch;

pub use loader::{Loader, LoaderContext};
pub use set::{Live, Member, PolicyLog, PolicySet};
pub(crate) use source::files;
pub use watch::Watch;
