//! What the host tells of itself.
//!
//! [`status`] puts together what is active, what is not and why, and what became of calls; [`health`] says whether calls
//! are denied that no policy denies. [`inspect`] looks every second at what may go away under the host, [`listen`] listens
//! by TCP as soon as that is possible, [`gate`] has the active certificate there and who is known, [`tls`] reads both and
//! [`end`] when they end. [`metrics`] makes a page of all that is counted.

pub mod end;
pub mod gate;
pub mod health;
pub mod inspect;
pub mod listen;
pub mod metrics;
pub mod status;
pub mod tls;
