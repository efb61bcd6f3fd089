//! Allows callers that the data knows, as a small policy does; asked for its number, it denies with that. With another
//! number written over its digits, it is another policy.

use std::hint::black_box;

use portcullis_policy::{Access, Document, Request, Verdict, policy};

policy!(decide);

/// A benchmark writes its own number over the digits of the built file.
static NUMBER: &[u8; 17] = b"number 0000000000";

pub fn decide(request: &Request, data: &Document) -> Verdict {
    if request.header("X-Number").is_some() {
        return Verdict::deny(String::from_utf8_lossy(black_box(NUMBER)));
    }
    let Some(user) = request.user() else { return Verdict::deny("nobody has proved who is calling") };
    let is_reader = data.at(["users", &user, "readOnly"]).boolean();
    if is_reader == Some(false) || request.access() == Access::Read {
        return Verdict::allow();
    }
    Verdict::deny(format!("`{user}` may only read"))
}
