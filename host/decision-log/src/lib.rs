//! What became of every call, for the operator: a record each, weeks later too.
//!
//! The decision path hands over what it has already, an [`DecisionEvent`], through a bounded [`queue`]. One thread, the
//! [`writer`], makes a [`line`] of JSON of it, without what is secret ([`redact`]), and gives that, an [`Entry`], to every
//! [`sink`] and to those who listen ([`feed`]). [`record`] defines what such a line has, for who writes and who reads it;
//! [`id`] is what a decision is called.

pub mod archive;
mod entry;
mod event;
pub mod feed;
pub mod filter;
pub mod id;
mod json;
mod line;
mod queue;
pub mod record;
pub mod redact;
pub mod sink;
mod statistics;
mod subject;
mod text;
mod writer;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use portcullis_config::{DecisionLogSettings, OnFull, SinkSettings};
use tokio::sync::oneshot;
use tokio::time::timeout;

pub use self::entry::{Entry, UNWRITTEN};
pub use self::event::{About, DecisionEvent, Peer, Sender, Subject, Times};
pub use self::feed::Feed;
pub use self::id::DecisionId;
use self::queue::{Decision, Message, Queue};
use self::redact::Redactor;
use self::sink::{FILE, Sink};
pub use self::statistics::Statistics;
use self::writer::{Outlet, Writer};
use portcullis_engine::LARGE_CALLS;
use portcullis_telemetry::log_sink::{Flush, Format, LogSink};
use portcullis_telemetry::otlp::{self, Exports};

/// The record of a plugin call of more bytes is written by who decided it.
const LARGE: usize = 64 << 10;
/// And of more than this, on a thread of its own: others are answered meanwhile.
const VERY_LARGE: usize = 256 << 10;

/// Takes decisions. Cheap to clone.
#[derive(Clone, Debug)]
pub struct DecisionLog {
    queue: Queue,
    redactor: Arc<Redactor>,
    feed: Feed,
    figures: Arc<Statistics>,
    /// Nothing is written or kept: records are only made while somebody listens.
    is_off: bool,
    /// How long an answer waits for its record; none where it does not.
    patience: Option<Duration>,
}

/// The log's thread; what waits is written when this is dropped.
#[derive(Debug)]
pub struct LogThread {
    queue: Queue,
    thread: Option<JoinHandle<()>>,
    /// Of sinks with a thread of their own: dropped when all that waits has come to them.
    flushes: Vec<Flush>,
}

/// The record of an allowed call cannot be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unkept;

// === impl DecisionLog ===

impl DecisionLog {
    /// Starts the log's thread. `patience` is how long an answer may wait for its record, where answers do.
    pub fn start(
        settings: &DecisionLogSettings,
        stderr: LogSink,
        patience: Duration,
        exports: &mut Exports,
    ) -> std::io::Result<(Self, LogThread)> {
        let (queue, drain) = queue::queue();
        let redactor = Arc::new(Redactor::from(settings.redaction.clone()));
        let feed = Feed::new(usize::try_from(settings.recent).unwrap_or(usize::MAX));
        let figures = Arc::new(Statistics::default());
        let mut flushes = Vec::new();
        let mut sinks = Vec::with_capacity(settings.sinks.len());
        for sink in &settings.sinks {
            sinks.push(outlet(sink, settings.on_full, &stderr, (&mut flushes, &mut *exports))?);
        }
        let is_off = sinks.is_empty() && settings.recent == 0;
        let patience = (settings.on_full == OnFull::Deny).then_some(patience);
        let writer = Writer {
            drain,
            sinks,
            redactor: Arc::clone(&redactor),
            feed: feed.clone(),
            figures: Arc::clone(&figures),
            is_awaited: patience.is_some(),
        };
        let thread = std::thread::Builder::new().name("decisions".into()).spawn(move || writer.run())?;
        let log = Self { queue: queue.clone(), redactor, feed, figures, is_off, patience };
        Ok((log, LogThread { queue, thread: Some(thread), flushes }))
    }

    /// Every record as it is made, and the last ones.
    pub fn feed(&self) -> &Feed {
        &self.feed
    }

    pub fn statistics(&self) -> &Statistics {
        &self.figures
    }

    /// By sink, why it fails now.
    pub fn problems(&self) -> BTreeMap<&'static str, String> {
        self.figures.problems()
    }

    /// Whether calls are denied while this sink fails.
    pub fn is_required(&self, sink: &str) -> bool {
        self.patience.is_some() && sink == FILE
    }

    /// Opens files anew, after what waits is written.
    pub fn reopen(&self) {
        self.queue.ask_soon(Message::Reopen);
    }

    /// Whether anybody wants to know of decisions.
    pub fn is_wanted(&self) -> bool {
        !self.is_off || !self.feed.is_idle()
    }

    /// Takes a decision. An allowed call whose record cannot be kept must be denied; that can only be where the operator
    /// wants it so, and there the record of an allowed call is kept when this is ready.
    pub async fn keep(&self, event: DecisionEvent) -> Result<(), Unkept> {
        let mut event = event;
        let waits = self.patience.filter(|_| event.decision.answer.is_allow()).map(|patience| {
            let (sender, written) = oneshot::channel();
            event.waits = Some(sender);
            (written, patience)
        });
        // What is large is not left to wait, and the log's thread has less to do with records that are written.
        let decision = if event.size > VERY_LARGE {
            let redactor = Arc::clone(&self.redactor);
            let listener = Arc::clone(&event.sender.listener);
            let entry = LARGE_CALLS.finish(&listener, move || Box::new(Entry::new(event, &redactor))).await;
            // An error is a panic: the record is lost, and nothing is allowed without it where none may be.
            let Ok(entry) = entry else {
                self.figures.lost.fetch_add(1, Ordering::Relaxed);
                return if waits.is_some() { Err(Unkept) } else { Ok(()) };
            };
            Decision::Entry(entry)
        } else if event.size > LARGE || self.queue.is_behind() {
            Decision::Entry(Box::new(Entry::new(event, &self.redactor)))
        } else {
            Decision::DecisionEvent(Box::new(event))
        };
        let is_taken = self.queue.push(decision);
        if !is_taken {
            self.figures.dropped.fetch_add(1, Ordering::Relaxed);
            self.figures.lost.fetch_add(1, Ordering::Relaxed);
        }
        let Some((written, patience)) = waits else { return Ok(()) };
        if !is_taken {
            self.figures.refused.fetch_add(1, Ordering::Relaxed);
            return Err(Unkept);
        }
        match timeout(patience, written).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Unkept),
            Err(_) => {
                self.figures.refused.fetch_add(1, Ordering::Relaxed);
                Err(Unkept)
            }
        }
    }
}

fn outlet(
    sink: &SinkSettings,
    on_full: OnFull,
    stderr: &LogSink,
    (flushes, exports): (&mut Vec<Flush>, &mut Exports),
) -> std::io::Result<Outlet> {
    let sink: Box<dyn Sink> = match sink {
        SinkSettings::Stderr => Box::new(sink::Stderr(stderr.clone())),
        SinkSettings::Stdout => {
            let (lines, flush) = LogSink::start(Format::Json, std::io::stdout())?;
            flushes.push(flush);
            Box::new(sink::Stdout(lines))
        }
        // A file alone can tell that a record is kept.
        SinkSettings::File(file) => {
            let is_required = on_full == OnFull::Deny;
            return Ok(Outlet::new(Box::new(sink::FileSink::new(file.clone(), is_required)), is_required));
        }
        SinkSettings::Journald(socket) => Box::new(sink::JournaldSink::new(socket.clone())),
        SinkSettings::Otlp(endpoint) => {
            Box::new(sink::Otlp(exports.start("logs", endpoint.clone(), otlp::logs::encode)))
        }
    };
    Ok(Outlet::new(sink, false))
}

// === impl LogThread ===

impl Drop for LogThread {
    fn drop(&mut self) {
        self.queue.ask(Message::Stop);
        // An error is a panic, which was told.
        let _ = self.thread.take().map(JoinHandle::join);
        self.flushes.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> (DecisionLog, queue::Drain) {
        let (queue, drain) = queue::queue();
        let (redactor, figures) = (Arc::default(), Arc::default());
        (DecisionLog { queue, redactor, feed: Feed::new(0), figures, is_off: false, patience: None }, drain)
    }

    /// How many records were not written yet, and then how many were.
    fn taken(drain: &queue::Drain) -> (usize, usize) {
        let (mut waiting, mut written) = (0, 0);
        while let Ok(Message::Decision(decision)) = drain.try_next() {
            match decision {
                Decision::DecisionEvent(_) => {
                    assert_eq!(written, 0, "they are taken in their order");
                    waiting += 1;
                }
                Decision::Entry(entry) => {
                    assert!(entry.record().answer == "deny", "{}", entry.line);
                    written += 1;
                }
            }
        }
        (waiting, written)
    }

    #[tokio::test]
    async fn who_finds_the_logs_thread_behind_writes_the_record() {
        let (log, drain) = log();
        let event = |size| DecisionEvent { size, ..DecisionEvent::of(About::Nothing) };
        for _ in 0..100 {
            log.keep(event(LARGE)).await.expect("taken");
        }
        let (waiting, written) = taken(&drain);
        assert!(waiting > 50 && written > 10 && waiting + written == 100, "{waiting} {written}");
        log.keep(event(LARGE)).await.expect("taken");
        log.keep(event(LARGE + 1)).await.expect("taken");
        assert_eq!(taken(&drain), (1, 1), "all was taken, and what is large does not wait");
    }
}
