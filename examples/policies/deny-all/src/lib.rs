//! Denies every call, whatever other policies say: a switch for an emergency.

use portcullis_policy::{Document, Request, Verdict};

portcullis_policy::policy!(decide);

pub fn decide(_request: &Request, _data: &Document) -> Verdict {
    Verdict::deny("request rejected by administrative policy")
}
