//! Work on a call that may be large.

use std::time::Instant;

use portcullis_engine::HeavyTurn;
use portcullis_model::TenantName;
use tokio::time::timeout_at;

/// How a call is read.
#[derive(Clone, Copy)]
pub(super) struct Reading<'a> {
    /// Where it came in.
    pub(super) listener: &'a str,
    pub(super) tenant: &'a TenantName,
    /// Whether that is left to a thread of its own.
    pub(super) is_large: bool,
    pub(super) deadline: Instant,
}

/// Why a call was not read.
pub(super) enum Unread {
    /// The thread that read it panicked.
    Lost,
    /// It took longer than a decision may take.
    Late,
}

/// Does some work; where it is large, on a thread of its own, and a few at once.
pub(super) async fn work<T: Send + 'static>(
    is_large: bool,
    deadline: Instant,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Unread> {
    if !is_large {
        return Ok(work());
    }
    let work = move || {
        let _turn = HeavyTurn::take();
        work()
    };
    match timeout_at(deadline.into(), tokio::task::spawn_blocking(work)).await {
        Ok(done) => done.map_err(|_| Unread::Lost),
        Err(_) => Err(Unread::Late),
    }
}
