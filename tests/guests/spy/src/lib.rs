//! Looks everywhere that a policy can name for what is not its own, and says what it found.
//!
//! What is looked for are marks: `leak-` and letters, digits and `-` after it. A test puts marks of each tenant
//! everywhere that a tenant has something, and knows exactly which ones this policy may find.
//!
//! | header | |
//! |---|---|
//! | `X-Secret` | a mark of the caller's tenant; it is what this policy keeps in its state |
//! | `X-Spy` | `panic`: panics with what it found; `count`: says how often it was asked |

mod documents;
mod finds;
mod kept;
mod request;

use portcullis_policy::{Document, Request, Verdict, log, policy, settings};

use crate::finds::Finds;

policy!(decide);

#[expect(clippy::panic, reason = "a test asks for it")]
pub fn decide(request: &Request, data: &Document) -> Verdict {
    let command = request.header("X-Spy").unwrap_or_default();
    if command == "count" {
        return Verdict::deny(format!("count {}", kept::count(0)));
    }
    let turn = usize::try_from(kept::count(1)).unwrap_or_default();
    let mut finds = Finds::default();
    finds.look("request", &request::everything(request));
    documents::search(&mut finds, "data", data, turn);
    documents::search(&mut finds, "settings", &settings(), turn);
    if let Some(body) = request.body() {
        documents::search(&mut finds, "body", &body, turn);
    }
    kept::search(&mut finds, &request.header("X-Secret").unwrap_or_default(), turn);
    log::info(&finds.to_string());
    if command == "panic" {
        panic!("{finds}");
    }
    Verdict::deny(finds.to_string())
}
