//! A folder into which files are put so that each is there whole or not at all, also after a crash.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::time::SystemTime;

use rustix::fs::{AtFlags, Gid, Mode, OFlags, Uid, fchown, fsync, mkdirat, openat, renameat, statat, unlinkat};
use rustix::io::Errno;

use crate::fs::{Fingerprint, Root};

/// What is being written has this before its name: the dot keeps it out of what is listed.
pub const INCOMING: &str = ".incoming-";
const CREATE: OFlags =
    OFlags::WRONLY.union(OFlags::CREATE).union(OFlags::EXCL).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// An open folder of policies or documents. One writer for each file at a time.
#[derive(Debug)]
pub struct AtomicDir {
    folder: OwnedFd,
    path: PathBuf,
}

impl AtomicDir {
    /// Opens a folder below a root, and makes it where it is missing.
    pub fn open(root: &Root, name: &str) -> io::Result<Self> {
        let path = root.path(name);
        if let Some(parent) = root.folder() {
            match mkdirat(parent, name, Mode::from_raw_mode(0o755)) {
                Ok(()) => fsync(reopened(parent)?)?,
                Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Self { folder: root.open_folder(name)?, path })
    }

    /// Where a file is, for messages.
    pub fn path(&self, file: &str) -> PathBuf {
        self.path.join(file)
    }

    /// Puts a file in place, or replaces it: written beside, on the disk, and then renamed. Its owner is the folder's, so that a tenant
    /// can go on with what was put into its folder.
    pub fn put(&self, name: &str, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<Fingerprint> {
        let incoming = format!("{INCOMING}{name}");
        let written = self.write(&incoming, write).and_then(|file| {
            renameat(&self.folder, &incoming, &self.folder, name)?;
            fsync(&self.folder)?;
            // The rename changed it, too.
            Fingerprint::of_file(&file)
        });
        if written.is_err() {
            // It may not be there.
            let _ = unlinkat(&self.folder, &incoming, AtFlags::empty());
        }
        written
    }

    /// Removes a file; says whether it was there.
    pub fn remove(&self, name: &str) -> io::Result<bool> {
        match unlinkat(&self.folder, name, AtFlags::empty()) {
            Ok(()) => {
                fsync(&self.folder)?;
                Ok(true)
            }
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn write(&self, incoming: &str, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<File> {
        match unlinkat(&self.folder, incoming, AtFlags::empty()) {
            // A crash left one.
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
        let owner = statat(&self.folder, "", AtFlags::EMPTY_PATH)?;
        let mode = Mode::from_raw_mode(0o640);
        let mut file = File::from(openat(&self.folder, incoming, CREATE, mode)?);
        write(&mut file)?;
        file.flush()?;
        if owner.st_uid != rustix::process::geteuid().as_raw() {
            fchown(&file, Some(Uid::from_raw(owner.st_uid)), Some(Gid::from_raw(owner.st_gid)))?;
        }
        // By the kernel's own times, which move in steps of some milliseconds, two files with one inode could seem the same.
        file.set_modified(SystemTime::now())?;
        file.sync_all()?;
        Ok(file)
    }
}

/// A folder that was opened only to look at it cannot be synced.
fn reopened(folder: impl AsFd) -> io::Result<OwnedFd> {
    Ok(openat(folder, ".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::fs::Containment;

    #[test]
    fn a_file_is_replaced_whole_and_what_a_crash_left_is_in_nobodys_way() {
        let dir = tempfile::tempdir().expect("a folder");
        let root = Root::open(dir.path(), Containment::Beneath).expect("open");
        let atomic_dir = AtomicDir::open(&root, "data").expect("made");
        fs::write(dir.path().join("data/.incoming-a.json"), "half").expect("written");
        let first = atomic_dir.put("a.json", |file| file.write_all(b"1")).expect("put");
        assert_eq!(root.fingerprint("data/a.json"), Some(first));
        let second = atomic_dir.put("a.json", |file| file.write_all(b"2")).expect("put");
        assert_ne!(first, second);
        let failed = atomic_dir.put("a.json", |file| {
            file.write_all(b"3")?;
            Err(io::Error::other("no room"))
        });
        assert!(failed.is_err());
        assert_eq!(fs::read_to_string(dir.path().join("data/a.json")).expect("read"), "2");
        assert_eq!(fs::read_dir(dir.path().join("data")).expect("read").count(), 1);
        assert!(atomic_dir.remove("a.json").expect("removed"));
        assert!(!atomic_dir.remove("a.json").expect("not there"));
    }

    #[test]
    fn nothing_is_written_outside_of_a_tenants_folder() {
        let dir = tempfile::tempdir().expect("a folder");
        fs::create_dir_all(dir.path().join("own")).expect("made");
        fs::create_dir_all(dir.path().join("other")).expect("made");
        std::os::unix::fs::symlink("../other", dir.path().join("own/data")).expect("linked");
        let root = Root::open(&dir.path().join("own"), Containment::Beneath).expect("open");
        assert!(AtomicDir::open(&root, "data").is_err());
        std::os::unix::fs::symlink("../../other/x", dir.path().join("own/link")).expect("linked");
        fs::remove_file(dir.path().join("own/data")).expect("removed");
        let atomic_dir = AtomicDir::open(&root, "data").expect("made");
        std::os::unix::fs::symlink("../../other/x.json", dir.path().join("own/data/x.json")).expect("linked");
        atomic_dir.put("x.json", |file| file.write_all(b"1")).expect("replaces the link");
        assert_eq!(fs::read_dir(dir.path().join("other")).expect("read").count(), 0);
    }
}
