//! From dockerd's call to the answer.
//!
//! A call comes in through [`socket`] and [`plugin`], dockerd's protocol, which reads its [`body`]. [`decide`] finds out
//! whose it is, reads it as dockerd does, asks policies, has the decision logged, and answers; [`recorder`] counts it, and
//! [`traces`] tells collectors. [`asking`] says what would be answered, and [`explain`] shows a call as policies see it.
//! [`take_over`] hands sockets to the host that takes this one's place.

pub mod asking;
pub mod body;
pub mod decide;
pub mod explain;
mod phases;
pub mod plugin;
pub mod recorder;
pub mod socket;
pub mod take_over;
pub mod traces;
