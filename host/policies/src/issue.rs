//! What lies in folders and is not active, and what is wrong with them.

use std::sync::Arc;

use portcullis_config::Problems;
use portcullis_model::TenantName;

use crate::file_set::Broken;

/// What a remark is about.
pub const IGNORED: &str = "ignored";
/// What others than the operator may write.
pub const PERMISSIONS: &str = "permissions";

/// Whose folder: none is the host's own.
pub type Scope = Option<TenantName>;

/// Something that lies in a folder and is not active.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadIssue {
    /// `policy`, `data`, `tenant`, `folder`; or one of [`LoadIssue::REMARKS`].
    pub what: &'static str,
    /// Empty where it is the folder itself.
    pub name: String,
    pub problem: Arc<str>,
    /// Each mistake by itself; none where `problem` is not about a file's content.
    pub mistakes: Arc<Problems>,
    pub effect: Effect,
}

/// What comes of a trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// What was good before stays active.
    LastGoodStays,
    /// Calls are denied.
    Denies,
    /// It is not active, and no call is denied for it.
    NotInForce,
    /// Everything that was read is active.
    Remark,
}

/// By tenant; none is the host.
pub type LoadIssues = std::collections::BTreeMap<Option<TenantName>, Vec<LoadIssue>>;

// === impl LoadIssue ===

impl LoadIssue {
    /// Files that are not read, and what others than the operator may write: everything that was read is active.
    pub const REMARKS: [&str; 2] = [IGNORED, PERMISSIONS];

    /// One of which there is no more to say than this.
    pub(crate) fn new(what: &'static str, name: &str, problem: impl Into<Arc<str>>, effect: Effect) -> Self {
        Self { what, name: name.to_owned(), problem: problem.into(), mistakes: Arc::default(), effect }
    }

    pub(crate) fn of(what: &'static str, name: &str, broken: &Broken, effect: Effect) -> Self {
        let Broken { text, mistakes } = broken.clone();
        Self { what, name: name.to_owned(), problem: text, mistakes, effect }
    }

    /// Whether everything that was read is active all the same.
    pub fn is_remark(&self) -> bool {
        Self::REMARKS.contains(&self.what)
    }
}

impl std::fmt::Display for LoadIssue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { what, name, problem, .. } = self;
        if name.is_empty() || Self::REMARKS.contains(what) {
            return f.write_str(problem);
        }
        write!(f, "{what} `{name}` cannot be loaded: {problem}")
    }
}
