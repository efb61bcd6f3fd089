//! The kernel's notices of what happens in the watched folders, and whose each one is.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher as _};
use portcullis_config::{DATA, POLICIES};
use tracing::warn;

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

/// The kernel's notices.
#[derive(Debug)]
pub(crate) struct Notices {
    /// None where the kernel refuses; then folders are only looked at.
    watcher: Option<RecommendedWatcher>,
}

/// What is known by notices of one policy folder, with its `policies` and `data`.
#[derive(Debug)]
pub(crate) struct Watched {
    dir: PathBuf,
    /// By device and inode: a folder that was replaced is another one.
    identities: [Option<(u64, u64)>; 3],
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
        let watcher = notify::recommended_watcher(noticed);
        let watcher = watcher.inspect_err(|error| warn!(%error, "changes cannot be noticed; folders are looked at"));
        Self { watcher: watcher.ok() }
    }

    /// A folder whose entries are watched, and nothing below.
    pub(crate) fn watch(&mut self, folder: &Path) {
        let Some(watcher) = self.watcher.as_mut().filter(|_| folder.is_dir()) else { return };
        if let Err(error) = watcher.watch(folder, RecursiveMode::NonRecursive) {
            warn!(%error, folder = %folder.display(), "changes of this folder are not noticed at once");
        }
    }

    fn unwatch(&mut self, folder: &Path) {
        if let Some(watcher) = &mut self.watcher {
            // It is not watched where it was replaced or removed.
            let _ = watcher.unwatch(folder);
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

    /// Watches anew what is no longer the folder that was watched; listens again when a penalty is over.
    pub(crate) fn refresh(&mut self, notices: &mut Notices) {
        if self.deaf_until.is_some_and(|until| Instant::now() < until) {
            return;
        }
        let again = self.deaf_until.take().is_some();
        for (folder, identity) in folders(&self.dir).iter().zip(&mut self.identities) {
            let is = identity_of(folder);
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

    /// The files that somebody is writing now.
    pub(crate) fn writing(&mut self) -> HashMap<PathBuf, Instant> {
        self.writing.retain(|path, last| last.elapsed() < WRITER_RESTS && is_plain_file(path));
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
fn is_plain_file(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|metadata| metadata.is_file())
}

/// Reading the folder is noticed too, and would never end.
fn tells_of_a_change(event: &Event) -> bool {
    !event.kind.is_access() || event.kind == EventKind::Access(AccessKind::Close(AccessMode::Write))
}

fn folders(dir: &Path) -> [PathBuf; 3] {
    [dir.to_owned(), dir.join(POLICIES), dir.join(DATA)]
}

fn identity_of(path: &Path) -> Option<(u64, u64)> {
    std::fs::metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}
