//! A small store that belongs to this policy alone and outlives the decision. The policy needs the grant `state`.
//!
//! Other decisions run at the same time: to change a value that depends on what it was, use [`compare_and_set`] or
//! [`add`]. A change is on disk before the call returns. Where the store cannot answer, or a limit is reached, the
//! decision ends there, as a denial.

use crate::host;

/// The value of `key`.
pub fn get(key: &str) -> Option<Vec<u8>> {
    host::state::get(key)
}

/// Sets `key` to `value` (none removes it) if it holds `expected` (none: nothing) now. Says whether it did.
pub fn compare_and_set(key: &str, expected: Option<&[u8]>, value: Option<&[u8]>) -> bool {
    host::state::compare_and_set(key, expected, value)
}

/// Adds to a counter, which starts at 0, and gives the sum. It is kept as 8 bytes, little-endian.
pub fn add(key: &str, delta: i64) -> i64 {
    host::state::add(key, delta)
}

/// Sets `key` to what `change` makes of its value, and asks `change` again where another decision was quicker.
pub fn update(key: &str, mut change: impl FnMut(Option<&[u8]>) -> Option<Vec<u8>>) {
    loop {
        let current = get(key);
        let next = change(current.as_deref());
        if compare_and_set(key, current.as_deref(), next.as_deref()) {
            return;
        }
    }
}
