//! Waiting for a condition, with a deadline.

use std::time::{Duration, Instant};

use crate::error::{Error, Result};

/// Long enough for a loaded machine: it is only ever used up by what never comes.
pub const DEADLINE: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(5);

/// Asks until there is an answer. `what` completes the sentence "… did not happen within".
pub fn until<T>(what: &str, patience: Duration, mut ask: impl FnMut() -> Option<T>) -> Result<T> {
    let started = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return Ok(answer);
        }
        if started.elapsed() > patience {
            return Err(Error::TimedOut { what: what.to_owned(), after: patience, log: String::new() });
        }
        std::thread::sleep(PAUSE);
    }
}
