//! How long a host is waited for: each step has a time-out, and none of them counts while something moves.

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use portcullis_model::Span;
use tokio::time::timeout;

/// A host that is alive has answered by then, if it has nothing to do but to look.
const QUICK: Duration = Duration::from_secs(10);
/// The same where it writes, reads or compares a great deal.
const USUAL: Duration = Duration::from_secs(60);
/// The same where it compiles policies.
const LONG: Duration = Duration::from_secs(300);
/// For a connection.
const CONNECT: Duration = Duration::from_secs(15);

/// How long each step may take without anything moving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Patience {
    limit: Duration,
    /// Whether that is what is left of a time that the command as a whole may take.
    is_cut: bool,
}

/// Nothing moved for so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Late(Patience);

/// How much was sent so far. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Moved(Arc<AtomicUsize>);

// === impl Patience ===

impl Patience {
    pub(crate) const QUICK: Self = Self::new(QUICK);
    pub(crate) const USUAL: Self = Self::new(USUAL);
    pub(crate) const LONG: Self = Self::new(LONG);

    const fn new(limit: Duration) -> Self {
        Self { limit, is_cut: false }
    }

    /// What the operator said, if anything.
    pub(crate) fn or(self, said: Option<u64>) -> Self {
        said.map_or(self, |seconds| Self::new(Duration::from_secs(seconds)))
    }

    /// What is left of the time that `--wait` gives.
    pub(crate) fn at_most(self, left: Duration) -> Self {
        if left < self.limit { Self { limit: left, is_cut: true } } else { self }
    }

    fn option(self) -> &'static str {
        if self.is_cut { "--wait" } else { "--timeout" }
    }

    /// A connection is made.
    pub(crate) async fn connecting<T>(self, connecting: impl Future<Output = Result<T, String>>) -> Result<T, String> {
        let limit = self.limit.min(CONNECT);
        let late = || {
            Err(format!(
                "no connection within {}\n  help: is the host, or the way to it, down or overloaded?",
                Span(limit)
            ))
        };
        timeout(limit, connecting).await.unwrap_or_else(|_| late())
    }

    /// A call is sent, and its answer begins.
    pub(crate) async fn answering<T>(self, moved: &Moved, answering: impl Future<Output = T>) -> Result<T, Late> {
        let mut answering = pin!(answering);
        loop {
            let before = moved.so_far();
            match timeout(self.limit, answering.as_mut()).await {
                Ok(answer) => return Ok(answer),
                Err(_) if moved.so_far() != before => {}
                Err(_) => return Err(Late(self)),
            }
        }
    }

    /// The next piece of an answer comes.
    pub(crate) async fn receiving<T>(self, piece: impl Future<Output = T>) -> Result<T, Late> {
        timeout(self.limit, piece).await.map_err(|_| Late(self))
    }
}

// === impl Moved ===

impl Moved {
    pub(crate) fn more(&self, bytes: usize) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }

    fn so_far(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

// === impl Late ===

impl fmt::Display for Late {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "no answer within {}: the host accepts connections and says nothing; it is stopped, hangs, or is busy\n  \
             help: `{} SECONDS` waits longer; `systemctl status portcullis` shows the process",
            Span(self.0.limit),
            self.0.option()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Patience = Patience::new(Duration::from_millis(20));

    #[tokio::test]
    async fn only_what_stands_still_is_late() {
        let moved = Moved::default();
        let slow = async {
            for _ in 0..20 {
                tokio::time::sleep(Duration::from_millis(5)).await;
                moved.more(1);
            }
            "done"
        };
        assert_eq!(SHORT.answering(&moved, slow).await, Ok("done"));
        let never = std::future::pending::<()>();
        assert_eq!(SHORT.answering(&moved, never).await, Err(Late(SHORT)));
        assert_eq!(SHORT.receiving(std::future::pending::<()>()).await, Err(Late(SHORT)));
        let connecting = SHORT.connecting(std::future::pending::<Result<(), String>>());
        assert!(connecting.await.is_err_and(|message| message.starts_with("no connection within 20 ms\n")));
    }

    #[test]
    fn whoever_is_late_is_told_which_option_waits_longer() {
        let cut = Patience::QUICK.at_most(Duration::from_secs_f32(2.999_999_5));
        let message = Late(cut).to_string();
        assert!(message.starts_with("no answer within 3 s: ") && message.contains("`--wait SECONDS`"), "{message}");
        let message = Late(Patience::QUICK.or(Some(1)).at_most(Duration::from_secs(2))).to_string();
        assert!(message.starts_with("no answer within 1 s: ") && message.contains("`--timeout SECONDS`"), "{message}");
    }
}
