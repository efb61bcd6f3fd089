//! What a child process writes, kept line by line.

use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Lines that have come so far, from one or more pipes.
#[derive(Clone, Debug, Default)]
pub struct Log(Arc<Shared>);

/// A place in a log: what comes after it is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark(usize);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    lines: Vec<String>,
    open_pipes: usize,
}

/// Why a line did not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoLine {
    TimedOut,
    /// Every pipe is closed.
    Closed,
}

// === impl Log ===

impl Log {
    /// Reads a pipe to its end, on a thread of its own.
    pub fn follow(&self, pipe: impl Read + Send + 'static) {
        self.lock().open_pipes += 1;
        let log = self.clone();
        std::thread::spawn(move || {
            let mut lines = BufReader::new(pipe).split(b'\n');
            while let Some(Ok(line)) = lines.next() {
                log.lock().lines.push(String::from_utf8_lossy(&line).into_owned());
                log.0.changed.notify_all();
            }
            log.lock().open_pipes -= 1;
            log.0.changed.notify_all();
        });
    }

    /// Where the log ends now.
    pub fn mark(&self) -> Mark {
        Mark(self.lock().lines.len())
    }

    pub const START: Mark = Mark(0);

    pub fn since(&self, mark: Mark) -> Vec<String> {
        self.lock().lines.get(mark.0..).unwrap_or_default().to_vec()
    }

    /// The last lines, for a message.
    pub fn tail(&self, count: usize) -> String {
        let state = self.lock();
        let from = state.lines.len().saturating_sub(count);
        state.lines.get(from..).unwrap_or_default().join("\n")
    }

    /// The first line after `mark` of which `pick` makes something.
    pub fn wait<T>(
        &self,
        mark: Mark,
        patience: Duration,
        mut pick: impl FnMut(&str) -> Option<T>,
    ) -> Result<T, NoLine> {
        let deadline = Instant::now() + patience;
        let mut seen = mark.0;
        let mut state = self.lock();
        loop {
            for line in state.lines.get(seen..).unwrap_or_default() {
                if let Some(picked) = pick(line) {
                    return Ok(picked);
                }
            }
            seen = state.lines.len();
            if state.open_pipes == 0 {
                return Err(NoLine::Closed);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(NoLine::TimedOut);
            }
            state = self.0.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
