//! Cases that are data, in `tests/cases/`: calls to a Docker daemon, and what is expected of it.
//!
//! `bypass/` holds bypasses a plugin, each as raw HTTP; `sequences/` those that take several calls, by the `docker` command;
//! `ordinary/` what clients of every day send.

mod bypass;
mod call;
mod captured;
mod disk;
mod ordinary;
mod sequence;
pub mod volume_plugin;

use std::fs;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::{Doing, Error, Result};
use crate::http::Answer;
use crate::plugin::split_id;
use crate::portcullis;

pub use bypass::{Bypass, Guarded, Leaves, Unguarded};
pub use call::{Call, Substitutions};
pub use captured::{Captured, captured, write};
pub use disk::{Disk, Made};
pub use ordinary::{Asked, Ordinary};
pub use sequence::{Sequence, Shown, Step};

/// A case, and where it stands.
#[derive(Debug)]
pub struct Found<T> {
    /// `FILE: NOTE`
    pub title: String,
    pub case: T,
}

/// What a plugin says through the daemon when it denies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial(pub String);

/// Every case of a folder of `tests/cases`, file by file in the order of their names.
pub fn read<T: DeserializeOwned>(folder: &str, note: impl Fn(&T) -> &str) -> Result<Vec<Found<T>>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases").join(folder);
    let mut paths = Vec::new();
    for entry in fs::read_dir(&folder).doing_to("listing", &folder)? {
        let path = entry.doing_to("listing", &folder)?.path();
        paths.extend(path.extension().is_some_and(|extension| extension == "yaml").then_some(path));
    }
    paths.sort();
    let mut found = Vec::new();
    for path in paths {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).doing_to("reading", &path)?;
        let cases: Vec<T> = serde_yaml_ng::from_str(&text)
            .map_err(|error| Error::Unexpected(format!("`{}`: {error}", path.display())))?;
        found.extend(cases.into_iter().map(|case| Found { title: format!("{name}: {}", note(&case)), case }));
    }
    Ok(found)
}

// === impl Denial ===

impl Denial {
    /// What the plugin said, if this is its denial, or the daemon's word that the plugin failed.
    pub fn of(answer: &Answer) -> Option<Self> {
        let json = answer.json().unwrap_or_default();
        // Below API 1.24 an error is bare text.
        Self::within(json.get("message").and_then(Value::as_str).unwrap_or(&answer.text()))
    }

    /// The same in what `docker` prints.
    pub fn within(text: &str) -> Option<Self> {
        let sentence = format!("authorization denied by plugin {}: ", portcullis::NAME);
        let failure = format!("plugin {} failed with error", portcullis::NAME);
        let said = text.split_once(&sentence).map(|(_, said)| said);
        let failed = text.find(&failure).and_then(|at| text.get(at..));
        said.or(failed).map(|said| Self(split_id(said.trim_end()).0.to_owned()))
    }

    /// Whether a host rule denied.
    pub fn is_by_rule(&self, rule: &str) -> bool {
        self.0.ends_with(&format!("(host rule `{rule}`)"))
    }

    /// Whether this policy denied.
    pub fn is_by_policy(&self, policy: &str) -> bool {
        self.0.starts_with(&format!("{policy}: "))
    }
}
