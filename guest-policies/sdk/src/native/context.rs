//! What one policy has beside the call, on one thread.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::log::Level;

/// A line that the policy wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    pub level: Level,
    pub message: String,
}

/// Settings, state and log of the policy that runs on this thread.
#[derive(Clone, Debug, Default)]
pub(crate) struct Context {
    pub settings: Arc<portcullis_document::Document>,
    pub state: BTreeMap<String, Vec<u8>>,
    pub log: Vec<LogLine>,
    pub obligations: Vec<portcullis_model::Obligation>,
}

thread_local! {
    static CURRENT: RefCell<Context> = RefCell::default();
}

/// Runs `decide` in `context`, which is given back as `decide` leaves it.
pub(crate) fn run<T>(context: Context, decide: impl FnOnce() -> T) -> (T, Context) {
    let before = CURRENT.replace(context);
    let result = decide();
    (result, CURRENT.replace(before))
}

pub(super) fn with<T>(ask: impl FnOnce(&mut Context) -> T) -> T {
    CURRENT.with_borrow_mut(ask)
}
