//! Where machine code lies between the process that compiles and the host that runs it: wasmtime's cache on disk.
//!
//! The host's engines have no compiler. wasmtime loads machine code safely only out of its cache, so that is where the
//! code is put, under the name that wasmtime looks for: the hash of the engine's settings and of the bytes that were asked for. Those
//! bytes are a [`Ticket`], which names the file and who pays for it. A ticket that is not in the cache is an error, and
//! never a compilation.
//!
//! How wasmtime names its files is its own affair, so it is found out when a store is opened, by who compiles: it compiles an empty
//! component into an empty cache. Where the names came to differ, no sandbox would start.

use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;
use std::{fs, io};

use tempfile::{Builder, NamedTempFile, TempDir};
use wasmtime::component::Component;
use wasmtime::{Cache, Engine};

use crate::compiler::Compiler;
use crate::component::Ticket;
use crate::error::{LoadError, SandboxError};
use crate::layout::{MODULES, name, open_cache};

/// Where temporary folders are made where the cache has no room for one, beside the environment's own.
const SHARED_MEMORY: &str = "/dev/shm";
/// What wasmtime's cache keeps, too, and down to which part of it is swept.
const MAX_FILES: usize = 65_536;
const MAX_BYTES: u64 = 512 << 20;
const KEPT_PERCENT: u64 = 70;
/// How many files are stored between two sweeps.
const SWEEP_EVERY: usize = 256;

/// The cache on disk.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) cache: Cache,
    /// Where the files are.
    folder: PathBuf,
    stored: AtomicUsize,
    /// Removed with the store, where it is nobody's.
    _private: Option<TempDir>,
}

/// A file of the cache.
struct Kept {
    path: PathBuf,
    used: SystemTime,
    bytes: u64,
}

// === impl Store ===

impl Store {
    /// A store in `folder`; in a private folder, which is removed at the end, where there is none or it cannot be written.
    pub(crate) fn open(folder: Option<&Path>, compiler: &Compiler) -> Result<Self, SandboxError> {
        let usable = folder.filter(|folder| Builder::new().tempfile_in(folder).is_ok());
        let private = if usable.is_some() { None } else { Some(private_folder()?) };
        let path = private.as_ref().map(TempDir::path).or(usable).unwrap_or(Path::new("."));
        let failed = |problem: String| SandboxError::Cache { path: path.to_owned(), problem };
        let scratch = private_folder_in(path).map_err(|error| failed(error.to_string()))?;
        let version = compiler.find_version(scratch.path()).map_err(failed)?;
        let folder = path.join(MODULES).join(version);
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)
            .map_err(|error| failed(format!("`{}` cannot be made: {error}", folder.display())))?;
        let cache = open_cache(path).map_err(|error| failed(format!("{error:#}")))?;
        Ok(Self { cache, folder, stored: AtomicUsize::new(0), _private: private })
    }

    /// What was stored for a ticket; none where nothing is there that this host can run.
    pub(crate) fn load(&self, engine: &Engine, ticket: &Ticket) -> Option<Component> {
        let is_there = self.path(engine, ticket).exists();
        is_there.then(|| Component::from_binary(engine, &ticket.0).ok()).flatten()
    }

    /// As [`Self::load`], of what was just stored.
    pub(crate) fn load_stored(&self, engine: &Engine, ticket: &Ticket) -> Result<Component, LoadError> {
        let path = self.path(engine, ticket);
        Component::from_binary(engine, &ticket.0).map_err(|error| {
            if !path.exists() {
                return LoadError::Store(format!("`{}` was removed again", path.display()));
            }
            // Nobody can use it.
            let _ = fs::remove_file(&path);
            LoadError::Invalid(format!("{error:#}"))
        })
    }

    /// A file into which somebody writes what is to be stored.
    pub(crate) fn begin(&self) -> Result<NamedTempFile, LoadError> {
        let made = Builder::new().prefix(".compiling-").tempfile_in(&self.folder);
        made.map_err(|error| self.failed(&error))
    }

    pub(crate) fn store(&self, engine: &Engine, ticket: &Ticket, file: NamedTempFile) -> Result<(), LoadError> {
        file.persist(self.path(engine, ticket)).map_err(|error| self.failed(&error.error))?;
        if self.stored.fetch_add(1, Ordering::Relaxed) % SWEEP_EVERY == SWEEP_EVERY - 1 {
            // It is only room: the next sweep may do better.
            let _ = sweep(&self.folder, MAX_FILES, MAX_BYTES);
        }
        Ok(())
    }

    fn path(&self, engine: &Engine, ticket: &Ticket) -> PathBuf {
        self.folder.join(name(engine, &ticket.0))
    }

    fn failed(&self, error: &io::Error) -> LoadError {
        LoadError::Store(format!("`{}`: {error}", self.folder.display()))
    }
}

/// A folder for as long as it is needed.
fn private_folder() -> Result<TempDir, SandboxError> {
    let usual = std::env::temp_dir();
    private_folder_in(&usual)
        .or_else(|_| private_folder_in(Path::new(SHARED_MEMORY)))
        .map_err(|error| SandboxError::Cache { path: usual, problem: error.to_string() })
}

/// A folder that only this user can open.
fn private_folder_in(folder: &Path) -> io::Result<TempDir> {
    let only_ours = fs::Permissions::from_mode(0o700);
    Builder::new().prefix(".portcullis-").permissions(only_ours).tempdir_in(folder)
}

/// Removes what was not used for longest, where there is too much.
fn sweep(folder: &Path, files: usize, bytes: u64) -> io::Result<()> {
    let mut kept: Vec<_> = fs::read_dir(folder)?.flatten().filter_map(|entry| Kept::of(&entry)).collect();
    let (mut count, mut sum) = (kept.len(), kept.iter().map(|kept| kept.bytes).sum::<u64>());
    if count <= files && sum <= bytes {
        return Ok(());
    }
    kept.sort_unstable_by_key(|kept| kept.used);
    let is_enough =
        |count: usize, sum: u64| count as u64 * 100 <= files as u64 * KEPT_PERCENT && sum * 100 <= bytes * KEPT_PERCENT;
    for kept in kept {
        if is_enough(count, sum) {
            break;
        }
        fs::remove_file(&kept.path)?;
        let _ = fs::remove_file(statistics(&kept.path));
        count -= 1;
        sum -= kept.bytes;
    }
    Ok(())
}

/// What wasmtime writes beside a file each time that it is used.
fn statistics(path: &Path) -> PathBuf {
    path.with_extension("stats")
}

// === impl Kept ===

impl Kept {
    /// None for what is not machine code.
    fn of(entry: &fs::DirEntry) -> Option<Self> {
        let path = entry.path();
        let metadata = entry.metadata().ok()?;
        if path.extension().is_some() || !metadata.is_file() {
            return None;
        }
        let made = metadata.modified().ok()?;
        let used = fs::metadata(statistics(&path)).and_then(|metadata| metadata.modified());
        Some(Self { path, used: used.unwrap_or(made).max(made), bytes: metadata.len() })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::component::EMPTY;
    use crate::tests::sandbox;

    #[test]
    fn where_no_folder_can_be_written_there_is_a_private_one_until_the_end() {
        for folder in [None, Some(Path::new("/proc/nowhere"))] {
            let store = Store::open(folder, &Compiler::InProcess).expect("a store");
            let path = store.cache.directory().clone();
            let mode = fs::metadata(&path).expect("is there").permissions().mode();
            assert_eq!(mode & 0o777, 0o700, "{}", path.display());
            drop(store);
            assert!(!path.exists(), "{}", path.display());
        }
    }

    #[test]
    fn a_host_cannot_compile_whatever_it_is_given() {
        let sandbox = sandbox(1);
        let engine = &sandbox.instance(false).expect("an engine").engine;
        let error = Component::from_binary(engine, EMPTY).expect_err("no compiler");
        assert!(error.to_string().contains("not configured with a compiler"), "{error:#}");
    }

    #[test]
    fn what_was_not_used_for_longest_makes_room() {
        let folder = tempfile::tempdir().expect("a folder");
        let start = SystemTime::now() - Duration::from_secs(1000);
        for number in 0..10_u64 {
            let path = folder.path().join(format!("entry{number}"));
            fs::write(&path, [0; 100]).expect("is written");
            let file = fs::File::open(&path).expect("is there");
            file.set_modified(start + Duration::from_secs(number)).expect("has a time");
        }
        // The oldest was used last.
        fs::write(statistics(&folder.path().join("entry0")), "").expect("is written");
        sweep(folder.path(), 10, 1000).expect("is swept");
        let names = || {
            let entries = fs::read_dir(folder.path()).expect("is there").flatten();
            let mut names: Vec<_> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
            names.sort();
            names
        };
        assert_eq!(names().len(), 11, "there is room for ten");
        sweep(folder.path(), 10, 500).expect("is swept");
        assert_eq!(names(), ["entry0", "entry0.stats", "entry8", "entry9"]);
    }
}
