//! What waits to be logged: so many decisions, of so many bytes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::time::Duration;

use crate::entry::Entry;
use crate::event::DecisionEvent;
use crate::redact::Redactor;

/// Decisions that may wait.
const ENTRIES: usize = 16_384;
/// Bytes that they may hold together.
const BYTES: usize = 64 << 20;
/// Where more bytes wait than this, the log's thread is behind.
const BEHIND: usize = 8 << 20;

/// The end that takes decisions. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Queue {
    messages: SyncSender<Message>,
    bytes: Arc<AtomicUsize>,
}

/// The end that gives them.
#[derive(Debug)]
pub(crate) struct Drain {
    messages: Receiver<Message>,
    bytes: Arc<AtomicUsize>,
}

#[derive(Debug)]
pub(crate) enum Message {
    Decision(Decision),
    /// Open what is written to anew.
    Reopen,
    Stop,
}

/// A decision that waits: its record is written by now, or not yet.
#[derive(Debug)]
pub(crate) enum Decision {
    DecisionEvent(Box<DecisionEvent>),
    Entry(Box<Entry>),
}

pub(crate) fn queue() -> (Queue, Drain) {
    let (sender, messages) = sync_channel(ENTRIES);
    let bytes = Arc::new(AtomicUsize::new(0));
    (Queue { messages: sender, bytes: Arc::clone(&bytes) }, Drain { messages, bytes })
}

// === impl Decision ===

impl Decision {
    /// Its record.
    pub(crate) fn entry(self, redactor: &Redactor) -> Entry {
        match self {
            Self::DecisionEvent(event) => Entry::new(*event, redactor),
            Self::Entry(entry) => *entry,
        }
    }

    fn weight(&self) -> usize {
        match self {
            Self::DecisionEvent(event) => event.weight(),
            Self::Entry(entry) => entry.weight(),
        }
    }
}

// === impl Queue ===

impl Queue {
    /// Whether the log's thread does not keep up with what is decided.
    pub(crate) fn is_behind(&self) -> bool {
        self.bytes.load(Ordering::Relaxed) > BEHIND
    }

    /// Takes a decision. False where there is no room, or nobody who would write it.
    pub(crate) fn push(&self, decision: Decision) -> bool {
        let weight = decision.weight();
        // A moment's excess does no harm, and so one step must do.
        let has_room = self.bytes.fetch_add(weight, Ordering::Relaxed) <= BYTES;
        let is_taken = has_room && self.messages.try_send(Message::Decision(decision)).is_ok();
        if !is_taken {
            self.bytes.fetch_sub(weight, Ordering::Relaxed);
        }
        is_taken
    }

    /// Asks for something else, unless the queue is full: whoever asks must not wait for a disk. Then the file is opened anew with the
    /// next batch, if it was moved away.
    pub(crate) fn ask_soon(&self, message: Message) {
        let _ = self.messages.try_send(message);
    }

    /// Asks for something else, and waits for room.
    pub(crate) fn ask(&self, message: Message) {
        // An error means that nobody is left to do it.
        let _ = self.messages.send(message);
    }
}

// === impl Drain ===

impl Drain {
    /// Waits for the next message, at most so long.
    pub(crate) fn next(&self, patience: Option<Duration>) -> Result<Message, RecvTimeoutError> {
        let next = match patience {
            Some(patience) => self.messages.recv_timeout(patience),
            None => self.messages.recv().map_err(RecvTimeoutError::from),
        };
        next.inspect(|message| self.taken(message))
    }

    /// The next message, if it is there.
    pub(crate) fn try_next(&self) -> Result<Message, TryRecvError> {
        self.messages.try_recv().inspect(|message| self.taken(message))
    }

    fn taken(&self, message: &Message) {
        if let Message::Decision(decision) = message {
            self.bytes.fetch_sub(decision.weight(), Ordering::Relaxed);
        }
    }
}
