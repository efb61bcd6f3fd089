//! A folder from which files are read: the operator's, where a symlink may lead anywhere, or a tenant's, out of which
//! nothing leads.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, Stat, fstat, openat, openat2, stat};
use rustix::io::Errno;

use crate::fs::Pulse;

/// Entries of a tenant's folder; one that holds more is not read at all.
const MAX_ENTRIES: usize = 4096;
/// Nothing waits for a fifo's other end, and no terminal becomes the host's.
const READING: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);
const LOOKING: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);
/// Bytes that a file system is asked for at once.
const PIECE: u64 = 1 << 20;

/// How far a symlink may lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Containment {
    /// Anywhere: whoever may write here may do anything.
    Open,
    /// Not out of the folder: whoever writes here is not trusted.
    Beneath,
}

/// An open folder.
#[derive(Debug)]
pub struct Root {
    path: PathBuf,
    /// None where there is no such folder.
    folder: Option<OwnedFd>,
    containment: Containment,
    /// Told of whatever is asked of the file system.
    pulse: Pulse,
}

/// Tells a file's content from another's without reading it. The change time is the kernel's own: nobody can set it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
    owner: u32,
    mode: u32,
}

/// Why a file's bytes are not to be had.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error("is {0}; expected a regular file")]
    NotAFile(&'static str),
    #[error("leads out of the tenant's folder; put the file itself there")]
    Outside,
    #[error("is a hard link to a file of another user; put a copy there")]
    ForeignLink,
    #[error("is {size} bytes large; at most {limit} are read")]
    TooLarge { size: u64, limit: u64 },
    /// Not an error of the operator's: it is to be read again.
    #[error("changed while it was read")]
    Changing,
}

// === impl ReadError ===

impl ReadError {
    /// How to mend it, where its text does not say that.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Io(error) if error.kind() == io::ErrorKind::PermissionDenied => "let the host's user read it",
            Self::Io(error) if error.kind() == io::ErrorKind::NotFound => {
                "it is a symlink that leads nowhere: mend or remove it"
            }
            Self::Io(_)
            | Self::NotAFile(_)
            | Self::Outside
            | Self::ForeignLink
            | Self::TooLarge { .. }
            | Self::Changing => "",
        }
    }
}

// === impl Root ===

impl Root {
    /// Opens a folder; an error if it is not there.
    pub fn open(path: &Path, containment: Containment) -> io::Result<Self> {
        Self::open_watched(path, containment, Pulse::default())
    }

    /// The same; others see by `pulse` whether the file system answers.
    pub fn open_watched(path: &Path, containment: Containment, pulse: Pulse) -> io::Result<Self> {
        let open = || openat(rustix::fs::CWD, path, LOOKING | OFlags::DIRECTORY, Mode::empty());
        let folder = pulse.during(open)?;
        Ok(Self { path: path.to_owned(), folder: Some(folder), containment, pulse })
    }

    /// A folder that is not there: an empty one.
    pub fn absent(path: &Path) -> Self {
        Self { path: path.to_owned(), folder: None, containment: Containment::Beneath, pulse: Pulse::default() }
    }

    /// Whether its path still leads to this folder: one that was moved away is maybe being taken apart.
    pub fn is_in_place(&self) -> bool {
        let identity = |stat: Stat| (stat.st_dev, stat.st_ino);
        self.pulse.during(|| {
            let opened = self.folder.as_ref().and_then(|folder| fstat(folder).ok()).map(identity);
            opened == stat(&self.path).ok().map(identity)
        })
    }

    /// None where there is no such folder.
    pub fn folder(&self) -> Option<&OwnedFd> {
        self.folder.as_ref()
    }

    /// A folder below, to list it or to write into it.
    pub(crate) fn open_folder(&self, relative: &str) -> io::Result<OwnedFd> {
        self.open_at(relative, READING | OFlags::DIRECTORY).map_err(|error| self.io(error))
    }

    /// Where a file is, for messages.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.path.join(relative)
    }

    /// What lies at a path, symlinks followed as far as they may lead; none where there is nothing.
    pub fn fingerprint(&self, relative: &str) -> Option<Fingerprint> {
        let file = File::from(self.open_at(relative, LOOKING).ok()?);
        self.pulse.during(|| file.metadata().ok().as_ref().map(Fingerprint::of))
    }

    /// Whether anything has this name, be it a symlink that leads nowhere, or may have: where the folder cannot be looked through.
    pub fn has(&self, relative: &str) -> bool {
        let found = |folder| rustix::fs::statat(folder, relative, AtFlags::SYMLINK_NOFOLLOW);
        let is_there = |folder| !matches!(found(folder), Err(Errno::NOENT | Errno::NOTDIR));
        self.pulse.during(|| self.folder.as_ref().is_some_and(is_there))
    }

    /// The names of a folder's entries without their extension, of those that have it; sorted. Hidden ones are left out: editors and
    /// Kubernetes keep their own there. A folder that is not there is an empty one.
    pub fn list(&self, folder: &str, extension: &str) -> io::Result<Vec<String>> {
        let entries = match self.open_at(folder, READING | OFlags::DIRECTORY) {
            Err(Errno::NOENT) => return Ok(Vec::new()),
            Err(error) => return Err(self.io(error)),
            Ok(folder) => Dir::new(folder)?,
        };
        let mut names = Vec::new();
        let mut entries = entries.enumerate();
        while let Some((count, entry)) = self.pulse.during(|| entries.next()) {
            let entry = entry?;
            if self.containment == Containment::Beneath && count >= MAX_ENTRIES {
                return Err(io::Error::other(format!("it holds more than {MAX_ENTRIES} entries")));
            }
            // A name that is not UTF-8 is a bad name, which is reported like any other.
            let name = entry.file_name().to_string_lossy().into_owned();
            let stem = name.strip_suffix(extension).and_then(|name| name.strip_suffix('.'));
            names.extend(stem.filter(|stem| !stem.starts_with('.') && !stem.is_empty()).map(str::to_owned));
        }
        names.sort_unstable();
        Ok(names)
    }

    /// The names of a folder's entries, and what each is; of a symlink, that it is one. Of the first so many.
    pub fn entries(&self, folder: &str) -> io::Result<Vec<(String, FileType)>> {
        let folder = Dir::new(self.open_at(folder, READING | OFlags::DIRECTORY).map_err(|error| self.io(error))?)?;
        let mut found = Vec::new();
        let mut entries = folder.take(MAX_ENTRIES);
        while let Some(entry) = self.pulse.during(|| entries.next()) {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name != "." && name != ".." {
                found.push((name, entry.file_type()));
            }
        }
        Ok(found)
    }

    /// A file's bytes, and the fingerprint that they had throughout.
    pub fn read(&self, relative: &str, limit: u64) -> Result<(Fingerprint, Vec<u8>), ReadError> {
        let mut file = File::from(self.open_at(relative, READING).map_err(|error| self.refusal(relative, error))?);
        let before = self.pulse.during(|| file.metadata())?;
        self.check(relative, &before)?;
        if before.len() > limit {
            return Err(ReadError::TooLarge { size: before.len(), limit });
        }
        let mut bytes = Vec::with_capacity(usize::try_from(before.len()).unwrap_or_default());
        while bytes.len() as u64 <= limit {
            let piece = PIECE.min((limit - bytes.len() as u64).saturating_add(1));
            if self.pulse.during(|| Read::by_ref(&mut file).take(piece).read_to_end(&mut bytes))? == 0 {
                break;
            }
        }
        let after = Fingerprint::of(&self.pulse.during(|| file.metadata())?);
        // What is closed can wait for the file system, too.
        self.pulse.during(|| drop(file));
        if after != Fingerprint::of(&before) || bytes.len() as u64 != before.len() {
            return Err(ReadError::Changing);
        }
        Ok((after, bytes))
    }

    fn open_at(&self, relative: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
        let folder = self.folder.as_ref().ok_or(Errno::NOENT)?;
        self.pulse.during(|| match self.containment {
            Containment::Open => openat(folder, relative, flags, Mode::empty()),
            Containment::Beneath => {
                let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
                openat2(folder, relative, flags, Mode::empty(), beneath)
            }
        })
    }

    fn refusal(&self, relative: &str, error: Errno) -> ReadError {
        match error {
            // Something was renamed while the path was followed.
            Errno::AGAIN => ReadError::Changing,
            // A socket cannot be opened, and a device may have nobody behind it.
            Errno::NXIO | Errno::NODEV => match self.open_at(relative, LOOKING).map(|file| File::from(file).metadata())
            {
                Ok(Ok(metadata)) => ReadError::NotAFile(kind(&metadata)),
                Ok(Err(error)) => ReadError::Io(error),
                Err(error) => ReadError::Io(error.into()),
            },
            Errno::XDEV if self.containment == Containment::Beneath => ReadError::Outside,
            error => ReadError::Io(self.io(error)),
        }
    }

    fn io(&self, error: Errno) -> io::Error {
        if self.containment == Containment::Beneath && matches!(error, Errno::NOSYS | Errno::PERM) {
            return io::Error::other(format!(
                "this kernel, or a seccomp profile, has no openat2 to keep it inside its folder ({error})"
            ));
        }
        if self.containment == Containment::Beneath && error == Errno::XDEV {
            return io::Error::other("it leads out of the tenant's folder");
        }
        error.into()
    }

    fn check(&self, relative: &str, metadata: &Metadata) -> Result<(), ReadError> {
        if !metadata.is_file() {
            return Err(ReadError::NotAFile(kind(metadata)));
        }
        if self.containment == Containment::Open || metadata.nlink() < 2 {
            return Ok(());
        }
        let parent = relative.rsplit_once('/').map_or(".", |(parent, _)| parent);
        let owner = self.fingerprint(parent).map(|folder| folder.owner);
        if owner == Some(metadata.uid()) { Ok(()) } else { Err(ReadError::ForeignLink) }
    }
}

// === impl Fingerprint ===

impl Fingerprint {
    pub(crate) fn of_file(file: &File) -> io::Result<Self> {
        Ok(Self::of(&file.metadata()?))
    }

    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            owner: metadata.uid(),
            mode: metadata.mode(),
        }
    }

    /// In bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// A short text that another content has not. It is the same after a restart of the host, and of the machine.
    pub fn tag(&self) -> String {
        let Self { inode, size, modified: (seconds, nanoseconds), changed, .. } = self;
        format!("{inode:x}-{size:x}-{seconds:x}.{nanoseconds:x}-{:x}.{:x}", changed.0, changed.1)
    }

    /// The user's ID.
    pub fn owner(&self) -> u32 {
        self.owner
    }

    /// Of its permissions, the bits.
    pub fn mode(&self) -> u32 {
        self.mode & 0o7777
    }

    /// Whether others than its owner may write it.
    pub fn is_writable_by_others(&self) -> bool {
        self.mode & 0o022 != 0
    }
}

fn kind(metadata: &Metadata) -> &'static str {
    let kind = metadata.file_type();
    if kind.is_dir() {
        "a folder"
    } else if kind.is_fifo() {
        "a fifo"
    } else if kind.is_socket() {
        "a socket"
    } else if kind.is_char_device() || kind.is_block_device() {
        "a device"
    } else {
        "neither a file nor a folder"
    }
}

#[cfg(test)]
mod tests;
