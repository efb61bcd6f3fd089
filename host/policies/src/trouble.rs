//! What lies in folders and is not in force, and what is wrong with them.

use std::sync::Arc;

use portcullis_model::TenantName;

/// What a remark is about.
pub const IGNORED: &str = "ignored";
/// What others than the operator may write.
pub const PERMISSIONS: &str = "permissions";

/// Whose folder: none is the host's own.
pub type Scope = Option<TenantName>;

/// Something that lies in a folder and is not in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// `policy`, `data`, `tenant`, `folder`; or one of [`Trouble::REMARKS`].
    pub what: &'static str,
    /// Empty where it is the folder itself.
    pub name: String,
    pub problem: Arc<str>,
}

/// By tenant; none is the host.
pub type Troubles = std::collections::BTreeMap<Option<TenantName>, Vec<Trouble>>;

// === impl Trouble ===

impl Trouble {
    /// Files that are not read, and what others than the operator may write: everything that was read is in force.
    pub const REMARKS: [&str; 2] = [IGNORED, PERMISSIONS];

    /// Whether everything that was read is in force all the same.
    pub fn is_remark(&self) -> bool {
        Self::REMARKS.contains(&self.what)
    }
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { what, name, problem } = self;
        if name.is_empty() || Self::REMARKS.contains(what) {
            return f.write_str(problem);
        }
        write!(f, "{what} `{name}` cannot be loaded: {problem}")
    }
}
