//! Cases that are data: `cases/*.yaml` beside a policy, a list of [`Case`]s a file.
//!
//! They run here, without a sandbox, and in the host, on the policy as it was built. A [`Case`] says what is asked
//! ([`Case::given`]) and compares what came of it ([`Case::check`]); who runs it puts the policy in between.
//!
//! ```yaml
//! - note: a reader does not create          # what the case shows
//!   request:                                # or `call: FILE`, a captured plugin call, beside the cases
//!     method: POST
//!     target: /v1.41/containers/create
//!     user: bob                             # the common name of the TLS certificate
//!     headers: { X-Trace: "1" }             # null takes one away that would be filled in
//!     body: { Image: alpine }               # JSON; a string is sent as it is
//!     certificates: []                      # PEM
//!   settings: {}                            # the policy's own
//!   data: { users: { bob: { readOnly: true } } }
//!   paths: { /srv/link: /etc }              # symlinks of the host; "": nothing is there; null: cannot be found out
//!   state: { count: 3 }                     # what the policy has kept before: text, or a counter
//!   expect: { deny: may only read }         # allow, abstain, deny: in the reason, refused: by this host rule,
//!                                           # settings: in what the policy says of its settings when it is loaded
//!   demanded: ["label owner=bob"]           # what the policy demands of the call; left out: nothing
//!   state_after: { count: 4 }               # all of it; left out: as before
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fmt, fs, io};

use portcullis_docker::json::JsonError;
use portcullis_docker::wire::{self, WireError};
use portcullis_document::Document;
use portcullis_model::{Data, Request, Verdict};
use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;

use super::paths::Paths;
use super::{Call, json, reading};

/// One call, and what the policy is expected to say.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What the case shows.
    pub note: String,
    pub request: Option<Call>,
    /// A file with the JSON of a plugin call, in the folder of the case.
    pub call: Option<PathBuf>,
    #[serde(default = "empty")]
    pub settings: Value,
    /// The operator's documents by name.
    #[serde(default)]
    pub data: BTreeMap<String, Value>,
    /// Symlinks of the host, and where they lead; none: it cannot be found out.
    #[serde(default)]
    pub paths: BTreeMap<String, Option<String>>,
    #[serde(default)]
    pub state: BTreeMap<String, Kept>,
    #[serde(with = "serde_yaml_ng::with::singleton_map")]
    pub expect: Expected,
    /// What the policy demands of a call that it does not deny, as it is printed.
    #[serde(default)]
    pub demanded: Vec<String>,
    /// All that the policy keeps afterwards; left out, what it has kept before.
    pub state_after: Option<BTreeMap<String, Kept>>,
}

/// What is expected of a policy, or of the host before it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Expected {
    Allow,
    Abstain,
    /// With a reason that contains this.
    Deny(String),
    /// The host refuses by this rule, and asks no policy.
    Refused(String),
    /// The policy refuses its settings, and says this.
    Settings(String),
}

/// A value that a policy keeps: text, or a counter, which is 8 bytes, little-endian.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Kept {
    Counter(i64),
    Text(String),
}

/// What a case gives to the host and the policy.
#[derive(Clone)]
pub struct Given {
    /// The request, or the name of the host rule that refuses the call.
    pub request: Result<Arc<dyn Request>, String>,
    pub data: Arc<Data>,
    pub settings: Arc<Document>,
    pub state: BTreeMap<String, Vec<u8>>,
}

/// What came of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub answer: Answer,
    /// As it is printed.
    pub demanded: Vec<String>,
    pub state: BTreeMap<String, Vec<u8>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Verdict(Verdict),
    /// The host refused by this rule.
    Refused(String),
    /// The policy refused its settings.
    Settings(String),
    /// The policy did not answer properly.
    Fault(String),
}

/// A file of cases.
#[derive(Clone, Debug)]
pub struct Cases {
    pub path: PathBuf,
    pub cases: Vec<Case>,
}

/// Why cases cannot be read.
#[derive(Debug, Error)]
pub enum CasesError {
    #[error("`{}` cannot be read", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("`{}` is not a list of cases: {source}", path.display())]
    NotCases { path: PathBuf, source: serde_yaml_ng::Error },
}

/// Why a case cannot be run.
#[derive(Debug, Error)]
pub enum GivenError {
    #[error("a case has either `request` or `call`")]
    OneCall,
    #[error("`{}` cannot be read", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("`{}` is not a plugin call: {source}", path.display())]
    NotACall { path: PathBuf, source: WireError },
    #[error("the {what} cannot be read: {source}")]
    Json { what: &'static str, source: JsonError },
}

/// How the outcome differs from what was expected.
#[derive(Debug, Error)]
pub enum Mismatch {
    #[error("expected {expected:?}, got {got:?}")]
    Answer { expected: Expected, got: Answer },
    #[error("expected to be demanded {expected:?}, but demanded was {got:?}")]
    Demanded { expected: Vec<String>, got: Vec<String> },
    #[error("expected to be kept {expected:?}, but kept {got:?}")]
    State { expected: BTreeMap<String, String>, got: BTreeMap<String, String> },
}

// === impl Given ===

impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let request = self.request.as_ref().map(|request| request.operation());
        f.debug_struct("Given").field("request", &request).field("state", &self.state).finish_non_exhaustive()
    }
}

// === impl Cases ===

impl Cases {
    /// All `*.yaml` of a folder, sorted by name.
    pub fn of_folder(folder: &Path) -> Result<Vec<Self>, CasesError> {
        let unreadable = |source| CasesError::Unreadable { path: folder.to_owned(), source };
        let entries = fs::read_dir(folder).map_err(unreadable)?;
        let paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>();
        let mut paths = paths.map_err(unreadable)?;
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
        paths.sort();
        paths.iter().map(|path| Self::of_file(path)).collect()
    }

    pub fn of_file(path: &Path) -> Result<Self, CasesError> {
        let path = path.to_owned();
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(source) => return Err(CasesError::Unreadable { path, source }),
        };
        match serde_yaml_ng::from_str(&text) {
            Ok(cases) => Ok(Self { path, cases }),
            Err(source) => Err(CasesError::NotCases { path, source }),
        }
    }

    /// Where the files lie that cases name.
    pub fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("."))
    }
}

// === impl Case ===

impl Case {
    /// What the case gives, its files from `folder`.
    pub fn given(&self, folder: &Path) -> Result<Given, GivenError> {
        let json_error = |what| move |source| GivenError::Json { what, source };
        Ok(Given {
            request: self.read_call(folder)?,
            data: json::data(&self.data).map_err(json_error("data"))?,
            settings: json::document(&self.settings).map_err(json_error("settings"))?,
            state: bytes(&self.state),
        })
    }

    fn read_call(&self, folder: &Path) -> Result<Result<Arc<dyn Request>, String>, GivenError> {
        let call = match (&self.request, &self.call) {
            (Some(call), None) => call.wire(),
            (None, Some(file)) => read_file(&folder.join(file))?,
            (Some(_), Some(_)) | (None, None) => return Err(GivenError::OneCall),
        };
        Ok(reading::read(call, Paths::new(self.paths.clone())).map_err(|refusal| refusal.rule.to_string()))
    }

    /// Compares what came of the case with what it expects.
    pub fn check(&self, outcome: &Outcome) -> Result<(), Mismatch> {
        let as_expected = match (&self.expect, &outcome.answer) {
            (Expected::Allow, Answer::Verdict(Verdict::Allow)) => true,
            (Expected::Abstain, Answer::Verdict(Verdict::Abstain)) => true,
            (Expected::Deny(text), Answer::Verdict(Verdict::Deny(reason))) => reason.as_str().contains(text),
            (Expected::Refused(rule), Answer::Refused(name)) => rule == name,
            (Expected::Settings(text), Answer::Settings(reason)) => reason.contains(text),
            _ => false,
        };
        if !as_expected {
            return Err(Mismatch::Answer { expected: self.expect.clone(), got: outcome.answer.clone() });
        }
        let is_denied = matches!(self.expect, Expected::Deny(_));
        if !is_denied && self.demanded != outcome.demanded {
            return Err(Mismatch::Demanded { expected: self.demanded.clone(), got: outcome.demanded.clone() });
        }
        let expected = bytes(self.state_after.as_ref().unwrap_or(&self.state));
        if expected != outcome.state {
            return Err(Mismatch::State { expected: texts(&expected), got: texts(&outcome.state) });
        }
        Ok(())
    }
}

// === impl Kept ===

impl Kept {
    /// As the store has it.
    pub fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Counter(count) => count.to_le_bytes().to_vec(),
            Self::Text(text) => text.clone().into_bytes(),
        }
    }
}

fn read_file(path: &Path) -> Result<wire::Call, GivenError> {
    let bytes = fs::read(path).map_err(|source| GivenError::Unreadable { path: path.to_owned(), source })?;
    wire::read_call(&bytes).map_err(|source| GivenError::NotACall { path: path.to_owned(), source })
}

fn bytes(kept: &BTreeMap<String, Kept>) -> BTreeMap<String, Vec<u8>> {
    kept.iter().map(|(key, value)| (key.clone(), value.bytes())).collect()
}

fn texts(kept: &BTreeMap<String, Vec<u8>>) -> BTreeMap<String, String> {
    let text = |value: &[u8]| match std::str::from_utf8(value) {
        Ok(text) if !text.contains('\0') => text.to_owned(),
        _ => value.try_into().map_or_else(|_| format!("{value:?}"), |bytes| i64::from_le_bytes(bytes).to_string()),
    };
    kept.iter().map(|(key, value)| (key.clone(), text(value))).collect()
}

fn empty() -> Value {
    Value::Object(serde_json::Map::new())
}
