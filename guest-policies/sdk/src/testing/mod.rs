//! Runs policies without a sandbox, on requests that the host's own reader made of calls.
//!
//! In Rust, [`Policy`] is asked about a [`Call`]:
//!
//! ```
//! # use portcullis_policy::{Document, Request, Verdict};
//! use portcullis_policy::testing::{Call, Policy, json};
//!
//! # fn decide(request: &Request, data: &Document) -> Verdict {
//! #     match request.user() {
//! #         Some(user) if data.at(["users", &user]).exists() => Verdict::allow(),
//! #         _ => Verdict::deny("nobody"),
//! #     }
//! # }
//! let mut policy = Policy::new(decide).data(json!({"users": {"alice": {}}}));
//! let call = Call::post("/v1.41/containers/create").body(json!({"Image": "alpine"}));
//! assert_eq!(policy.ask(&call), Verdict::deny("nobody"));
//! assert_eq!(policy.ask(&call.user("alice")), Verdict::allow());
//! ```
//!
//! Cases that are data are in files, `cases/*.yaml`, which run here ([`run_cases`]) and in the host: see [`cases`].

mod call;
pub mod cases;
mod json;
mod paths;
mod policy;
mod reading;
mod run;
#[cfg(test)]
mod tests;

pub use serde_json::json;

pub use self::call::Call;
pub use self::policy::Policy;
pub use self::run::{run_cases, run_cases_with};
pub use crate::log::Level;
pub use crate::native::LogLine;
