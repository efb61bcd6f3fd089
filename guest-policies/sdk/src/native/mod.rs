//! What stands in for the host where a policy is not built for the sandbox: unit tests.
//!
//! The same functions as the bindings have, over the host's own types. Settings, state and log belong to the thread.

mod context;
mod convert;
pub(crate) mod types;

pub use self::context::LogLine;
pub(crate) use self::context::{Context, run};

use portcullis_model::Fault;

/// Where the host would end the decision with a fault, the test ends.
#[expect(clippy::panic, reason = "a decision that ended has nothing to return")]
fn end(fault: &Fault) -> ! {
    panic!("{fault}")
}

pub(crate) mod settings {
    use super::context;
    use super::types::Document;

    pub(crate) fn get() -> Document {
        Document::Json(context::with(|context| context.settings.clone()))
    }
}

pub(crate) mod log {
    use super::context::{self, LogLine};
    use crate::log::Level;

    pub(crate) fn write(level: Level, message: &str) {
        context::with(|context| context.log.push(LogLine { level, message: message.to_owned() }));
    }
}

pub(crate) mod obligations {
    use portcullis_model::Obligation;

    use super::context;

    pub(crate) fn set(pointer: &str, value: &str) {
        demand(Obligation::Set { pointer: pointer.to_owned(), value: value.to_owned() });
    }

    pub(crate) fn label(name: &str, value: &str) {
        demand(Obligation::Label { name: name.to_owned(), value: value.to_owned() });
    }

    pub(crate) fn show_only(name: &str, value: &str) {
        demand(Obligation::ShowOnly { name: name.to_owned(), value: value.to_owned() });
    }

    pub(crate) fn redact(pointer: &str) {
        demand(Obligation::Redact { pointer: pointer.to_owned() });
    }

    fn demand(obligation: Obligation) {
        context::with(|context| context.obligations.push(obligation));
    }
}

pub(crate) mod state {
    use portcullis_model::Fault;
    use portcullis_model::fault::StateFault;

    use super::context;

    pub(crate) fn get(key: &str) -> Option<Vec<u8>> {
        context::with(|context| context.state.get(key).cloned())
    }

    pub(crate) fn compare_and_set(key: &str, expected: Option<&[u8]>, value: Option<&[u8]>) -> bool {
        context::with(|context| {
            if context.state.get(key).map(Vec::as_slice) != expected {
                return false;
            }
            match value {
                Some(value) => context.state.insert(key.to_owned(), value.to_owned()),
                None => context.state.remove(key),
            };
            true
        })
    }

    /// A counter is kept as 8 bytes, little-endian.
    pub(crate) fn add(key: &str, delta: i64) -> i64 {
        let current = get(key);
        let fault = |fault| super::end(&Fault::State(fault));
        let Some(count) = counter(current.as_deref()) else { fault(StateFault::NotACounter { key: key.to_owned() }) };
        let Some(sum) = count.checked_add(delta) else { fault(StateFault::CounterOverflow { key: key.to_owned() }) };
        compare_and_set(key, current.as_deref(), Some(&sum.to_le_bytes()));
        sum
    }

    fn counter(value: Option<&[u8]>) -> Option<i64> {
        match value {
            Some(value) => value.try_into().ok().map(i64::from_le_bytes),
            None => Some(0),
        }
    }
}
