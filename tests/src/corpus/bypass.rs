//! a bypass a plugin: what the daemon does when nobody guards it, and what is expected when somebody does.
//!
//! ```yaml
//! - note: the key in lower case              # what the case shows
//!   before: []                               # calls that must succeed first, guarded or not
//!   request:                                 # or the line alone
//!     line: POST /v1.41/containers/create    # `{host}` is the host's folder, `{name}` a name of the case's own
//!     headers: []                            # left out: `Content-Type: application/json` where there is a body
//!     body: { Image: alpine }                # JSON, text, or a list of pieces: text, hex, repeat and times, pad and to
//!     chunk: 4096                            # the size of chunks; left out: one piece, with its length
//!     framing: none                          # no word of a length
//!     answer: 1                              # which answer on the connection counts
//!   unguarded:                               # what Docker 20.10 does with nobody to ask
//!     status: 201
//!     says: text                             # in the answer
//!     container: { /Privileged: true }       # what the one container that came into being has in its HostConfig
//!     mounts: ["{host}/secret"]              # folders of the host that it has
//!     volume: "{host}/secret"                # what the one volume that came into being is
//!     leaves: { get: /info, has: { /a: 1 } } # what can be read afterwards; `{id}` is the ID that was answered
//!     round: true                            # the status alone shows that somebody got round
//!   guarded: { status: 403, rule: NAME }     # or `policy: NAME` with `reason: text`, or a status of the daemon's own
//!   since:                                   # what differs from a release on; the rest stays
//!     "26.1": { unguarded: { status: 400 }, guarded: { status: 400 } }
//!   newer: text                              # the exact version, and what daemons do that are not tested
//!   limit: text                              # why no plugin can deny it
//!   after: []                                # calls that undo what would disturb other cases
//! ```

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{Call, Denial, Disk, Made, Substitutions};
use crate::error::Result;
use crate::http::Answer;
use crate::release::Release;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bypass {
    pub note: String,
    #[serde(default)]
    pub before: Vec<Call>,
    pub request: Call,
    unguarded: Unguarded,
    guarded: Guarded,
    #[serde(default)]
    since: BTreeMap<Release, Otherwise>,
    pub newer: Option<String>,
    pub limit: Option<String>,
    #[serde(default)]
    pub after: Vec<Call>,
}

/// What differs from a release on.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Otherwise {
    unguarded: Option<Unguarded>,
    guarded: Option<Guarded>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unguarded {
    pub status: u16,
    pub says: Option<String>,
    #[serde(default)]
    container: BTreeMap<String, Value>,
    #[serde(default)]
    mounts: Vec<String>,
    volume: Option<String>,
    pub leaves: Option<Leaves>,
    #[serde(default)]
    pub round: bool,
}

/// What can be read afterwards.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leaves {
    get: String,
    #[serde(default)]
    has: BTreeMap<String, Value>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Guarded {
    pub status: u16,
    pub rule: Option<String>,
    pub policy: Option<String>,
    /// In what the policy says.
    pub reason: Option<String>,
    /// In what the daemon says.
    pub says: Option<String>,
}

// === impl Bypass ===

impl Bypass {
    /// What this release does when nobody guards it.
    pub fn unguarded(&self, release: Release) -> &Unguarded {
        self.latest(release, |otherwise| otherwise.unguarded.as_ref()).unwrap_or(&self.unguarded)
    }

    /// What is expected of this release when it is guarded.
    pub fn guarded(&self, release: Release) -> &Guarded {
        self.latest(release, |otherwise| otherwise.guarded.as_ref()).unwrap_or(&self.guarded)
    }

    fn latest<T>(&self, release: Release, part: impl Fn(&Otherwise) -> Option<&T>) -> Option<&T> {
        self.since.range(..=release).rev().find_map(|(_, otherwise)| part(otherwise))
    }
}

// === impl Unguarded ===

impl Unguarded {
    /// How what came of the call differs from this.
    pub fn difference(
        &self,
        answer: &Answer,
        made: &Made,
        disk: &Disk,
        places: &Substitutions,
    ) -> Result<Option<String>> {
        if let Some(difference) = said(self.status, self.says.as_deref(), answer) {
            return Ok(Some(difference));
        }
        if !self.container.is_empty() {
            let config = disk.host_config(made.container()?)?;
            if let Some(difference) = unlike(&config, &self.container, places) {
                return Ok(Some(difference));
            }
        }
        if !self.mounts.is_empty() {
            let mut mounts: Vec<String> = disk.mounts(made.container()?)?.into_iter().map(|(path, _)| path).collect();
            let mut expected: Vec<String> = self.mounts.iter().map(|path| places.fill(path)).collect();
            mounts.sort();
            expected.sort();
            if mounts != expected {
                return Ok(Some(format!("it mounts {mounts:?}")));
            }
        }
        if let Some(device) = &self.volume {
            let found = disk.device(made.volume()?)?.map(|(device, _)| device);
            if found != Some(places.fill(device)) {
                return Ok(Some(format!("the volume is {found:?}")));
            }
        }
        Ok(None)
    }
}

// === impl Leaves ===

impl Leaves {
    /// The call that shows it; none where it needs an ID that was not given.
    pub fn call(&self, answer: &Answer, places: &Substitutions) -> Option<Call> {
        let json = answer.json().unwrap_or_default();
        let id = json.get("Id").and_then(Value::as_str);
        let target = places.fill(&self.get);
        match id {
            Some(id) => Some(Call::new(format!("GET {}", target.replace("{id}", id)))),
            None => (!target.contains("{id}")).then(|| Call::new(format!("GET {target}"))),
        }
    }

    pub fn is_in(&self, answer: &Answer, places: &Substitutions) -> bool {
        answer.status == 200 && unlike(&answer.json().unwrap_or_default(), &self.has, places).is_none()
    }
}

// === impl Guarded ===

impl Guarded {
    /// Whether the call is to be denied, rather than answered by the daemon.
    pub fn is_denial(&self) -> bool {
        self.rule.is_some() || self.policy.is_some()
    }

    pub fn difference(&self, answer: &Answer) -> Option<String> {
        let denial = Denial::of(answer);
        let as_expected = match &denial {
            None => !self.is_denial(),
            Some(denial) => {
                let by_rule = self.rule.as_ref().is_some_and(|rule| denial.is_by_rule(rule));
                let by_policy = self.policy.as_ref().is_some_and(|policy| denial.is_by_policy(policy));
                (by_rule || by_policy) && self.reason.as_ref().is_none_or(|reason| denial.0.contains(reason))
            }
        };
        if as_expected { said(self.status, self.says.as_deref(), answer) } else { Some(shown(answer)) }
    }
}

fn said(status: u16, text: Option<&str>, answer: &Answer) -> Option<String> {
    let as_expected = answer.status == status && text.is_none_or(|text| answer.text().contains(text));
    (!as_expected).then(|| shown(answer))
}

fn shown(answer: &Answer) -> String {
    let text: String = answer.text().chars().take(300).collect();
    format!("{} {text}", answer.status)
}

/// The first pointer whose value differs.
fn unlike(value: &Value, expected: &BTreeMap<String, Value>, places: &Substitutions) -> Option<String> {
    let found = |pointer: &str| value.pointer(pointer).cloned().unwrap_or_default();
    let differing = expected.iter().find(|(pointer, expected)| {
        let expected = expected.as_str().map_or_else(|| (*expected).clone(), |text| places.fill(text).into());
        found(pointer) != expected
    });
    differing.map(|(pointer, _)| format!("`{pointer}` is {}", found(pointer)))
}
