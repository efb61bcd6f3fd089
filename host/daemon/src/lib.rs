//! The host: sockets, the policies in force, what they keep, and the log.
//!
//! A call travels through `plugin` (dockerd's protocol) and `decide` (whose it is, read, ask, answer) to `policies` (what
//! is in force) and back through `decision_log`. `config` says how, `serve` brings it all up, `admin` answers the operator, `asking` says what would be answered, `manage` changes what lies in folders, `tenant` is what each tenant
//! may use, `state` keeps what policies keep, `resolve` follows paths on this machine, `created` remembers what containers and volumes were created with, `masked` knows what the daemon masks on it, `replay` asks
//! again about the calls of a log, `metrics` counts everything, and `otlp` tells collectors. `reload` reads all again, and
//! `check` says what is wrong with a folder that no host serves.

pub mod admin;
pub mod asking;
pub mod check;
pub mod config;
mod created;
pub mod decide;
pub mod decision_log;
mod document;
pub mod health;
mod inspect;
mod listen;
pub mod log_sink;
pub mod manage;
pub mod masked;
pub mod metrics;
pub mod offline;
pub mod otlp;
pub mod plugin;
pub mod policies;
pub mod reload;
pub mod replay;
pub mod resolve;
pub mod serve;
mod signals;
mod socket;
pub mod state;
pub mod status;
mod supervisor;
mod take_over;
pub mod tenant;
pub mod version;
