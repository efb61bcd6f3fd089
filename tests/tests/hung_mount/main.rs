//! Where a file system does not answer, calls that need it are denied, and nobody else notices.

mod binds;
mod folders;
mod stage;
