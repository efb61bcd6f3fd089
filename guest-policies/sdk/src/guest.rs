//! The way into a policy that runs in the sandbox.

use std::panic::PanicHookInfo;

use crate::bindings::portcullis::policy::fault;
use crate::bindings::portcullis::policy::types::{Document, Request};
use crate::{Decide, Prepare, Verdict};

/// Decides with `decide`. An instance lives for one decision, so this runs once in it.
pub fn decide(request: &Request, data: &Document, decide: Decide) -> Verdict {
    std::panic::set_hook(Box::new(report));
    decide(crate::Request::wrap(request), crate::Document::wrap(data))
}

/// Checks the settings with `prepare`, when the policy is loaded.
pub fn prepare(settings: &Document, prepare: Prepare) -> Result<(), String> {
    std::panic::set_hook(Box::new(report));
    prepare(crate::Document::wrap(settings))
}

/// Tells the host why this instance is about to end.
fn report(panic: &PanicHookInfo<'_>) {
    let message = panic.payload_as_str().unwrap_or("no message");
    match panic.location() {
        Some(location) => fault::panicked(&format!("{message} at {location}")),
        None => fault::panicked(message),
    }
}
