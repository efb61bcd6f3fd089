//! Write policies for Portcullis in Rust.
//!
//! A policy is a function of one Docker Engine API call and the operator's data:
//!
//! ```
//! use portcullis_policy::{Document, Request, Verdict, policy};
//!
//! policy!(decide);
//!
//! fn decide(request: &Request, _data: &Document) -> Verdict {
//!     if request.privileged() {
//!         return Verdict::deny("privileged containers are not allowed here");
//!     }
//!     Verdict::allow()
//! }
//! # fn main() {}
//! ```
//!
//! Built for `wasm32-unknown-unknown`, as a `cdylib`, it is a file that the host loads. What it imports is what it uses:
//! a policy that calls nothing of [`state`] or [`mod@log`] needs no grant. Built for any other target it is ordinary code,
//! which [`testing`] runs.
//!
//! In the order that a decision takes: a [`Request`] is asked for what it would do, as [`view`]s of one shape whatever the
//! call's spelling; a [`Document`] holds the operator's data, the policy's [`settings`] or the call's body; [`state`] is
//! what the policy keeps; a [`Verdict`] is what it says. A policy that panics denies, and the operator reads the message.

#[cfg(any(test, all(target_arch = "wasm32", feature = "allocator")))]
mod allocator;
mod bindings;
mod document;
#[cfg(target_arch = "wasm32")]
mod guest;
pub mod log;
#[cfg(not(target_arch = "wasm32"))]
mod native;
pub mod obligations;
mod request;
pub mod settings;
pub mod state;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
pub mod view;

#[cfg(target_arch = "wasm32")]
use crate::bindings::portcullis::policy as host;
#[cfg(not(target_arch = "wasm32"))]
use crate::native as host;

pub use crate::document::{Document, Value};
pub use crate::request::Request;
pub use crate::settings::settings;
pub use crate::view::{Access, Kind, Verdict};

/// What a policy is.
pub type Decide = fn(&Request, &Document) -> Verdict;

/// What checks a policy's settings: an error is one line for the operator, which names the setting. The policy is then not
/// loaded. [`settings::Setting`] helps.
pub type Prepare = fn(&Document) -> Result<(), String>;

/// Makes a [`Decide`] function the policy of this crate, and a [`Prepare`] function what checks its settings when it is
/// loaded. Say it once.
///
/// ```
/// use portcullis_policy::settings::Setting;
/// use portcullis_policy::{Document, Request, Verdict, policy};
///
/// policy!(decide, prepare);
///
/// fn prepare(settings: &Document) -> Result<(), String> {
///     settings.check(&[Setting::boolean("allow_privileged")])
/// }
/// # fn decide(_request: &Request, _data: &Document) -> Verdict {
/// #     Verdict::allow()
/// # }
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! policy {
    ($decide:path) => {
        $crate::policy!($decide, $crate::__private::anything);
    };
    ($decide:path, $prepare:path) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            struct Policy;

            impl $crate::__private::Authorizer for Policy {
                fn decide(request: &$crate::__private::Request, data: &$crate::__private::Document) -> $crate::Verdict {
                    $crate::__private::decide(request, data, $decide)
                }
            }

            impl $crate::__private::Preparation for Policy {
                fn prepare(settings: &$crate::__private::Document) -> Result<(), String> {
                    $crate::__private::prepare(settings, $prepare)
                }
            }

    $crate::__private::export!(Policy with_types_in $crate::__private);
        };

        #[cfg(not(target_arch = "wasm32"))]
        const _: ($crate::Decide, $crate::Prepare) = ($decide, $prepare);
    };
}

#[doc(hidden)]
pub mod __private {
    #[cfg(target_arch = "wasm32")]
    pub use crate::bindings::exports::portcullis::policy::authorizer::Guest as Authorizer;
    #[cfg(target_arch = "wasm32")]
    pub use crate::bindings::exports::portcullis::policy::preparation::Guest as Preparation;
    #[cfg(target_arch = "wasm32")]
    pub use crate::bindings::portcullis::policy::types::{Document, Request};
    #[cfg(target_arch = "wasm32")]
    pub use crate::bindings::*;
    #[cfg(target_arch = "wasm32")]
    pub use crate::guest::{decide, prepare};

    /// Of a policy that takes any settings.
    pub fn anything(_settings: &crate::Document) -> Result<(), String> {
        Ok(())
    }
}

/// Holds the author's tutorial to what compiles.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Tutorial;
