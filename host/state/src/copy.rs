//! A store that may be in use by a host, as it is at one moment.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use redb::backends::InMemoryBackend;
use redb::{Database, ReadableDatabase, StorageBackend};

use crate::aside::{self, FILE};
use crate::base::checked;
use crate::failure::{Failure, guarded};
use crate::space::SpaceName;
use crate::tables::ENTRIES;

/// How often a file that changed while it was read is read again.
const READS: usize = 20;

/// The store in a folder, read when it is first asked, and once for all spaces: so they are of one moment. Cheap to
/// clone.
#[derive(Clone, Debug)]
pub struct StoreCopy(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    dir: PathBuf,
    /// None where there is no store yet.
    database: OnceLock<Result<Option<Database>, String>>,
}

// === impl StoreCopy ===

impl StoreCopy {
    pub fn new(dir: PathBuf) -> Self {
        Self(Arc::new(Inner { dir, database: OnceLock::new() }))
    }

    /// Of no store: nothing is kept.
    pub fn empty() -> Self {
        Self(Arc::new(Inner { dir: PathBuf::new(), database: OnceLock::from(Ok(None)) }))
    }

    /// What a space holds.
    pub fn entries(&self, space: &SpaceName) -> Result<Vec<(String, Vec<u8>)>, String> {
        match self.0.database.get_or_init(|| read(&self.0.dir)) {
            Ok(Some(database)) => guarded(|| entries(database, space.as_str())).map_err(|failure| failure.to_string()),
            Ok(None) => Ok(Vec::new()),
            Err(problem) => Err(problem.clone()),
        }
    }
}

/// Copies the store of a folder into a new file, as it is at one moment; a host may be using it. Every page of the copy
/// was checked, and it is on the disk when this returns its size.
pub fn backup(dir: &Path, to: &Path) -> Result<u64, BackupError> {
    // Known before a large store is read.
    if to.symlink_metadata().is_ok() {
        return Err(BackupError::Exists(to.to_owned()));
    }
    let (bytes, _) = read_checked(dir).map_err(BackupError::Store)?.ok_or_else(|| {
        let path = dir.join(FILE);
        BackupError::Store(format!("`{}`: there is no store; no policy kept anything yet", path.display()))
    })?;
    let written = || {
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::File::open(folder)?.sync_all()
    };
    written().map_err(|source| {
        if source.kind() == ErrorKind::AlreadyExists {
            return BackupError::Exists(to.to_owned());
        }
        BackupError::Written { path: to.to_owned(), source }
    })?;
    Ok(bytes.len() as u64)
}

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("{0}")]
    Store(String),
    #[error("{}: is there already, and a backup never replaces a file\n  help: choose another name, such as one with the date, or remove it", .0.display())]
    Exists(PathBuf),
    #[error("{}: cannot be written: {source}", path.display())]
    Written { path: PathBuf, source: io::Error },
}

fn read(dir: &Path) -> Result<Option<Database>, String> {
    Ok(read_checked(dir)?.map(|(_, database)| database))
}

/// The file's bytes as they were at one moment, and the database in them.
fn read_checked(dir: &Path) -> Result<Option<(Vec<u8>, Database)>, String> {
    let path = dir.join(FILE);
    let failed = |failure: Failure| format!("`{}`: {failure}", path.display());
    let mut reads = 0;
    loop {
        reads += 1;
        let before = changed(&path);
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return without_a_file(dir).map(|()| None),
            bytes => bytes.map_err(|error| failed(error.into()))?,
        };
        match open(&bytes) {
            // A host that commits meanwhile makes it look damaged, which it is not the next time.
            Err(_) if reads == READS && before != changed(&path) => {
                return Err(failed(Failure::Passing("a host changes it faster than it can be read".to_owned())));
            }
            Err(failure) if reads == READS => return Err(failed(failure)),
            Err(_) => {}
            Ok(database) => return Ok(Some((bytes, database))),
        }
    }
}

fn changed(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|file| file.modified()).ok()
}

fn without_a_file(dir: &Path) -> Result<(), String> {
    match aside::standing(dir) {
        Ok(Some(standing)) => Err(standing),
        Ok(None) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(format!("`{}`: {error}", dir.display())),
    }
}

fn open(bytes: &[u8]) -> Result<Database, Failure> {
    if bytes.is_empty() {
        return Err(Failure::Damage("it is empty".to_owned()));
    }
    guarded(|| {
        let backend = InMemoryBackend::new();
        backend.set_len(bytes.len() as u64)?;
        backend.write(0, bytes)?;
        Ok(checked().create_with_backend(backend)?)
    })
}

fn entries(database: &Database, space: &str) -> Result<Vec<(String, Vec<u8>)>, redb::Error> {
    let table = match database.begin_read()?.open_table(ENTRIES) {
        Ok(table) => table,
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let mut found = Vec::new();
    for entry in table.range((space, "")..)? {
        let (key, value) = entry?;
        let (owner, key) = key.value();
        if owner != space {
            break;
        }
        found.push((key.to_owned(), value.value().to_vec()));
    }
    Ok(found)
}
