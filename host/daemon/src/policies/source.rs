//! Reads the operator's folder: what is there, whether it changed, and its bytes when nobody is writing them.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The largest file that is read at all.
const MAX_FILE: u64 = 256 << 20;

/// Tells a file's content from another's without reading it. The change time is the kernel's own: nobody can set it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// Why a file's bytes are not to be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error("is not a regular file")]
    NotAFile,
    #[error("is larger than {} MiB", MAX_FILE >> 20)]
    TooLarge,
    /// Not an error of the operator's: it is to be read again.
    #[error("changed while it was read")]
    Changing,
}

impl Fingerprint {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// What a path leads to, symlinks followed; none where there is nothing.
    pub(crate) fn at(path: &Path) -> Option<Self> {
        fs::metadata(path).ok().as_ref().map(Self::of)
    }
}

/// The files of a folder with an extension, by their name without it. Hidden files are left out: editors and Kubernetes
/// keep their own there.
pub(crate) fn files(dir: &Path, extension: &str) -> io::Result<BTreeMap<String, PathBuf>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let is_wanted = path.extension().is_some_and(|found| found == extension);
        // A name that is not UTF-8 is a bad name, which the loader reports like any other.
        let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        if is_wanted && !name.starts_with('.') {
            files.insert(name, path);
        }
    }
    Ok(files)
}

/// The same of a folder that need not be there: then it is an empty one.
pub(crate) fn list(dir: &Path, extension: &str) -> io::Result<BTreeMap<String, PathBuf>> {
    match files(dir, extension) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        listed => listed,
    }
}

/// A file's bytes, and the fingerprint that they had throughout.
pub(crate) fn read(path: &Path) -> Result<(Fingerprint, Vec<u8>), ReadError> {
    // Opening a fifo would wait for its writer, so what is not a file is not opened.
    if !fs::metadata(path)?.is_file() {
        return Err(ReadError::NotAFile);
    }
    let mut file = File::open(path)?;
    let before = file.metadata()?;
    if !before.is_file() {
        return Err(ReadError::NotAFile);
    }
    if before.len() > MAX_FILE {
        return Err(ReadError::TooLarge);
    }
    let mut bytes = Vec::with_capacity(before.len() as usize);
    Read::by_ref(&mut file).take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    let after = Fingerprint::of(&file.metadata()?);
    if after != Fingerprint::of(&before) || bytes.len() as u64 != before.len() {
        return Err(ReadError::Changing);
    }
    Ok((after, bytes))
}
