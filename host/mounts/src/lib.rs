//! Where mounts lead: paths of this machine, and what containers and volumes were created with.
//!
//! [`resolve`] follows paths on threads of its own, since a file system may not answer. [`created`] remembers what a
//! container or a volume was created with, for the calls that mount it later. [`masked`] knows what the daemon masks on
//! this machine.

pub mod created;
pub mod masked;
pub mod resolve;
