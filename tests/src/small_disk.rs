//! A disk that is soon full: a small tmpfs over a folder, with a file that takes all the room that is left.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cleanup::Cleanup;
use crate::error::{Doing, Error, Result};

/// Unmounted when this is dropped.
#[derive(Debug)]
pub struct SmallDisk {
    folder: PathBuf,
    _cleanup: Cleanup,
}

// === impl SmallDisk ===

impl SmallDisk {
    /// Lies over an empty folder; `size` as mount has it.
    pub fn over(folder: &Path, size: &str) -> Result<Self> {
        let options = format!("size={size},mode=0755");
        let (folder, _cleanup) = Cleanup::of(|| {
            run("mount", &["-t", "tmpfs", "-o", &options, "tmpfs"], folder)?;
            let (folder, mounted) = (folder.to_owned(), folder.to_owned());
            Ok((folder, move || drop(run("umount", &["--lazy"], &mounted))))
        })?;
        Ok(Self { folder, _cleanup })
    }

    /// Takes all the room that is left.
    pub fn fill(&self) -> Result<()> {
        let path = self.ballast();
        let mut file = File::create(&path).doing_to("making", &path)?;
        let mut block = vec![0; 64 << 10];
        while !block.is_empty() {
            if file.write_all(&block).is_err() {
                block.truncate(block.len() / 2);
            }
        }
        Ok(())
    }

    /// Gives it back.
    pub fn empty(&self) -> Result<()> {
        let path = self.ballast();
        fs::remove_file(&path).doing_to("removing", &path)
    }

    fn ballast(&self) -> PathBuf {
        self.folder.join(".ballast")
    }
}

fn run(program: &str, arguments: &[&str], folder: &Path) -> Result<()> {
    let status = Command::new(program).args(arguments).arg(folder).status().doing(program)?;
    if status.success() { Ok(()) } else { Err(Error::Unexpected(format!("{program}: {status}"))) }
}
