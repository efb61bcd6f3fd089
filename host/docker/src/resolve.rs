//! Where paths of the host lead: whoever reads a call says how that is found out.

use std::fmt;

/// How a path of the host is resolved. None where that cannot be found out.
pub trait Resolve: Send + Sync + fmt::Debug {
    fn resolve(&self, path: &str) -> Option<Resolved>;
}

/// Where a path of the host leads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resolved {
    /// The path after every symlink and `..` is followed; what does not exist is taken as it is written, below the deepest
    /// folder that does.
    pub path: String,
    /// Where the symlinks lie that were followed, and the folders that `..` led out of, each by a path without symlinks: who
    /// can replace one of them decides where the path leads.
    pub links: Vec<String>,
    /// Whether nothing exists at `path`.
    pub missing: bool,
}

/// An absolute path without `.`, `..` and empty parts, by its text alone: Go's `path.Clean`.
pub fn clean_path(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            other => parts.push(other),
        }
    }
    format!("/{}", parts.join("/"))
}

/// Resolves nothing, for calls that are read on another machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoResolve;

// === impl Resolved ===

impl Resolved {
    /// Something that exists, and is reached without symlinks.
    pub fn plain(path: impl Into<String>) -> Self {
        Self { path: path.into(), links: Vec::new(), missing: false }
    }
}

// === impl NoResolve ===

impl Resolve for NoResolve {
    fn resolve(&self, _: &str) -> Option<Resolved> {
        None
    }
}
