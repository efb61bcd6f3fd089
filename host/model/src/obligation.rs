//! What a policy demands of a call that is allowed. `wit/policy.wit` says what each means.

use serde::Serialize;

use crate::name::PolicyName;

/// One demand.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Obligation {
    /// The body has this value, which is JSON text, at an RFC 6901 pointer.
    Set { pointer: String, value: String },
    /// What the call makes has this label.
    Label { name: String, value: String },
    /// The answer lists nothing without this label.
    ShowOnly { name: String, value: String },
    /// The answer has nothing at an RFC 6901 pointer.
    Redact { pointer: String },
}

/// What one policy demands, and whether the call is as it demands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Demands {
    pub obligations: Vec<Obligation>,
    /// What is to be added to the call, where something is.
    pub unmet: Option<String>,
}

/// What two policies demand, and no call can have together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contradiction {
    pub policy: PolicyName,
    pub other: PolicyName,
    /// A pointer, or a label.
    pub about: String,
}

// === impl Obligation ===

impl Obligation {
    /// Of one policy for one call.
    pub const MOST: usize = 64;
    /// What they may hold together, in bytes.
    pub const MOST_BYTES: usize = 64 << 10;

    /// How many bytes it holds.
    pub fn size(&self) -> usize {
        match self {
            Self::Set { pointer, value } => pointer.len() + value.len(),
            Self::Label { name, value } | Self::ShowOnly { name, value } => name.len() + value.len(),
            Self::Redact { pointer } => pointer.len(),
        }
    }
}

/// As people write it: `set /HostConfig/Memory to 536870912`.
impl std::fmt::Display for Obligation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Set { pointer, value } => write!(f, "set {pointer} to {value}"),
            Self::Label { name, value } => write!(f, "label {name}={value}"),
            Self::ShowOnly { name, value } => write!(f, "show only {name}={value}"),
            Self::Redact { pointer } => write!(f, "redact {pointer}"),
        }
    }
}
