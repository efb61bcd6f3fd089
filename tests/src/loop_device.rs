//! A disk of the test's own: a file with a file system in it, as a block device of this machine.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::artifacts;
use crate::cleanup::Cleanup;
use crate::command::Finished;
use crate::error::{Doing, Error, Result};
use crate::scratch::Scratch;

const SIZE: &str = "4M";

/// Given back when this is dropped.
#[derive(Debug)]
pub struct LoopDevice {
    pub major: String,
    pub minor: String,
    _cleanup: Cleanup,
    _scratch: Scratch,
}

// === impl LoopDevice ===

impl LoopDevice {
    /// Holds one file of this name and text.
    pub fn with_file(name: &str, text: &str) -> Result<Self> {
        let scratch = Scratch::new()?;
        let (disk, content) = (scratch.path().join("disk"), scratch.folder("content")?);
        let path = content.join(name);
        fs::write(&path, text).doing_to("writing", &path)?;
        let mkfs = artifacts::installed("mkfs.ext4")?;
        Finished::well(Command::new(mkfs).arg("-q").arg("-d").arg(&content).arg(&disk).arg(SIZE))?;
        let losetup = artifacts::installed("losetup")?;
        let (device, _cleanup) = Cleanup::of(|| {
            let found = Finished::well(Command::new(&losetup).args(["--find", "--show", "--read-only"]).arg(&disk))?;
            let device = found.stdout.trim().to_owned();
            let doomed = device.clone();
            Ok((device, move || drop(Command::new(losetup).arg("--detach").arg(doomed).status())))
        })?;
        let name = Path::new(&device).file_name().unwrap_or_default();
        let path = Path::new("/sys/class/block").join(name).join("dev");
        let number = fs::read_to_string(&path).doing_to("reading", &path)?;
        let (major, minor) = number
            .trim()
            .split_once(':')
            .ok_or_else(|| Error::Unexpected(format!("expected `MAJOR:MINOR` in `{}`: {number}", path.display())))?;
        Ok(Self { major: major.to_owned(), minor: minor.to_owned(), _cleanup, _scratch: scratch })
    }
}
