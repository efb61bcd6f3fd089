//! Looks every second at what may go away or run out under a host: sockets, the store's file, room on its disk, the
//! folder of compiled policies. On a thread of its own, for a file system may hang; whoever asks gets what was found last.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use portcullis_config::Config;
use portcullis_mounts::created::Created;
use portcullis_state::Store;
use rustix::fs::{Access, access, statvfs};
use tracing::{error, info};

use crate::health::Found;

/// How often it is looked.
const LOOK: Duration = Duration::from_secs(1);
/// Whoever has not come back for this long hangs.
const HANGS: Duration = Duration::from_secs(30);
/// Less room than this on the store's disk is warned of.
const LITTLE: u64 = 16 << 20;
/// With so much room, a disk is no longer taken for full.
const ROOM: u64 = 1 << 20;

/// What was found last. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Inspector(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    found: ArcSwap<Vec<Found>>,
    looked: Mutex<Instant>,
    /// Of the store's disk; `u64::MAX` where that cannot be told.
    free: AtomicU64,
}

/// What is looked at.
#[derive(Debug)]
pub struct Inspected {
    state_dir: PathBuf,
    cache_dir: PathBuf,
    store: Store,
    created: Created,
    sockets: Vec<Socket>,
}

/// A socket's file.
#[derive(Debug)]
struct Socket {
    /// The listener's name; none of the operator's.
    listener: Option<String>,
    path: PathBuf,
    /// Device and inode of the host's own, which lies there when it is looked for the first time.
    identity: Option<(u64, u64)>,
}

/// Ends the thread when it is dropped.
#[derive(Debug)]
pub struct Inspection(#[expect(dead_code, reason = "its end is what counts")] Sender<()>);

// === impl Inspected ===

impl Inspected {
    pub fn new(config: &Config, store: &Store, created: &Created) -> Self {
        let (state_dir, cache_dir) = (config.state_dir.clone(), config.cache_dir.clone());
        let of_listeners =
            config.listeners.iter().map(|listener| Socket::new(Some(listener.name.clone()), &listener.socket));
        let sockets = of_listeners.chain([Socket::new(None, &config.admin_socket)]).collect();
        Self { state_dir, cache_dir, store: store.clone(), created: created.clone(), sockets }
    }
}

// === impl Inspector ===

impl Inspector {
    /// Looks once, and then every second.
    pub fn start(inspected: Inspected) -> std::io::Result<(Self, Inspection)> {
        let (sender, stopped) = channel();
        let inspector = Self(Arc::new(Inner {
            found: ArcSwap::default(),
            looked: Mutex::new(Instant::now()),
            free: u64::MAX.into(),
        }));
        let own = inspector.clone();
        std::thread::Builder::new().name("inspect".into()).spawn(move || own.run(inspected, &stopped))?;
        Ok((inspector, Inspection(sender)))
    }

    /// Everything that was found last.
    pub fn found(&self) -> Vec<Found> {
        let mut found = Vec::clone(&self.0.found.load());
        let silent = self.0.looked.lock().unwrap_or_else(PoisonError::into_inner).elapsed();
        if silent > HANGS {
            let problem = format!(
                "the host has looked at its files for {} s, and is not told what is there: does a file system hang?",
                silent.as_secs()
            );
            found.push(Found::warning("folder", "", problem));
        }
        found
    }

    /// Bytes that are free on the store's disk; none where that cannot be told.
    pub(crate) fn free(&self) -> Option<u64> {
        Some(self.0.free.load(Ordering::Relaxed)).filter(|free| *free != u64::MAX)
    }

    fn run(&self, mut inspected: Inspected, stopped: &Receiver<()>) {
        loop {
            let found = self.look(&mut inspected);
            let before = self.0.found.load();
            for Found { finding, .. } in found.iter().filter(|found| !before.iter().any(|known| known.is_like(found))) {
                error!(what = finding.what, name = finding.name, problem = finding.problem, "something is wrong");
            }
            for Found { finding, .. } in before.iter().filter(|known| !found.iter().any(|found| found.is_like(known))) {
                info!(what = finding.what, name = finding.name, was = finding.problem, "it is well again");
            }
            self.0.found.store(Arc::new(found));
            *self.0.looked.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
            match stopped.recv_timeout(LOOK) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn look(&self, inspected: &mut Inspected) -> Vec<Found> {
        let Inspected { state_dir, cache_dir, store, created, sockets } = inspected;
        let mut found: Vec<_> = sockets.iter_mut().filter_map(Socket::look).collect();
        let free = statvfs(state_dir.as_path()).ok().map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize));
        self.0.free.store(free.unwrap_or(u64::MAX), Ordering::Relaxed);
        if free.is_some_and(|free| free >= ROOM) {
            store.has_room();
        }
        found.extend(little_room(state_dir, free));
        found.extend(store.lost_file().map(|problem| Found::warning("state", "file", problem)));
        found.extend(created.problems().into_iter().map(|(name, problem)| Found::warning("state", name, problem)));
        found.extend(writable_by_others("state", state_dir));
        found.extend(writable_by_others("cache", cache_dir));
        found.extend(unwritable_cache(cache_dir));
        found
    }
}

fn little_room(dir: &Path, free: Option<u64>) -> Option<Found> {
    let free = free.filter(|free| *free < LITTLE)?;
    let problem = format!(
        "{}: its disk has {} KiB left; when it is full, changes of what policies keep are refused",
        dir.display(),
        free >> 10
    );
    Some(Found::warning("state", "room", problem))
}

/// Who can write there can run code in the host, or change what policies keep.
fn writable_by_others(what: &str, dir: &Path) -> Option<Found> {
    let folder = fs::metadata(dir).ok()?;
    let is_foreign = folder.uid() != 0 && folder.uid() != rustix::process::geteuid().as_raw();
    let problem = if is_foreign {
        format!("{}: belongs to user {}; `chown` it", dir.display(), folder.uid())
    } else if folder.mode() & 0o022 != 0 {
        format!("{}: users other than its owner can write it; `chmod go-w` it", dir.display())
    } else {
        return None;
    };
    Some(Found::warning("permissions", what, problem))
}

fn unwritable_cache(dir: &Path) -> Option<Found> {
    let problem = access(dir, Access::WRITE_OK | Access::EXEC_OK).err()?;
    let problem = format!("{}: cannot be written: {problem}; each start compiles every policy again", dir.display());
    Some(Found::warning("cache", "", problem))
}

// === impl Socket ===

impl Socket {
    fn new(listener: Option<String>, path: &Path) -> Self {
        Self { listener, path: path.to_owned(), identity: None }
    }

    fn look(&mut self) -> Option<Found> {
        let there = match fs::symlink_metadata(&self.path) {
            Ok(there) => Ok((there.dev(), there.ino())),
            Err(error) if error.kind() == ErrorKind::NotFound => Err("it was removed".to_owned()),
            Err(error) => Err(format!("it cannot be looked at: {error}")),
        };
        let problem = match there {
            Ok(there) if *self.identity.get_or_insert(there) == there => return None,
            Ok(_) => "something else lies in its place".to_owned(),
            Err(problem) => problem,
        };
        let problem =
            format!("{}: {problem}, so the host cannot be reached there; restart the host", self.path.display());
        Some(match &self.listener {
            // dockerd denies every call that it cannot ask about.
            Some(listener) => Found { denies: true, ..Found::warning("socket", listener, problem) },
            None => Found::warning("socket", "admin", problem),
        })
    }
}
