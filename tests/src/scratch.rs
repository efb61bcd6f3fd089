//! Temporary folders with short paths: a unix socket's path has at most 107 bytes.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Once;

use crate::cleanup::Cleanup;
use crate::error::{Doing, Result};
use crate::{cgroups, wait};

const PARENT: &str = "/tmp";
const PREFIX: &str = "portcullis-";

/// A folder that is removed with everything in it.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    _cleanup: Cleanup,
}

impl Scratch {
    pub fn new() -> Result<Self> {
        static SWEEP: Once = Once::new();
        SWEEP.call_once(sweep);
        let prefix = format!("{PREFIX}{}-", std::process::id());
        let (path, _cleanup) = Cleanup::of(|| {
            let path =
                tempfile::Builder::new().prefix(&prefix).tempdir_in(PARENT).doing("making a folder in /tmp")?.keep();
            let doomed = path.clone();
            Ok((path, move || remove(&doomed)))
        })?;
        Ok(Self { path, _cleanup })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A folder right inside, made if it is not there.
    pub fn folder(&self, name: &str) -> Result<PathBuf> {
        let path = self.path.join(name);
        match fs::create_dir(&path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error).doing_to("making", &path),
            _ => Ok(path),
        }
    }
}

/// A process that is being killed may still write a last file.
fn remove(path: &Path) {
    let gone = wait::until("removal", wait::DEADLINE, || {
        let _ = fs::remove_dir_all(path);
        (!path.exists()).then_some(())
    });
    if gone.is_err() {
        eprintln!("`{}` could not be removed", path.display());
    }
}

/// Removes what a run that was killed outright has left.
fn sweep() {
    let Ok(entries) = fs::read_dir(PARENT) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let owner = name.strip_prefix(PREFIX).and_then(|rest| rest.split_once('-')?.0.parse::<u32>().ok());
        if owner.is_some_and(|pid| !Path::new("/proc").join(pid.to_string()).exists()) {
            cgroups::remove(name);
            // Another run may be sweeping too.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
