//! One decision, as it is logged: one line of JSON. `docs/decision-log.md` and its schema say the same.

use portcullis_model::decision::Would;
use portcullis_model::{Answer, Cause};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What is written of one decision, and read back: by `portcullis logs`, `why` and `replay`.
///
/// Whatever is not known is absent, unless it says here that it is null.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DecisionRecord {
    /// RFC 3339, UTC, microseconds: when the call had arrived.
    pub timestamp: String,
    /// `INFO`.
    pub level: String,
    /// `decision`.
    pub message: String,
    /// A ULID, whose last characters are the short ID that the caller is shown.
    pub id: String,
    /// `allow` or `deny`: what dockerd was told.
    pub answer: String,
    /// [`Cause::kind`](portcullis_model::Cause::kind).
    pub cause: String,
    /// The host rule, with the cause `rule`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// What the caller was told, without the ID; only of a denial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What the operator is told and the caller is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// What would have been answered, had everything that is only observed counted; absent where that is the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub would: Option<WouldBe>,
    /// `enforce` or `observe`: the tenant's.
    pub mode: String,
    /// Null where it cannot be told.
    pub tenant: Option<String>,
    pub listener: String,
    pub generation: u64,
    /// Null where the call could not be read so far; so are `method`, `path` and `user`.
    pub operation: Option<String>,
    pub method: Option<String>,
    /// As policies see it.
    pub path: Option<String>,
    /// The common name of the caller's certificate.
    pub user: Option<String>,
    /// The process at the other end of the plugin socket: dockerd.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<PeerRecord>,
    /// SHA-256 of the caller's own certificate, lower-case hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    /// Microseconds from the call's last byte to the answer.
    pub took_us: u64,
    /// Of these: reading the call, waiting for a place, asking policies.
    pub read_us: u64,
    pub wait_us: u64,
    pub ask_us: u64,
    /// Every policy that was asked, in order.
    pub policies: Vec<PolicyRecord>,
    /// The call, canonical and redacted; null where there is none, or where even without its body it is too large.
    pub request: Option<RequestRecord>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WouldBe {
    pub answer: String,
    pub cause: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PeerRecord {
    pub uid: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<i32>,
}

/// One policy's part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PolicyRecord {
    pub policy: String,
    /// `host` or `tenant`: whose it is.
    pub origin: String,
    /// `enforce` or `observe`: whether its verdict counted.
    pub mode: String,
    /// Null where its file could not be read.
    pub digest: Option<String>,
    /// `allow`, `deny`, `abstain`, or the kind of its fault.
    pub verdict: String,
    /// Of a denial, or the whole story of a fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub took_us: u64,
    /// Lines that it logged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log: Vec<PolicyLineRecord>,
    /// Lines that it logged and that are not in `log`: a limit was reached.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub log_dropped: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PolicyLineRecord {
    /// `DEBUG`, `INFO`, `WARN` or `ERROR`.
    pub level: String,
    pub message: String,
}

/// A call, so that it can be asked again: what a policy can see of it, with what is secret replaced.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RequestRecord {
    /// The target as it was sent, its query redacted.
    pub uri: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authentication: Option<String>,
    /// PEM texts, the caller's own first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<String>,
    /// The JSON body in canonical spelling.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// Where paths of mounts led that do not lead where they are written: null where that could not be told.
    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub resolved: std::collections::BTreeMap<String, Option<String>>,
    /// The symlinks that they led through, and the folders that `..` led out of, by path.
    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub links: std::collections::BTreeMap<String, Vec<String>>,
    /// Paths of mounts at whose end nothing was.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// JSON pointers into this record of what was replaced.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub redacted: Vec<String>,
    /// JSON pointers into this record of what was left out: it was not read, nobody asked where mounts lead, or the record
    /// would be too large.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
}

// === impl PolicyRecord ===

impl PolicyRecord {
    /// Whether it gave no verdict.
    pub fn is_fault(&self) -> bool {
        !matches!(&*self.verdict, "allow" | "deny" | "abstain")
    }
}

// === impl WouldBe ===

impl WouldBe {
    pub fn of(would: &Would) -> Self {
        let reason = match &would.answer {
            Answer::Allow => None,
            Answer::Deny(reason) => Some(reason.to_string()),
        };
        let rule = if let Cause::Rule(rule) = would.cause { Some(rule.to_owned()) } else { None };
        let answer = if would.answer.is_allow() { "allow" } else { "deny" };
        Self { answer: answer.to_owned(), cause: would.cause.kind().to_owned(), rule, reason }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}
