//! Notices that the folder changed, and has it read when it is quiet.
//!
//! The kernel's notices are the fast way. They can be lost (a queue that runs over, a symlink's target elsewhere, a
//! folder that was replaced), so the folder is also looked at every now and then.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::oneshot;
use tracing::{info, warn};

use crate::policies::loader::Loader;
use crate::policies::set::Live;

/// The folder is read when nothing happened for this long …
const QUIET: Duration = Duration::from_millis(10);
/// … or this long after the first change, whatever happens.
const AT_MOST: Duration = Duration::from_millis(50);
/// A file that is open for writing is left alone for this long after it was last written.
const WRITER_RESTS: Duration = Duration::from_secs(1);
/// How often the folder is looked at without notice.
const LOOK: Duration = Duration::from_secs(2);
/// How often it is looked at while it is changing.
const LOOK_UNSETTLED: Duration = Duration::from_millis(20);

/// Keeps the set in force that the folder shows. Dropping it stops the watching.
#[derive(Debug)]
pub struct Watch {
    messages: Sender<Message>,
}

#[derive(Debug)]
enum Message {
    Noticed(notify::Result<Event>),
    /// Rescan now; answered when what was found is in force.
    Reload(oneshot::Sender<()>),
    Stop,
}

struct Observer {
    dir: PathBuf,
    loader: Loader,
    live: Arc<Live>,
    sender: Sender<Message>,
    messages: Receiver<Message>,
    /// None where the kernel refuses; then the folder is only looked at.
    notices: Option<RecommendedWatcher>,
    /// What is watched, by device and inode: a folder that was replaced is another one.
    watched: Vec<Option<(u64, u64)>>,
    /// Files that were written and not yet closed.
    writing: HashMap<PathBuf, Instant>,
}

// === impl Watch ===

impl Watch {
    /// Reads the folder for the first time, and then whenever it changes.
    pub fn start(dir: &Path, loader: impl FnOnce() -> Loader + Send + 'static) -> std::io::Result<(Self, Arc<Live>)> {
        let (sender, messages) = channel();
        let (ready, first) = channel();
        let (dir, own) = (dir.to_owned(), sender.clone());
        std::thread::Builder::new().name("policies".into()).spawn(move || {
            // Watching comes first: what changes while the folder is read for the first time is then noticed.
            let (notices, watched) = watch(&dir, &own);
            let mut loader = loader();
            let live = Arc::new(Live::new(loader.first_set()));
            announce(&live);
            if ready.send(Arc::clone(&live)).is_ok() {
                let writing = HashMap::new();
                Observer { dir, loader, live, sender: own, messages, notices, watched, writing }.run();
            }
        })?;
        let live =
            first.recv().map_err(|_| std::io::Error::other("policies could not be loaded for the first time"))?;
        Ok((Self { messages: sender }, live))
    }

    /// Rescans, trying again what was broken. Ready when what was found is in force.
    pub async fn reload(&self) {
        let (sender, done) = oneshot::channel();
        if self.messages.send(Message::Reload(sender)).is_ok() {
            // An error means that the host is stopping.
            let _ = done.await;
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // An error means that the thread has ended already.
        let _ = self.messages.send(Message::Stop);
    }
}

// === impl Observer ===

impl Observer {
    fn run(mut self) {
        let mut wait = LOOK;
        loop {
            let mut waiting = Vec::new();
            match self.messages.recv_timeout(wait) {
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(message) => {
                    self.take(message, &mut waiting);
                    if self.settle(&mut waiting).is_err() {
                        return;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            self.watch_again();
            if !waiting.is_empty() {
                self.loader.retry();
            }
            wait = if self.rescan() { LOOK_UNSETTLED } else { LOOK };
            for reloaded in waiting {
                // An error means that nobody waits any more.
                let _ = reloaded.send(());
            }
        }
    }

    /// Takes messages until it is quiet.
    fn settle(&mut self, waiting: &mut Vec<oneshot::Sender<()>>) -> Result<(), ()> {
        let deadline = Instant::now() + AT_MOST;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.messages.recv_timeout(QUIET.min(left)) {
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => return Err(()),
                Ok(message) => self.take(message, waiting),
                Err(RecvTimeoutError::Timeout) => return Ok(()),
            }
        }
    }

    fn take(&mut self, message: Message, waiting: &mut Vec<oneshot::Sender<()>>) {
        match message {
            Message::Noticed(Ok(event)) => self.note(event),
            Message::Noticed(Err(error)) => warn!(%error, "changes may have gone unnoticed"),
            Message::Reload(sender) => waiting.push(sender),
            Message::Stop => {}
        }
    }

    /// Remembers who is in the middle of writing.
    fn note(&mut self, event: Event) {
        let is_written =
            event.kind.is_create() || matches!(event.kind, EventKind::Modify(ModifyKind::Data(_) | ModifyKind::Any));
        let is_done = event.kind.is_remove()
            || matches!(event.kind, EventKind::Modify(ModifyKind::Name(_)))
            || event.kind == EventKind::Access(AccessKind::Close(AccessMode::Write));
        if is_written {
            self.writing.extend(event.paths.into_iter().map(|path| (path, Instant::now())));
        } else if is_done {
            for path in &event.paths {
                self.writing.remove(path);
            }
        }
    }

    /// Says whether a file is still being written.
    fn rescan(&mut self) -> bool {
        self.writing.retain(|path, last| last.elapsed() < WRITER_RESTS && is_plain_file(path));
        let writing = &self.writing;
        let rescan = self.loader.rescan(&|path| writing.contains_key(path));
        if let Some(set) = rescan.set {
            self.live.publish(set);
            announce(&self.live);
        }
        rescan.unsettled
    }

    /// Watches anew where a folder is no longer the one that was watched.
    fn watch_again(&mut self) {
        if identities(&self.dir) != self.watched || self.notices.is_none() {
            (self.notices, self.watched) = watch(&self.dir, &self.sender);
        }
    }
}

/// A symlink is made in one step and never closed; a folder likewise.
fn is_plain_file(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|metadata| metadata.is_file())
}

fn announce(live: &Live) {
    let set = live.load();
    let broken = set.policies.iter().filter(|member| member.policy.is_err()).count();
    let (policies, documents) = (set.policies.len(), set.data.as_ref().map_or(0, |data| data.names().len()));
    info!(generation = set.generation.0, policies, broken, documents, "generation published");
}

/// Reading the folder is noticed too, and would never end.
fn tells_of_a_change(event: &Event) -> bool {
    !event.kind.is_access() || event.kind == EventKind::Access(AccessKind::Close(AccessMode::Write))
}

fn folders(dir: &Path) -> [PathBuf; 3] {
    [dir.to_owned(), dir.join(crate::config::POLICIES), dir.join(crate::config::DATA)]
}

fn identities(dir: &Path) -> Vec<Option<(u64, u64)>> {
    use std::os::unix::fs::MetadataExt;
    let identity = |path: PathBuf| std::fs::metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()));
    folders(dir).into_iter().map(identity).collect()
}

fn watch(dir: &Path, sender: &Sender<Message>) -> (Option<RecommendedWatcher>, Vec<Option<(u64, u64)>>) {
    let watched = identities(dir);
    let sender = sender.clone();
    let noticed = move |event: notify::Result<Event>| {
        if event.as_ref().map_or(true, tells_of_a_change) {
            // An error means that the host is stopping.
            let _ = sender.send(Message::Noticed(event));
        }
    };
    let mut notices = match notify::recommended_watcher(noticed) {
        Ok(notices) => notices,
        Err(error) => {
            warn!(%error, "changes cannot be noticed; the folder is looked at every {} s", LOOK.as_secs());
            return (None, watched);
        }
    };
    for folder in folders(dir).iter().filter(|folder| folder.is_dir()) {
        if let Err(error) = notices.watch(folder, RecursiveMode::NonRecursive) {
            warn!(%error, folder = %folder.display(), "changes of this folder are not noticed at once");
        }
    }
    (Some(notices), watched)
}
