//! The log's thread: writes the record of what waits, and gives it to every sink and to those who listen.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use tracing::{error, info};

use crate::entry::Entry;
use crate::feed::{Feed, PublishedRecord};
use crate::queue::{Decision, Drain, Message};
use crate::redact::Redactor;
use crate::sink::{Batch, Sink, SinkError};
use crate::statistics::Statistics;

/// How long decisions are gathered where nobody waits for them: who adds one while this thread sleeps need not wake it,
/// which costs more than all the rest of a record, and many records together cost each of them half.
const GATHER: Duration = Duration::from_millis(2);
/// Where nobody waits for them, records are brought to the disk at the latest after this: it costs more than to write them.
const SYNC: Duration = Duration::from_secs(1);
/// So many records are written together at most.
const BATCH: usize = 512;

/// What the thread works with.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) drain: Drain,
    /// Those that nothing is allowed without come first.
    pub(crate) sinks: Vec<Outlet>,
    pub(crate) redactor: Arc<Redactor>,
    pub(crate) feed: Feed,
    pub(crate) figures: Arc<Statistics>,
    /// Whether answers wait for what is written.
    pub(crate) is_awaited: bool,
}

/// A sink, and how it fares.
#[derive(Debug)]
pub(crate) struct Outlet {
    sink: Box<dyn Sink>,
    /// Whether nothing is allowed without it.
    is_required: bool,
    is_failing: bool,
    /// Records that it has not, and that it has not said yet.
    missing: u64,
}

// === impl Writer ===

impl Writer {
    /// Writes until it is told to stop, and then what is left.
    pub(crate) fn run(mut self) {
        self.sinks.iter_mut().for_each(|outlet| outlet.open(&self.figures));
        let mut unsynced: Option<Instant> = None;
        loop {
            let (decisions, control) = self.gather(unsynced.map(|since| SYNC.saturating_sub(since.elapsed())));
            let count = decisions.len() as u64;
            // A defect of rendering must not end the log. Who waits for an entry that is gone is refused.
            if catch_unwind(AssertUnwindSafe(|| self.write(decisions))).is_err() {
                self.figures.lost.fetch_add(count, Ordering::Relaxed);
                self.sinks.iter_mut().for_each(|outlet| outlet.missing += count);
                error!(missing = count, "the host panicked while it wrote decisions");
            }
            if count > 0 {
                unsynced.get_or_insert_with(Instant::now);
            }
            let is_last = matches!(control, Some(Message::Stop));
            if unsynced.is_some_and(|since| is_last || since.elapsed() >= SYNC) {
                self.sinks.iter_mut().for_each(|outlet| outlet.sync(&self.figures));
                unsynced = None;
            }
            match control {
                Some(Message::Reopen) => self.sinks.iter_mut().for_each(|outlet| outlet.sink.reopen()),
                Some(Message::Stop) => break,
                Some(Message::Decision(_)) | None => {}
            }
        }
        self.feed.close();
    }

    /// Waits for decisions, at most so long; gives those that are there, and what is asked for after them.
    fn gather(&self, patience: Option<Duration>) -> (Vec<Decision>, Option<Message>) {
        let mut decisions = Vec::new();
        match self.drain.next(patience) {
            Ok(Message::Decision(decision)) => decisions.push(decision),
            Ok(control @ (Message::Reopen | Message::Stop)) => return (decisions, Some(control)),
            Err(RecvTimeoutError::Timeout) => return (decisions, None),
            // Nobody is left who could add one.
            Err(RecvTimeoutError::Disconnected) => return (decisions, Some(Message::Stop)),
        }
        if !self.is_awaited {
            std::thread::sleep(GATHER);
        }
        while decisions.len() < BATCH {
            match self.drain.try_next() {
                Ok(Message::Decision(decision)) => decisions.push(decision),
                Ok(control @ (Message::Reopen | Message::Stop)) => return (decisions, Some(control)),
                Err(_) => break,
            }
        }
        (decisions, None)
    }

    fn write(&mut self, decisions: Vec<Decision>) {
        let dropped = self.figures.dropped.swap(0, Ordering::Relaxed);
        self.sinks.iter_mut().for_each(|outlet| outlet.missing += dropped);
        if decisions.is_empty() {
            return;
        }
        let write = |decision: Decision| overturned_if_given_up(decision.entry(&self.redactor));
        let mut entries: Vec<Entry> = decisions.into_iter().map(write).collect();
        let (required, others): (Vec<&mut Outlet>, Vec<&mut Outlet>) =
            self.sinks.iter_mut().partition(|outlet| outlet.is_required);
        let mut is_kept = true;
        for outlet in required {
            is_kept &= outlet.write(&entries, &self.figures);
        }
        for entry in &mut entries {
            settle(entry, is_kept, &self.figures);
        }
        self.feed.publish(entries.iter().map(PublishedRecord::of));
        for outlet in others {
            outlet.write(&entries, &self.figures);
        }
    }
}

/// A call whose answer is no longer waited for was denied.
fn overturned_if_given_up(mut entry: Entry) -> Entry {
    if entry.waits().as_ref().is_some_and(|waits| waits.is_closed()) {
        *entry.waits() = None;
        entry.overturn();
    }
    entry
}

/// Tells who waits whether the record is kept. Where it is not, it becomes that of the denial, for the other sinks.
fn settle(entry: &mut Entry, is_kept: bool, figures: &Statistics) {
    let Some(waits) = entry.waits().take() else { return };
    // Who waited may have given up in this very moment: the record then says that the call was allowed, and it was not.
    if is_kept {
        let _ = waits.send(());
        return;
    }
    drop(waits);
    figures.refused.fetch_add(1, Ordering::Relaxed);
    entry.overturn();
}

// === impl Outlet ===

impl Outlet {
    pub(crate) fn new(sink: Box<dyn Sink>, is_required: bool) -> Self {
        Self { sink, is_required, is_failing: false, missing: 0 }
    }

    fn open(&mut self, figures: &Statistics) {
        let _busy = figures.busy(self.sink.name());
        if let Err(error) = self.sink.open() {
            self.fail(&error, figures);
        }
    }

    /// Whether the records are written. A failure is told once, and so is its end.
    fn write(&mut self, entries: &[Entry], figures: &Statistics) -> bool {
        let count = entries.len() as u64;
        let _busy = figures.busy(self.sink.name());
        match self.sink.write(&Batch { entries, missing: self.missing }) {
            Ok(()) => {
                figures.written.fetch_add(count, Ordering::Relaxed);
                let missing = std::mem::take(&mut self.missing);
                if std::mem::take(&mut self.is_failing) {
                    info!(sink = self.sink.name(), missing, "the decision log is written again");
                    figures.set_problem(self.sink.name(), None);
                } else if missing > 0 {
                    tracing::warn!(sink = self.sink.name(), missing, "decisions are missing in the log");
                }
                true
            }
            Err(error) => {
                figures.lost.fetch_add(count, Ordering::Relaxed);
                self.missing += count;
                self.fail(&error, figures);
                false
            }
        }
    }

    fn sync(&mut self, figures: &Statistics) {
        let _busy = figures.busy(self.sink.name());
        if let Err(error) = self.sink.sync() {
            self.fail(&error, figures);
        }
    }

    fn fail(&mut self, error: &SinkError, figures: &Statistics) {
        figures.set_problem(self.sink.name(), Some(error.to_string()));
        if !std::mem::replace(&mut self.is_failing, true) {
            error!(sink = self.sink.name(), problem = %error, "the decision log cannot be written");
        }
    }
}
