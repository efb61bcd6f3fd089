//! How what wasmtime reports becomes a [`Fault`].

use portcullis_model::{Fault, Limits};
use wasmtime::{Error, PoolConcurrencyLimitError, Trap, WasmBacktrace};

/// Ends a guest with a fault that the host has already named.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Stop(pub(crate) Fault);

/// Makes the error that ends a guest.
pub(crate) fn stop(fault: Fault) -> Error {
    Error::new(Stop(fault))
}

/// What went wrong, told by the error's type and never by its text.
pub(crate) fn from_wasmtime(error: &Error, limits: &Limits) -> Fault {
    if let Some(Stop(fault)) = error.downcast_ref() {
        return fault.clone();
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => return Fault::Instructions { limit: limits.instructions.unwrap_or(u64::MAX) },
        Some(Trap::StackOverflow) => return Fault::StackOverflow,
        // A Rust policy's own stack lies at the bottom of its memory.
        Some(trap @ Trap::MemoryOutOfBounds) => {
            return Fault::Trap(located(&format!("{trap}, as when a deep recursion runs out of stack"), error));
        }
        Some(trap) => return Fault::Trap(located(&trap.to_string(), error)),
        None => {}
    }
    if let Some(limit) = error.downcast_ref::<PoolConcurrencyLimitError>() {
        return Fault::Overloaded(limit.to_string());
    }
    // What a guest hands over that cannot be lifted (a string that is not UTF-8, a list past its memory) is its fault.
    Fault::BadAnswer(located(&format!("{error:#}"), error))
}

/// Adds the innermost function that has a name.
fn located(text: &str, error: &Error) -> String {
    let text = text.strip_prefix("wasm trap: ").unwrap_or(text);
    let frames = error.downcast_ref::<WasmBacktrace>().map(WasmBacktrace::frames).unwrap_or_default();
    match frames.iter().find_map(|frame| frame.func_name()) {
        Some(function) => format!("{text} (in `{function}`)"),
        None => text.to_owned(),
    }
}
