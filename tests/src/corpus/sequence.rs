//! A bypass of several calls: none of them says by itself what the daemon does in the end.
//!
//! ```yaml
//! - note: a device node, mounted             # what the case shows
//!   from: "26.1"                             # the first release that it works on; left out: every release
//!   settings: "allow = []"                   # the settings of `bind-mounts`; left out: those of the test
//!   steps:
//!     - run: docker volume create x          # a line of shell, which succeeds; `{host}` is the host's folder
//!       denied: bind-mounts                  # guarded, this policy denies it; what follows is tried all the same
//!       reason: text                         # in what the policy says
//!     - request: POST /v1.41/containers/x/start      # a raw call, likewise
//!   proof: { run: docker logs x, prints: text }      # unguarded, it prints this in the end; guarded, it does not
//!   after: docker rm -f x                    # undoes what would disturb other cases
//! ```

use std::path::Path;

use serde::Deserialize;

use super::{Call, Denial, Substitutions};
use crate::command::Finished;
use crate::docker::Docker;
use crate::error::{Error, Result};
use crate::release::Release;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sequence {
    pub note: String,
    #[serde(default)]
    from: Release,
    pub settings: Option<String>,
    pub steps: Vec<Step>,
    pub proof: Proof,
    #[serde(default)]
    pub after: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    run: Option<String>,
    request: Option<Call>,
    pub denied: Option<String>,
    #[serde(default)]
    reason: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    run: String,
    prints: String,
}

/// What came of a step.
#[derive(Debug)]
pub struct Shown {
    pub succeeded: bool,
    denial: Option<Denial>,
    pub text: String,
}

// === impl Sequence ===

impl Sequence {
    pub fn works_on(&self, release: Release) -> bool {
        self.from <= release
    }
}

// === impl Step ===

impl Step {
    /// Takes it: as `docker`, or with a header that says who calls.
    pub fn play(&self, socket: &Path, docker: &Docker, header: (&str, &str), places: &Substitutions) -> Result<Shown> {
        match (&self.run, &self.request) {
            (Some(line), None) => Ok(Shown::of_command(&docker.shell(&places.fill(line))?)),
            (None, Some(call)) => {
                let answer = call.send(socket, header, places)?;
                let (succeeded, denial) = (matches!(answer.status, 200..400), Denial::of(&answer));
                Ok(Shown { succeeded, denial, text: format!("{}: {} {}", call.line, answer.status, answer.text()) })
            }
            _ => Err(Error::Unexpected("expected `run` or `request` in a step, and not both".to_owned())),
        }
    }

    /// Whether it was denied by the policy that was to.
    pub fn is_denied(&self, shown: &Shown) -> bool {
        let by = |policy: &String| {
            shown.denial.as_ref().is_some_and(|denial| denial.is_by_policy(policy) && denial.0.contains(&self.reason))
        };
        self.denied.as_ref().is_some_and(by)
    }
}

// === impl Proof ===

impl Proof {
    pub fn holds(&self, docker: &Docker, places: &Substitutions) -> Result<bool> {
        let Finished { stdout, .. } = docker.shell(&places.fill(&self.run))?;
        Ok(stdout.contains(&places.fill(&self.prints)))
    }
}

// === impl Shown ===

impl Shown {
    fn of_command(finished: &Finished) -> Self {
        let Finished { status, stdout, stderr } = finished;
        let denial = Denial::within(stderr).or_else(|| Denial::within(stdout));
        Self { succeeded: status.success(), denial, text: format!("{status}: {stdout}{stderr}") }
    }
}
