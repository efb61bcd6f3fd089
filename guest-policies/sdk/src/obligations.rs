//! What the policy demands of a call that it does not deny, instead of refusing it. The policy needs the grant `obligations`.
//!
//! Behind Docker's authorization plugin nobody can change a call: it is allowed if it is as demanded already, and otherwise
//! denied with what to add (`--label owner=alice`).

use crate::host;

/// The body has this value, which is JSON text, at an RFC 6901 pointer.
pub fn set(pointer: &str, value: &str) {
    host::obligations::set(pointer, value);
}

/// What the call creates has this label.
pub fn label(name: &str, value: &str) {
    host::obligations::label(name, value);
}

/// A list, or the daemon's events, show only what has this label.
pub fn show_only(name: &str, value: &str) {
    host::obligations::show_only(name, value);
}

/// The answer has nothing at an RFC 6901 pointer.
pub fn redact(pointer: &str) {
    host::obligations::redact(pointer);
}
