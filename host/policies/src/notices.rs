//! The kernel's notices of what happens in the watched folders, and whose each one is.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher as _};
use portcullis_config::{DATA, POLICIES};
use tracing::warn;

use crate::probe::ANSWERS_WITHIN;

/// A file that is open for writing is left alone for this long after it was last written.
const WRITER_RESTS: Duration = Duration::from_secs(1);
/// Notices of one folder in a second: who makes more is not listened to for a while, so that the kernel's queue, which
/// all share, does not run over.
const FLOOD: u32 = 2_000;
const WINDOW: Duration = Duration::from_secs(1);
const FIRST_PENALTY: Duration = Duration::from_secs(1);
const LONGEST_PENALTY: Duration = Duration::from_secs(32);
/// Files that are being written and known of at once.
const MAX_WRITING: usize = 4096;
/// Folders that wait to be watched.
const COMMANDS: usize = 1024;

/// The kernel's notices. A thread of its own asks for them: to watch a folder is to look it up, and its file system may not answer.
#[derive(Debug)]
pub(crate) struct Notices {
    /// None where the kernel refuses; then folders are only looked at.
    commands: Option<SyncSender<Command>>,
    /// What the thread has not come to its end with in time.
    behind: Option<Receiver<()>>,
}

#[derive(Debug)]
enum Command {
    /// Dropped when it is watched.
    Watch(PathBuf, SyncSender<()>),
    Unwatch(PathBuf),
}

/// Of a folder, its `policies` and its `data`: device and inode.
pub(crate) type Identities = [Option<(u64, u64)>; 3];

/// What is known by notices of one policy folder, with its `policies` and `data`.
#[derive(Debug)]
pub(crate) struct Watched {
    dir: PathBuf,
    /// By device and inode: a folder that was replaced is another one.
    identities: Identities,
    /// Files that were written and not yet closed.
    writing: HashMap<PathBuf, Instant>,
    /// Since when notices are counted, and how many there were.
    window: (Instant, u32),
    penalty: Duration,
    /// Until when it is not listened to.
    deaf_until: Option<Instant>,
}

// === impl Notices ===

impl Notices {
    /// `notice` is called on a thread of its own.
    pub(crate) fn new(notice: impl Fn(notify::Result<Event>) + Send + 'static) -> Self {
        let noticed = move |event: notify::Result<Event>| {
            if event.as_ref().map_or(true, tells_of_a_change) {
                notice(event);
            }
        };
        let (commands, waiting) = sync_channel(COMMANDS);
        let started = notify::recommended_watcher(noticed).map_err(|error| error.to_string()).and_then(|watcher| {
            let run = move || obey(watcher, &waiting);
            std::thread::Builder::new().name("watch".into()).spawn(run).map_err(|error| error.to_string())
        });
        let started = started.inspect_err(|error| warn!(error, "changes cannot be noticed; folders are looked at"));
        Self { commands: started.ok().map(|_| commands), behind: None }
    }

    /// A folder whose entries are watched, and nothing below. It is by the time that this returns, unless a file system does not answer:
    /// until it does, folders are only looked at.
    pub(crate) fn watch(&mut self, folder: &Path) {
        let (done, watched) = sync_channel(0);
        self.send(Command::Watch(folder.to_owned(), done));
        if self.behind.as_ref().is_some_and(|behind| behind.try_recv() == Err(TryRecvError::Empty)) {
            return;
        }
        let in_time = watched.recv_timeout(ANSWERS_WITHIN) != Err(RecvTimeoutError::Timeout);
        self.behind = if in_time { None } else { Some(watched) };
    }

    fn unwatch(&mut self, folder: &Path) {
        self.send(Command::Unwatch(folder.to_owned()));
    }

    fn send(&self, command: Command) {
        if let Some(commands) = &self.commands
            && commands.try_send(command).is_err()
        {
            warn!("changes of a folder are not noticed at once: a file system does not answer");
        }
    }
}

fn obey(mut watcher: RecommendedWatcher, commands: &Receiver<Command>) {
    for command in commands {
        match command {
            Command::Watch(folder, _done) => {
                if folder.is_dir()
                    && let Err(error) = watcher.watch(&folder, RecursiveMode::NonRecursive)
                {
                    warn!(%error, folder = %folder.display(), "changes of this folder are not noticed at once");
                }
            }
            // It is not watched where it was replaced or removed.
            Command::Unwatch(folder) => drop(watcher.unwatch(&folder)),
        }
    }
}

// === impl Watched ===

impl Watched {
    /// One that is not watched before [`Self::refresh`].
    pub(crate) fn unseen(dir: PathBuf) -> Self {
        Self {
            identities: [None; 3],
            dir,
            writing: HashMap::new(),
            window: (Instant::now(), 0),
            penalty: FIRST_PENALTY,
            deaf_until: None,
        }
    }

    /// Watches anew what is no longer the folder that was watched, by what [`identities`] found; listens again when a penalty is over.
    pub(crate) fn refresh(&mut self, found: Identities, notices: &mut Notices) {
        if self.deaf_until.is_some_and(|until| Instant::now() < until) {
            return;
        }
        let again = self.deaf_until.take().is_some();
        for ((folder, identity), is) in folders(&self.dir).iter().zip(&mut self.identities).zip(found) {
            if again || is != *identity {
                notices.unwatch(folder);
                notices.watch(folder);
                *identity = is;
            }
        }
    }

    pub(crate) fn forget(self, notices: &mut Notices) {
        folders(&self.dir).iter().for_each(|folder| notices.unwatch(folder));
    }

    /// Takes a notice. Remembers who is in the middle of writing; stops listening to a flood.
    pub(crate) fn note(&mut self, event: Event, notices: &mut Notices) {
        if self.is_flood() {
            if self.deaf_until.is_none() {
                folders(&self.dir).iter().for_each(|folder| notices.unwatch(folder));
                self.deaf_until = Some(Instant::now() + self.penalty);
                let (dir, seconds) = (self.dir.display(), self.penalty.as_secs());
                warn!(%dir, "changes too often; its changes are noticed again in {seconds} s");
                self.penalty = (self.penalty * 2).min(LONGEST_PENALTY);
            }
            return;
        }
        let is_written =
            event.kind.is_create() || matches!(event.kind, EventKind::Modify(ModifyKind::Data(_) | ModifyKind::Any));
        let is_done = event.kind.is_remove()
            || matches!(event.kind, EventKind::Modify(ModifyKind::Name(_)))
            || event.kind == EventKind::Access(AccessKind::Close(AccessMode::Write));
        if is_written && self.writing.len() < MAX_WRITING {
            self.writing.extend(event.paths.into_iter().map(|path| (path, Instant::now())));
        } else if is_done {
            for path in &event.paths {
                self.writing.remove(path);
            }
        }
    }

    /// What somebody is writing now, if it is a file.
    pub(crate) fn writing(&mut self) -> HashMap<PathBuf, Instant> {
        self.writing.retain(|_, last| last.elapsed() < WRITER_RESTS);
        self.writing.clone()
    }

    fn is_flood(&mut self) -> bool {
        let (since, count) = &mut self.window;
        if since.elapsed() > WINDOW {
            if *count < FLOOD / 2 && self.deaf_until.is_none() {
                self.penalty = FIRST_PENALTY;
            }
            (*since, *count) = (Instant::now(), 0);
        }
        *count = count.saturating_add(1);
        *count > FLOOD
    }
}

/// A symlink is made in one step and never closed; a folder likewise.
pub(crate) fn is_plain_file(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|metadata| metadata.is_file())
}

/// Reading the folder is noticed too, and would never end.
fn tells_of_a_change(event: &Event) -> bool {
    !event.kind.is_access() || event.kind == EventKind::Access(AccessKind::Close(AccessMode::Write))
}

fn folders(dir: &Path) -> [PathBuf; 3] {
    [dir.to_owned(), dir.join(POLICIES), dir.join(DATA)]
}

/// Which folders these are now.
pub(crate) fn identities(dir: &Path) -> Identities {
    folders(dir).map(|folder| identity_of(&folder))
}

fn identity_of(path: &Path) -> Option<(u64, u64)> {
    std::fs::metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}
