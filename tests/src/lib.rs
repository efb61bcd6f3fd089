//! Portcullis is proved with the real thing: the built binary, a real dockerd, the real `docker` command.
//!
//! ```text
//! Docker (CLI, raw HTTP) ──▶ Dockerd ──▶ Portcullis ──▶ policies/*.wasm
//! ```
//!
//! Each of these is a child process in a folder of its own, gone when its value is dropped, when a test fails, and when
//! the run is interrupted. Nothing waits by sleeping: what is waited for is a condition with a deadline.

pub mod admin;
pub mod artifacts;
pub mod bombs;
pub mod caller;
mod cgroups;
pub mod cleanup;
pub mod clients;
pub mod collector;
pub mod command;
pub mod corpus;
pub mod decisions;
pub mod docker;
pub mod dockerd;
pub mod error;
pub mod guests;
pub mod http;
pub mod hung_mount;
mod images;
pub mod log;
pub mod loop_device;
pub mod measure;
pub mod openapi;
pub mod oversized;
pub mod plugin;
pub mod portcullis;
pub mod process;
pub mod prometheus;
pub mod proxy;
pub mod recorder;
pub mod release;
pub mod restart;
pub mod scrape;
pub mod scratch;
pub mod small_disk;
pub mod steady;
pub mod tls;
pub mod wait;
pub mod walk;

pub use docker::Docker;
pub use dockerd::Dockerd;
pub use error::{Error, Result};
pub use portcullis::Portcullis;
pub use release::Release;
