//! What is known about Docker: how the daemon reads a call, and which calls it and a plugin would read differently.
//!
//! Pure: nothing here opens a socket or a file. In the order that a call travels: [`wire`] reads what dockerd asks;
//! [`target`] reads the request target, and [`operation`] finds which of the daemon's operations it is; the host rules
//! ([`HostRule`]) say whether the plugin was shown what the daemon will read; [`json`] reads the body as Go does; a
//! [`Reader`] does all of it, and a [`DockerRequest`] is what comes out, with its views. [`wire`] writes the answer.
//! When the daemon has answered, [`answer`] says what was made.

pub mod answer;
mod identity;
pub mod json;
pub mod obligation;
pub mod operation;
mod reader;
mod request;
mod resolve;
mod rules;
pub mod target;
#[cfg(test)]
mod testing;
mod view;
pub mod wire;

pub use self::identity::Certificates;
pub use self::reader::{Reader, Refusal};
pub use self::request::{DockerRequest, Remains};
pub use self::resolve::{NoResolve, Resolve, Resolved, clean_path};
pub use self::rules::{HostRule, Rules, UnknownRule};
pub use self::target::ApiVersion;
