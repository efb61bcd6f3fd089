//! The file: lines of JSON, each with its checksum before it. The first has a fixed length, and is written again in its place.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use portcullis_model::TenantName;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::super::event::{Event, Owner};
use super::GROWTH;

pub(super) const NAME: &str = "created.journal";
const UNFINISHED: &str = "new";
/// Of the first line, with its end.
const HEAD: usize = 4096;
const VERSION: u32 = 1;
/// Hexadecimal digits of a line's checksum.
const CHECKSUM: usize = 16;

/// What the file does not have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    /// Something is missing, and nobody knows whose.
    pub(super) is_damaged: bool,
    /// Whose events are missing, by listener and tenant.
    pub(super) missing: BTreeSet<(String, Option<String>)>,
}

#[derive(Deserialize)]
struct WrittenHead {
    version: u32,
    is_damaged: bool,
    missing: BTreeSet<(String, Option<String>)>,
}

#[derive(Serialize)]
struct Line<'l> {
    listener: &'l str,
    event: &'l Event,
}

/// A line, as it is read.
#[derive(Deserialize)]
pub(super) struct Entry {
    pub(super) listener: String,
    pub(super) event: Event,
}

#[derive(Debug)]
pub(super) struct JournalFile {
    file: File,
    /// Bytes when it was made, and now.
    made: u64,
    size: u64,
    identity: (u64, u64),
}

/// A new file, beside its place. Removed when it is dropped.
pub(super) struct Unfinished {
    path: PathBuf,
    file: BufWriter<File>,
    size: u64,
}

// === impl Head ===

impl Head {
    pub(super) fn miss(&mut self, listener: &str, tenant: Option<&Owner>) {
        // Without a tenant, something is gone that is still remembered: no harm.
        if let Some(tenant) = tenant {
            self.missing.insert((listener.to_owned(), tenant.as_ref().map(TenantName::to_string)));
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(super) fn read(line: &[u8]) -> Option<Self> {
        let WrittenHead { version, is_damaged, missing } = serde_json::from_slice(content(line)?).ok()?;
        (version == VERSION).then_some(Self { is_damaged, missing })
    }

    /// Exactly as long as there is room for it: more than that is all.
    pub(super) fn write(&self) -> Vec<u8> {
        let text = |is_damaged, missing| {
            serde_json::json!({ "version": VERSION, "is_damaged": is_damaged, "missing": missing }).to_string()
        };
        let room = HEAD - CHECKSUM - 2;
        let mut content = text(self.is_damaged, &self.missing);
        if content.len() > room {
            content = text(true, &BTreeSet::new());
        }
        checked(format!("{content:room$}").as_bytes())
    }
}

// === impl JournalFile ===

impl JournalFile {
    pub(super) fn add(&mut self, lines: &[u8]) -> io::Result<()> {
        self.file.write_all(lines)?;
        self.size += lines.len() as u64;
        Ok(())
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    pub(super) fn set_head(&mut self, head: &Head) -> io::Result<()> {
        self.file.write_all_at(&head.write(), 0)?;
        self.file.sync_data()
    }

    pub(super) fn has_grown(&self) -> bool {
        self.size - self.made > GROWTH.max(self.made)
    }

    /// Whether it is what lies there.
    pub(super) fn is_at(&self, path: &Path) -> bool {
        fs::symlink_metadata(path).is_ok_and(|there| (there.dev(), there.ino()) == self.identity)
    }
}

// === impl Unfinished ===

impl Unfinished {
    pub(super) fn create(path: &Path, head: &Head) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let path = path.with_extension(format!("journal.{UNFINISHED}"));
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        let mut new = Self { path, file: BufWriter::new(file), size: 0 };
        new.write(&head.write())?;
        Ok(new)
    }

    pub(super) fn add(&mut self, listener: &str, event: &Event) -> io::Result<()> {
        self.write(&line(listener, event))
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.size += bytes.len() as u64;
        self.file.write_all(bytes)
    }

    /// Gives it its name, when all of it is on the disk.
    pub(super) fn finish(mut self, path: &Path) -> io::Result<JournalFile> {
        self.file.flush()?;
        let file = self.file.get_ref().try_clone()?;
        file.sync_all()?;
        let there = file.metadata()?;
        fs::rename(&self.path, path)?;
        if let Some(folder) = path.parent() {
            File::open(folder)?.sync_all()?;
        }
        Ok(JournalFile { file, made: self.size, size: self.size, identity: (there.dev(), there.ino()) })
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // It is not there any more where it has its name; what is left takes room on a disk that may be full.
        let _ = fs::remove_file(&self.path);
    }
}

/// An event as a line.
pub(super) fn line(listener: &str, event: &Event) -> Vec<u8> {
    // What it is made of can be written as JSON.
    checked(&serde_json::to_vec(&Line { listener, event }).unwrap_or_default())
}

fn checked(content: &[u8]) -> Vec<u8> {
    [checksum(content).as_bytes(), b" ", content, b"\n"].concat()
}

fn checksum(content: &[u8]) -> String {
    let digest = Sha256::digest(content);
    digest.iter().take(CHECKSUM / 2).map(|byte| format!("{byte:02x}")).collect()
}

/// What stands in a line that is whole.
pub(super) fn content(line: &[u8]) -> Option<&[u8]> {
    let (sum, rest) = line.strip_suffix(b"\n")?.split_at_checked(CHECKSUM)?;
    let content = rest.strip_prefix(b" ")?;
    (checksum(content).as_bytes() == sum).then_some(content)
}
