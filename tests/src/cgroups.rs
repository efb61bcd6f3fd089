//! Control groups: containers that were killed leave theirs.

use std::fs;
use std::path::Path;

use crate::wait;

/// Removes the groups of this name: version 2 has one tree, version 1 a tree a controller.
pub(crate) fn remove(name: &str) {
    let root = Path::new("/sys/fs/cgroup");
    let controllers = fs::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.path());
    for tree in std::iter::once(root.to_owned()).chain(controllers) {
        let doomed = tree.join(name);
        if doomed.is_dir() {
            let emptied = wait::until("removal", wait::DEADLINE, || remove_folders(&doomed).ok());
            if emptied.is_err() {
                eprintln!("the control group `{}` could not be removed", doomed.display());
            }
        }
    }
}

/// The files in a control group go with its folder, and cannot be removed themselves.
fn remove_folders(folder: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_folders(&entry.path())?;
        }
    }
    fs::remove_dir(folder)
}
