//! The words of Portcullis, and the rules that need nothing but them.
//!
//! In the order that a call travels: a [`Request`] is what a policy may ask about one Docker API call, and [`Data`] the
//! operator's documents together; a [`Verdict`] is what one policy says, a [`Fault`] why it said nothing, and a [`Decision`] what the host answers.
//! [`Limits`] bound what a policy may use. A [`Placement`] says which tenant a caller belongs to. [`printable`] makes text
//! safe to show, and a [`Span`] is a time as a person reads it.

pub mod data;
pub mod decision;
pub mod fault;
pub mod limits;
pub mod name;
pub mod obligation;
pub mod printable;
pub mod request;
pub mod span;
pub mod tenant;
pub mod verdict;
pub mod view;

pub use data::Data;
pub use decision::{Answer, Cause, Decision, Opinion, PolicyOutcome};
pub use fault::Fault;
pub use limits::{Limits, TenantLimits};
pub use name::{Digest, Generation, PolicyName, TenantName};
pub use obligation::Obligation;
pub use request::{Access, Request};
pub use span::Span;
pub use tenant::{Attribute, Caller, Match, Overlap, Pattern, Placement, Unplaced};
pub use verdict::{Reason, Verdict};
