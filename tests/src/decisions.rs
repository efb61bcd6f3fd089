//! What the host has logged of decisions, read back as an operator's tools read it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use portcullis_decision_log::record::DecisionRecord;
use serde_json::Value;

use crate::cleanup::Cleanup;
use crate::command::Finished;
use crate::error::{Doing, Error, Result};

/// A disk of its own, in memory, as large as it is told.
#[derive(Debug)]
pub struct SmallDisk {
    path: PathBuf,
    _cleanup: Cleanup,
}

/// A file of decisions, and those that it was rotated to.
#[derive(Clone, Debug)]
pub struct LogFile(PathBuf);

// === impl SmallDisk ===

impl SmallDisk {
    /// Mounts one on a folder that there is.
    pub fn mount(path: &Path, bytes: u64) -> Result<Self> {
        let options = format!("size={bytes},mode=0755");
        let (path, _cleanup) = Cleanup::of(|| {
            let mounted = Finished::of(Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(path))?;
            if !mounted.status.success() {
                return Err(Error::Unexpected(format!("a disk in memory cannot be mounted: {mounted:?}")));
            }
            let doomed = path.to_owned();
            Ok((path.to_owned(), move || {
                let _ = Finished::of(Command::new("umount").arg("--lazy").arg(&doomed));
            }))
        })?;
        Ok(Self { path, _cleanup })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes until nothing more fits.
    pub fn fill(&self) -> Result<()> {
        let path = self.filler();
        let mut filler = fs::File::create(&path).doing_to("making", &path)?;
        for size in [64 << 10, 4 << 10, 1] {
            while std::io::Write::write_all(&mut filler, &vec![0; size]).is_ok() {}
        }
        Ok(())
    }

    /// Makes room again.
    pub fn empty(&self) -> Result<()> {
        let path = self.filler();
        fs::remove_file(&path).doing_to("removing", &path)
    }

    fn filler(&self) -> PathBuf {
        self.path.join("filler")
    }
}

// === impl LogFile ===

impl LogFile {
    pub fn new(path: PathBuf) -> Self {
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// All lines, of rotated files too, the oldest first.
    pub fn lines(&self) -> Result<Vec<String>> {
        let mut rotated: Vec<(u32, PathBuf)> = Vec::new();
        let folder = self.0.parent().unwrap_or(Path::new("/"));
        let name = self.0.file_name().unwrap_or_default().to_string_lossy().into_owned();
        for entry in fs::read_dir(folder).doing_to("listing", folder)?.flatten() {
            let other = entry.file_name().to_string_lossy().into_owned();
            let number = other.strip_prefix(&name).and_then(|rest| rest.strip_prefix('.')?.parse().ok());
            rotated.extend(number.map(|number| (number, entry.path())));
        }
        rotated.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
        let mut lines = Vec::new();
        for path in rotated.into_iter().map(|(_, path)| path).chain([self.0.clone()]) {
            if path.exists() {
                let text = fs::read_to_string(&path).doing_to("reading", &path)?;
                lines.extend(text.lines().map(str::to_owned));
            }
        }
        Ok(lines)
    }

    /// Every decision in it; a line that is neither that nor JSON is an error.
    pub fn records(&self) -> Result<Vec<DecisionRecord<'static>>> {
        self.lines()?.iter().filter_map(|line| record(line).transpose()).collect()
    }
}

/// A line's decision; none where it is of something else.
pub fn record(line: &str) -> Result<Option<DecisionRecord<'static>>> {
    let unreadable = |error: serde_json::Error| Error::Unexpected(format!("{error}: {line}"));
    let value: Value = serde_json::from_str(line).map_err(unreadable)?;
    if value.get("message").and_then(Value::as_str) != Some("decision") {
        return Ok(None);
    }
    serde_json::from_value(value).map(Some).map_err(unreadable)
}
