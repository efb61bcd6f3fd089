//! A store that may be in use by a host, as it is at one moment.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use redb::backends::InMemoryBackend;
use redb::{Database, ReadableDatabase, StorageBackend};

use crate::state::disk::{ENTRIES, FILE};
use crate::state::space::SpaceName;

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

    /// What a space holds.
    pub fn entries(&self, space: &SpaceName) -> Result<Vec<(String, Vec<u8>)>, String> {
        match self.0.database.get_or_init(|| read(&self.0.dir)) {
            Ok(Some(database)) => entries(database, space.as_str()).map_err(|error| error.to_string()),
            Ok(None) => Ok(Vec::new()),
            Err(problem) => Err(problem.clone()),
        }
    }
}

fn read(dir: &Path) -> Result<Option<Database>, String> {
    let path = dir.join(FILE);
    if !path.exists() {
        return Ok(None);
    }
    let bytes = fs::read(&path).map_err(|error| format!("`{}`: {error}", path.display()))?;
    let backend = InMemoryBackend::new();
    backend.set_len(bytes.len() as u64).map_err(|error| error.to_string())?;
    backend.write(0, &bytes).map_err(|error| error.to_string())?;
    let database = Database::builder().create_with_backend(backend).map_err(|error| error.to_string())?;
    Ok(Some(database))
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
