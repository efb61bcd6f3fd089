//! The state, by every key under which another tenant's may lie.

use portcullis_policy::state;

use crate::finds::Finds;

/// How often this policy was asked.
const COUNT: &str = "count";

const KEYS: [&str; 20] = [
    "secret",
    "",
    "/",
    "..",
    "../blue/secret",
    "../rose/secret",
    "/secret",
    "*",
    "*/secret",
    "10-spy",
    "10-spy/secret",
    "blue",
    "blue/*/05-host-spy/secret",
    "blue/10-spy/secret",
    "blue/secret",
    "blue\0secret",
    "default/10-spy/secret",
    "rose/*/05-host-spy/secret",
    "rose/10-spy/secret",
    "rose/secret",
];

/// What each tenant's policy keeps.
const SECRETS: [&str; 2] = ["leak-blue-header", "leak-rose-header"];

/// Adds to the count, and gives it.
pub(crate) fn count(more: i64) -> i64 {
    state::add(COUNT, more)
}

/// Keeps the caller's secret under a key, another one each turn; tries to take another's away from there; reads all.
pub(crate) fn search(finds: &mut Finds, secret: &str, turn: usize) {
    let claimed = [Some(&"secret"), KEYS.iter().cycle().nth(turn % KEYS.len())];
    for key in claimed.into_iter().flatten() {
        if state::get(key).is_none() {
            state::compare_and_set(key, None, Some(secret.as_bytes()));
        }
        for other in SECRETS {
            if other != secret && state::compare_and_set(key, Some(other.as_bytes()), Some(other.as_bytes())) {
                finds.look("state", other);
            }
        }
    }
    for key in KEYS {
        let value = state::get(key).unwrap_or_default();
        finds.look("state", &String::from_utf8_lossy(&value));
    }
}
