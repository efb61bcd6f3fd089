//! What clients send every day: none of it may be denied.
//!
//! ```yaml
//! - note: a look                             # what the case shows
//!   run: docker ps                           # a line of shell; `{dir}` is a folder of the host
//!   prints: CONTAINER ID                     # on standard output
//!
//! - note: a registry that is not there
//!   run: docker pull registry.invalid/x
//!   fails: no such host                      # the command fails, and says this
//!
//! - note: a start, as docker-py sends it
//!   request: POST /v1.41/containers/web/start
//!   status: 204
//!   since: { "26.1": { status: 404 } }       # what else is to be expected from a release of Docker on
//! ```

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Call, Denial, Substitutions};
use crate::command::Finished;
use crate::http::Answer;
use crate::release::Release;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ordinary {
    pub note: String,
    run: Option<String>,
    request: Option<Call>,
    #[serde(default)]
    prints: String,
    fails: Option<String>,
    #[serde(default)]
    status: u16,
    #[serde(default)]
    since: BTreeMap<Release, Expected>,
}

/// How a command ends, or the status of an answer.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    #[serde(default)]
    prints: String,
    fails: Option<String>,
    #[serde(default)]
    status: u16,
}

/// What a case asks.
#[derive(Debug)]
pub enum Asked<'a> {
    Shell(String),
    Raw(&'a Call),
}

// === impl Ordinary ===

impl Ordinary {
    /// None where the case asks nothing, or two things.
    pub fn asked(&self, places: &Substitutions) -> Option<Asked<'_>> {
        match (&self.run, &self.request) {
            (Some(line), None) => Some(Asked::Shell(places.fill(line))),
            (None, Some(call)) => Some(Asked::Raw(call)),
            _ => None,
        }
    }

    /// Whether it is to print something.
    pub fn prints(&self, release: Release) -> bool {
        let Expected { prints, fails, .. } = self.expected(release);
        fails.is_none() && !prints.is_empty()
    }

    /// What is wrong with how a command ended.
    pub fn wrong_with_command(&self, release: Release, finished: &Finished) -> Option<String> {
        let Finished { status, stdout, stderr } = finished;
        if let Some(Denial(said)) = Denial::within(stderr).or_else(|| Denial::within(stdout)) {
            return Some(format!("denied: {said}"));
        }
        let Expected { prints, fails, .. } = self.expected(release);
        let as_expected = match fails {
            None => status.success() && stdout.contains(&prints),
            Some(text) => !status.success() && stderr.contains(&text),
        };
        (!as_expected).then(|| format!("{status}: {stdout}{stderr}"))
    }

    /// What is wrong with an answer.
    pub fn wrong_with_answer(&self, release: Release, answer: &Answer) -> Option<String> {
        if let Some(Denial(said)) = Denial::of(answer) {
            return Some(format!("denied: {said}"));
        }
        (answer.status != self.expected(release).status).then(|| format!("{} {}", answer.status, answer.text()))
    }

    fn expected(&self, release: Release) -> Expected {
        let since = self.since.range(..=release).next_back();
        since.map(|(_, expected)| expected.clone()).unwrap_or_else(|| Expected {
            prints: self.prints.clone(),
            fails: self.fails.clone(),
            status: self.status,
        })
    }
}
