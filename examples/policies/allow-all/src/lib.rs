//! Allows every call that no other policy denies.

use portcullis_policy::{Document, Request, Verdict};

portcullis_policy::policy!(decide);

pub fn decide(_request: &Request, _data: &Document) -> Verdict {
    Verdict::allow()
}
