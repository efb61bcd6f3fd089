//! The store's file: opened, checked, opened again after the disk failed, and given up when it is damaged.
//!
//! Every page is verified whenever the file is opened, and every commit is one of two phases ([`crate::writer`]):
//! so the last commit that was answered is whole, redb never falls back to the one before it, and what does not verify
//! is damage and not a crash. What remains is one byte, which no checksum covers: the header's choice between the last
//! two commits. Where just that is damaged, in the file of a host that was killed, the last commit is lost unseen.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError};
use std::time::{Duration, Instant};

use portcullis_model::fault::StateFault;
use redb::backends::FileBackend;
use redb::{Builder, Database, DatabaseError};
use tracing::{error, info, warn};

use crate::aside::{self, FILE};
use crate::cache::Cache;
use crate::failure::{Failure, guarded};
use crate::tables::prepare;

/// A store that is being made. It gets its name when it is whole, so that an empty `state.redb` is always damage.
const UNFINISHED: &str = "state.redb.new";
/// How long another host may hold the file before it counts as one that lives.
const LOCK_TIMEOUT: Duration = Duration::from_secs(2);
const LOCK_AGAIN: Duration = Duration::from_millis(20);
/// What of the file is held in memory. Verifying reads all of it.
const CACHE_BYTES: usize = 64 << 20;
/// How long a disk that failed is left alone.
pub(crate) const REST: Duration = Duration::from_millis(500);

/// The file, and what is said while it does not serve.
#[derive(Debug)]
pub(crate) struct Base {
    dir: PathBuf,
    condition: RwLock<Condition>,
    /// Whether the last failure was for want of room.
    is_full: AtomicBool,
    /// What was read of the open file. Changed by whoever changes that.
    cache: Cache,
}

#[derive(Debug)]
enum Condition {
    Open(Opened),
    /// It is tried again when somebody asks, but not before `again`: the file that was open before, where one was.
    Shut {
        problem: String,
        file: Option<fs::File>,
        again: Instant,
    },
    /// It is the operator's turn.
    Lost(String),
}

#[derive(Debug)]
struct Opened {
    database: Closing,
    /// The same file, whatever has its name meanwhile.
    file: fs::File,
    /// Tells it from what was opened before and after.
    number: u64,
}

/// A database whose end must not take the host along either: redb writes when it closes.
#[derive(Debug)]
struct Closing(Option<Database>);

// === impl Base ===

impl Base {
    /// Opens the store in a folder, making both where they are not there.
    pub(crate) fn open(dir: &Path) -> Self {
        Self::with_condition(dir, Condition::of(dir, LOCK_TIMEOUT))
    }

    /// One that is opened later ([`Self::open_now`]): another host has the file still.
    pub(crate) fn later(dir: &Path) -> Self {
        Self::with_condition(dir, Condition::Lost("another host has it still".to_owned()))
    }

    pub(crate) fn open_now(&self) {
        *self.locked_for_change() = Condition::of(&self.dir, LOCK_TIMEOUT);
    }

    /// Closes the file for good, after what is under way: the next host has it.
    pub(crate) fn close(&self) {
        *self.locked_for_change() = Condition::Lost("the next host has it".to_owned());
    }

    /// One that never serves.
    pub(crate) fn lost(problem: &str) -> Self {
        Self::with_condition(Path::new(""), Condition::Lost(problem.to_owned()))
    }

    fn with_condition(dir: &Path, condition: Condition) -> Self {
        Self {
            dir: dir.to_owned(),
            condition: RwLock::new(condition),
            is_full: AtomicBool::new(false),
            cache: Cache::default(),
        }
    }

    /// As while the file is opened: nobody reads until what is given is dropped.
    #[cfg(test)]
    pub(crate) fn opening(&self) -> impl Sized + '_ {
        self.locked_for_change()
    }

    /// Whether the last failure was for want of room.
    pub(crate) fn is_full(&self) -> bool {
        self.is_full.load(Ordering::Relaxed)
    }

    /// What is wrong where the open file is not the one that lies in the folder.
    pub(crate) fn lost_file(&self) -> Option<String> {
        let own = match &*self.locked() {
            Condition::Open(opened) => opened.file.metadata().ok()?,
            Condition::Shut { .. } | Condition::Lost(_) => return None,
        };
        let path = self.dir.join(FILE);
        let what = match fs::metadata(&path) {
            Ok(there) if (there.dev(), there.ino()) == (own.dev(), own.ino()) => return None,
            Ok(_) => "was replaced while the host has it open; the host takes the new one when it is restarted",
            Err(_) => "was removed while the host has it open; what policies keep is lost when the host stops",
        };
        Some(format!("`{}` {what}", path.display()))
    }

    pub(crate) fn problem(&self) -> Option<String> {
        self.locked().problem().map(str::to_owned)
    }

    /// The same, for whoever must not wait: a disk that does not answer keeps the file's opening.
    pub(crate) fn problem_now(&self) -> Option<String> {
        match self.condition.try_read() {
            Ok(condition) => condition.problem().map(str::to_owned),
            Err(TryLockError::Poisoned(condition)) => condition.get_ref().problem().map(str::to_owned),
            Err(TryLockError::WouldBlock) => Some("it is being opened".to_owned()),
        }
    }

    pub(crate) fn cache(&self) -> &Cache {
        &self.cache
    }

    /// A value that was read of late, where the file is open. It waits for nobody.
    pub(crate) fn cached(&self, space: &str, key: &str) -> Option<Option<Vec<u8>>> {
        let condition = self.condition.try_read().ok()?;
        matches!(&*condition, Condition::Open(_)).then(|| self.cache.get(space, key)).flatten()
    }

    /// Reads. A reader that came between a failed commit and the file's opening again does not notice either.
    pub(crate) fn read<T>(&self, read: impl Fn(&Database) -> Result<T, redb::Error>) -> Result<T, StateFault> {
        self.with(&read).or_else(|_| self.with(&read))
    }

    /// Does something with the database, once. Where that fails, the file is seen to before the answer.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&Database) -> Result<T, redb::Error>) -> Result<T, StateFault> {
        self.try_again();
        let (number, failure) = {
            let condition = self.locked();
            let opened = condition.opened()?;
            let Some(database) = &opened.database.0 else { return Err(unavailable("it is closing")) };
            match guarded(|| work(database)) {
                Ok(done) => return Ok(done),
                Err(failure) => (opened.number, failure),
            }
        };
        self.is_full.store(failure == Failure::Full, Ordering::Relaxed);
        self.mend(number, &failure);
        Err(unavailable(&self.problem().unwrap_or_else(|| failure.to_string())))
    }

    /// Accepts that what was set aside is lost, and opens what is in its place: an empty store if nothing is. The new
    /// names of the damaged files are the answer.
    pub(crate) fn accept_loss(&self) -> Result<Vec<String>, StateFault> {
        let mut condition = self.locked_for_change();
        if !matches!(*condition, Condition::Lost(_)) {
            return Ok(Vec::new());
        }
        let names = aside::accept_loss(&self.dir).map_err(|error| unavailable(&error.to_string()))?;
        *condition = Condition::of(&self.dir, LOCK_TIMEOUT);
        condition.opened().map(|_| names)
    }

    /// A database after a failure refuses everything, for it does not know what is on the disk. Opening it again finds
    /// out: every commit that was answered is there.
    fn mend(&self, number: u64, failure: &Failure) {
        let mut condition = self.locked_for_change();
        if !matches!(&*condition, Condition::Open(opened) if opened.number == number) {
            return;
        }
        let closed = Condition::Shut { problem: failure.to_string(), file: None, again: Instant::now() };
        let Condition::Open(Opened { database, file, .. }) = std::mem::replace(&mut *condition, closed) else { return };
        drop(database);
        *condition = match failure {
            Failure::Damage(damage) => Condition::Lost(aside::set_aside(&self.dir, &file, damage)),
            Failure::Panic(_) | Failure::Full | Failure::Passing(_) => {
                Condition::of_file(&self.dir, file, number + 1, Duration::ZERO)
            }
        };
        match &*condition {
            Condition::Open(_) => warn!(problem = %failure, "the state of policies was opened again after a failure"),
            Condition::Shut { problem, .. } => warn!(problem, "the state of policies is not available for now"),
            Condition::Lost(problem) => {
                error!(problem, "the state of policies is not available; those that need it deny");
            }
        }
    }

    fn try_again(&self) {
        let due =
            |condition: &Condition| matches!(condition, Condition::Shut { again, .. } if Instant::now() >= *again);
        if !due(&self.locked()) {
            return;
        }
        let mut condition = self.locked_for_change();
        if due(&condition) {
            *condition = match condition.shut_file() {
                Some(file) => Condition::of_file(&self.dir, file, 0, Duration::ZERO),
                None => Condition::of(&self.dir, Duration::ZERO),
            };
            if matches!(*condition, Condition::Open(_)) {
                info!("the state of policies is available again");
            }
        }
    }

    fn locked(&self) -> RwLockReadGuard<'_, Condition> {
        self.condition.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is read afterwards may be another file.
    fn locked_for_change(&self) -> RwLockWriteGuard<'_, Condition> {
        let condition = self.condition.write().unwrap_or_else(PoisonError::into_inner);
        self.cache.clear();
        condition
    }
}

fn unavailable(problem: &str) -> StateFault {
    StateFault::Unavailable(problem.to_owned())
}

// === impl Condition ===

impl Condition {
    /// Of what is in the folder.
    fn of(dir: &Path, patience: Duration) -> Self {
        let found = make_private_dir(dir).and_then(|()| aside::standing(dir));
        match found {
            Ok(Some(standing)) => Self::Lost(standing),
            Ok(None) => match open_or_make(dir, patience) {
                Ok(file) => Self::of_file(dir, file, 0, patience),
                Err(failure) => Self::shut(dir, &failure, None),
            },
            Err(error) => Self::shut(dir, &error.into(), None),
        }
    }

    fn of_file(dir: &Path, file: fs::File, number: u64, patience: Duration) -> Self {
        match open_database(&file, patience) {
            Ok(database) => Self::Open(Opened { database, file, number }),
            Err(failure) => match failure.damage_of_a_file_at_rest() {
                Some(damage) => Self::Lost(aside::set_aside(dir, &file, damage)),
                None => Self::shut(dir, &failure, Some(file)),
            },
        }
    }

    fn shut(dir: &Path, failure: &Failure, file: Option<fs::File>) -> Self {
        let problem = format!("`{}`: {failure}", dir.join(FILE).display());
        Self::Shut { problem, file, again: Instant::now() + REST }
    }

    fn shut_file(&mut self) -> Option<fs::File> {
        match self {
            Self::Shut { file, .. } => file.take(),
            Self::Open(_) | Self::Lost(_) => None,
        }
    }

    fn problem(&self) -> Option<&str> {
        match self {
            Self::Open(_) => None,
            Self::Shut { problem, .. } | Self::Lost(problem) => Some(problem),
        }
    }

    fn opened(&self) -> Result<&Opened, StateFault> {
        match self {
            Self::Open(opened) => Ok(opened),
            Self::Shut { problem, .. } | Self::Lost(problem) => Err(unavailable(problem)),
        }
    }
}

/// The store's file: what is there, or a new one, which is whole before it has its name.
fn open_or_make(dir: &Path, patience: Duration) -> Result<fs::File, Failure> {
    let path = dir.join(FILE);
    match open_private(&path, false) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        opened => return Ok(opened?),
    }
    let unfinished = dir.join(UNFINISHED);
    let file = open_private(&unfinished, true)?;
    match make_database(&file, patience) {
        Ok(()) => fs::rename(&unfinished, &path)?,
        Err(failure) => {
            // Nobody was ever answered out of it.
            if failure.damage_of_a_file_at_rest().is_some() {
                fs::remove_file(&unfinished)?;
            }
            return Err(failure);
        }
    }
    fs::File::open(dir).and_then(|dir| dir.sync_all())?;
    Ok(file)
}

fn make_database(file: &fs::File, patience: Duration) -> Result<(), Failure> {
    open_locked(file, patience).map(drop)
}

fn open_database(file: &fs::File, patience: Duration) -> Result<Closing, Failure> {
    if file.metadata()?.len() == 0 {
        return Err(Failure::Damage("it is empty".to_owned()));
    }
    open_locked(file, patience)
}

/// Opens, locks and verifies the file. A host that was killed may hold the lock for a moment longer than it answers.
fn open_locked(file: &fs::File, patience: Duration) -> Result<Closing, Failure> {
    let deadline = Instant::now() + patience;
    loop {
        let opened = guarded(|| {
            let backend = FileBackend::new(file.try_clone()?)?;
            match checked().create_with_backend(backend) {
                Err(DatabaseError::DatabaseAlreadyOpen) if Instant::now() < deadline => Ok(None),
                opened => Ok(Some(Closing(Some(opened?)))),
            }
        })?;
        if let Some(opened) = opened {
            if let Some(database) = &opened.0 {
                guarded(|| prepare(database))?;
            }
            return Ok(opened);
        }
        std::thread::sleep(LOCK_AGAIN);
    }
}

/// Verifies whatever it opens.
pub(crate) fn checked() -> Builder {
    let mut builder = Database::builder();
    builder.set_check_integrity_on_open(true).set_cache_size(CACHE_BYTES);
    builder
}

fn open_private(path: &Path, make: bool) -> std::io::Result<fs::File> {
    use std::os::unix::fs::OpenOptionsExt;
    fs::OpenOptions::new().read(true).write(true).create(make).truncate(false).mode(0o600).open(path)
}

fn make_private_dir(dir: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

// === impl Closing ===

impl Drop for Closing {
    fn drop(&mut self) {
        let database = self.0.take();
        let _ = catch_unwind(AssertUnwindSafe(|| drop(database)));
    }
}

#[cfg(test)]
mod tests;
