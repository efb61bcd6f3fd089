//! Where a file system does not answer, calls that need it are denied, and nobody else notices.

#![expect(clippy::indexing_slicing, reason = "JSON has a value, or null, at every name")]

mod binds;
mod crowd;
mod folders;
mod stage;
mod start;
