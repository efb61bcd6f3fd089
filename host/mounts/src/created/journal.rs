//! Keeps what registries take in, on a thread of its own: no decision waits for a disk.
//!
//! ```text
//! registry ── event, in a bounded queue ──> thread ── a line ──> created.journal
//!                                              └── now and then, all of every registry: a new file in its place
//! ```
//!
//! What could not be written is still in the registry: the file is made anew from all registries as soon as the disk takes that. Until
//! then, the file's head says whose events are missing, so that a host that starts with it shows what those tenants name, and it does
//! not know, as mounts that never resolve.

mod file;
mod read;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use tokio::sync::oneshot;
use tracing::{error, info, warn};

use self::file::{Head, JournalFile};
use self::read::read_all;
use super::event::Event;
use super::shards::Shards;

/// Events that wait to be written, and their bytes. What is more than that is written with all of its registry.
const WAITING: usize = 4096;
const WAITING_BYTES: usize = 16 << 20;
/// The file is made anew when so much was added, and twice as much as is needed.
const GROWTH: u64 = 1 << 20;
/// How often it is looked whether the file is still there.
const LOOK: Duration = Duration::from_secs(1);
/// A disk that failed is tried again after this, and less and less often.
const REST: Duration = Duration::from_millis(500);
const LONGEST_REST: Duration = Duration::from_secs(30);

/// Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Journal(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// None where there is no thread.
    orders: Option<SyncSender<Command>>,
    state: Arc<State>,
}

/// What the thread and those who hand over to it share.
#[derive(Debug, Default)]
struct State {
    /// Bytes of the events that wait.
    waiting: AtomicUsize,
    /// Whether the file has to be made anew.
    is_stale: AtomicBool,
    /// Why it could not be written when last tried.
    problem: ArcSwapOption<String>,
    /// What was missing when the host started.
    missing: Option<String>,
}

enum Command {
    Keep { listener: Arc<str>, number: u64, event: Event, kept: oneshot::Sender<()> },
    Close(std::sync::mpsc::Sender<()>),
}

/// The thread.
struct Writer {
    path: PathBuf,
    shards: Arc<Shards>,
    state: Arc<State>,
    file: Option<JournalFile>,
    head: Head,
    /// Up to which number each listener's events are in the file.
    written: HashMap<Arc<str>, u64>,
    again: Instant,
    rest: Duration,
}

// === impl Journal ===

impl Journal {
    /// Reads what the host before has kept, and begins a new file with it.
    pub(super) fn open(dir: &Path, shards: Arc<Shards>) -> Self {
        let path = dir.join(file::NAME);
        let missing = read_all(&path, &shards);
        if let Some(missing) = &missing {
            error!(problem = missing, "not all that containers and volumes were created with is known");
        }
        let state = Arc::new(State { missing, ..State::default() });
        let mut writer = Writer {
            path,
            shards,
            state: Arc::clone(&state),
            file: None,
            head: Head::default(),
            written: HashMap::new(),
            again: Instant::now(),
            rest: REST,
        };
        // What is wrong is told from the beginning.
        writer.renew();
        let (sender, orders) = sync_channel(WAITING);
        let started = std::thread::Builder::new().name("created".into()).spawn(move || writer.run(&orders));
        let orders = match started {
            Ok(_) => Some(sender),
            Err(error) => {
                let problem = format!("no thread to keep what containers are created with: {error}");
                state.problem.store(Some(Arc::new(problem)));
                None
            }
        };
        Self(Arc::new(Inner { orders, state }))
    }

    /// Hands over what a registry took in, under its lock. Answered when the kernel has it; none where that cannot be waited for.
    pub(super) fn keep(&self, listener: &Arc<str>, (number, event): (u64, Event)) -> Option<oneshot::Receiver<()>> {
        let Inner { orders, state } = &*self.0;
        let size = event.size();
        if state.waiting.load(Ordering::Relaxed) + size > WAITING_BYTES {
            state.is_stale.store(true, Ordering::Relaxed);
            return None;
        }
        let (kept, receiver) = oneshot::channel();
        state.waiting.fetch_add(size, Ordering::Relaxed);
        match orders.as_ref()?.try_send(Command::Keep { listener: Arc::clone(listener), number, event, kept }) {
            Ok(()) => state.problem.load().is_none().then_some(receiver),
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                state.waiting.fetch_sub(size, Ordering::Relaxed);
                state.is_stale.store(true, Ordering::Relaxed);
                None
            }
        }
    }

    pub(super) fn problems(&self) -> Vec<(&'static str, String)> {
        let state = &self.0.state;
        let problem = state.problem.load().as_deref().cloned().map(|problem| ("created", problem));
        problem.into_iter().chain(state.missing.clone().map(|missing| ("forgotten", missing))).collect()
    }

    /// Ready when all is written that was handed over, or cannot be.
    pub(super) fn close(&self) {
        let (done, closed) = std::sync::mpsc::channel();
        let sent = self.0.orders.as_ref().is_some_and(|orders| orders.send(Command::Close(done)).is_ok());
        if sent {
            // An error means that the thread has ended.
            let _ = closed.recv();
        }
    }
}

// === impl Writer ===

impl Writer {
    fn run(mut self, orders: &Receiver<Command>) {
        loop {
            let first = match orders.recv_timeout(if self.is_stale() { REST } else { LOOK }) {
                Ok(order) => Some(order),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            if first.is_none() && self.file.as_ref().is_some_and(|file| !file.is_at(&self.path)) {
                warn!(path = %self.path.display(), "the file was removed or replaced; it is made anew");
                self.state.is_stale.store(true, Ordering::Relaxed);
            }
            let (mut batch, mut closing) = (Vec::new(), None);
            let mut next = first;
            while let Some(order) = next {
                match order {
                    Command::Keep { listener, number, event, kept } => batch.push((listener, number, event, kept)),
                    Command::Close(done) => closing = Some(done),
                }
                next = if batch.len() < WAITING { orders.try_recv().ok() } else { None };
            }
            self.keep(batch);
            if self.is_stale() && (closing.is_some() || Instant::now() >= self.again) {
                self.renew();
            }
            if let Some(done) = closing {
                self.end();
                // An error means that nobody waits any more.
                let _ = done.send(());
                return;
            }
        }
    }

    fn is_stale(&self) -> bool {
        self.state.is_stale.load(Ordering::Relaxed)
    }

    /// Adds what is not in the file yet.
    fn keep(&mut self, batch: Vec<(Arc<str>, u64, Event, oneshot::Sender<()>)>) {
        if batch.is_empty() {
            return;
        }
        let (mut lines, mut waiting) = (Vec::new(), Vec::new());
        for (listener, number, event, _) in &batch {
            self.state.waiting.fetch_sub(event.size(), Ordering::Relaxed);
            if self.written.get(listener).is_none_or(|written| number > written) {
                lines.extend(file::line(listener, event));
                waiting.push((listener, *number, event));
            }
        }
        let added = match &mut self.file {
            Some(file) if !self.state.is_stale.load(Ordering::Relaxed) => file.add(&lines),
            _ => Err(io::Error::other("the file is to be made anew")),
        };
        match added {
            Ok(()) => {
                for (listener, number, _) in waiting {
                    self.written.insert(Arc::clone(listener), number);
                }
                for (.., kept) in batch {
                    // An error means that nobody waits any more.
                    let _ = kept.send(());
                }
                let file = self.file.as_ref();
                let synced = file.map_or(Ok(()), JournalFile::sync);
                if let Err(error) = synced {
                    self.failed(&error);
                }
                if self.file.as_ref().is_some_and(JournalFile::has_grown) {
                    self.state.is_stale.store(true, Ordering::Relaxed);
                }
            }
            Err(error) => {
                for (listener, _, event) in waiting {
                    self.head.miss(listener, event.tenant());
                }
                if !self.is_stale() {
                    self.failed(&error);
                }
                self.mark();
            }
        }
    }

    /// Says in the file's head whose events it does not have: that takes no room.
    fn mark(&mut self) {
        if let Some(file) = &mut self.file
            && let Err(error) = file.set_head(&self.head)
        {
            warn!(%error, path = %self.path.display(), "it cannot even be noted whose containers and volumes are not kept");
        }
    }

    /// Makes the file anew, with all that is known.
    fn renew(&mut self) {
        // What comes from now on is either in the registries by the time that they are read, or makes it stale again.
        self.state.is_stale.store(false, Ordering::Relaxed);
        match self.write_all() {
            Ok((file, written)) => {
                if self.state.problem.swap(None).is_some() {
                    info!(path = %self.path.display(), "what containers and volumes are created with is kept again");
                }
                (self.file, self.written, self.rest) = (Some(file), written, REST);
                // A registry has what it lost itself.
                self.head.clear();
            }
            Err(error) => self.failed(&error),
        }
    }

    fn write_all(&mut self) -> io::Result<(JournalFile, HashMap<Arc<str>, u64>)> {
        let mut written = HashMap::new();
        let head = Head { is_damaged: self.shards.is_damaged(), ..Head::default() };
        let mut new = file::Unfinished::create(&self.path, &head)?;
        for shard in self.shards.all() {
            let (number, events) = shard.locked().snapshot();
            for event in &events {
                new.add(shard.name(), event)?;
            }
            written.insert(Arc::clone(shard.name()), number);
        }
        Ok((new.finish(&self.path)?, written))
    }

    fn failed(&mut self, error: &io::Error) {
        self.state.is_stale.store(true, Ordering::Relaxed);
        self.again = Instant::now() + self.rest;
        self.rest = (self.rest * 2).min(LONGEST_REST);
        let problem = format!(
            "`{}` cannot be written: {error}; what containers and volumes are created with from now on is not known after a restart, \
             and what their tenants then name and the host does not know never resolves",
            self.path.display()
        );
        let before = self.state.problem.swap(Some(Arc::new(problem.clone())));
        if before.is_none_or(|before| *before != problem) {
            error!(problem, "the host decides all the same");
        }
    }

    /// The next host has the file.
    fn end(&mut self) {
        if let Some(file) = self.file.take()
            && let Err(error) = file.sync()
        {
            warn!(%error, "what containers and volumes are created with may not be on the disk");
        }
    }
}
