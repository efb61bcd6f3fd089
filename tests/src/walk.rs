//! The two documents that this project comes from, as steps: a tale of a plugin that wants to be greeted first, and a
//! tutorial that puts policy in front of Docker. Told with the real dockerd and the real `docker` command, by
//! `make demo` and, as assertions, by the tests.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::command::Finished;
use crate::docker::Docker;
use crate::dockerd::Dockerd;
use crate::error::Result;
use crate::portcullis::{self, Config, Portcullis};
use crate::release::Release;
use crate::tls::Authority;

pub mod hello;
pub mod tutorial;

/// One thing to do, and what should come of it.
#[derive(Clone, Debug)]
pub struct Step {
    pub title: &'static str,
    /// What happens before the command, while the daemon runs.
    pub changes: &'static [Change],
    pub caller: Caller,
    /// As a person would type it.
    pub command: &'static str,
    pub expected: Expected,
}

/// One change to what Portcullis runs with. Nothing is restarted for it, unless it says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// `policies/NAME.wasm` is dropped in, with `policies/NAME.toml` where there is text for it.
    Policy { name: &'static str, toml: &'static str },
    /// `policies/NAME.toml` is replaced.
    Settings { name: &'static str, toml: &'static str },
    /// `policies/NAME.wasm` is taken away.
    NoPolicy { name: &'static str },
    /// `data/NAME.json` is dropped in.
    Data { name: &'static str, json: &'static str },
    /// Portcullis is killed (`kill -9`) and started again.
    Crash,
}

/// Who types the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Caller {
    /// Somebody on the daemon's unix socket.
    Anybody,
    /// Somebody on the unix socket who sends `Authz-User: NAME`.
    Claiming(&'static str),
    /// The holder of the TLS client certificate with this common name.
    Certified(&'static str),
    /// The holder of a certificate who sends the header as well.
    CertifiedClaiming { certificate: &'static str, header: &'static str },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// The command succeeds, and prints this.
    Prints(&'static str),
    /// Docker refuses, for this reason.
    Denied(&'static str),
}

/// What came of a step.
#[derive(Debug)]
pub struct Outcome {
    pub answer: Finished,
    /// How it differs from what was expected.
    pub difference: Option<String>,
}

/// The daemon and its guard, and everybody who calls.
#[derive(Debug)]
pub struct Stage {
    dockerd: Dockerd,
    portcullis: Portcullis,
    callers: HashMap<Caller, Docker>,
}

// === impl Stage ===

impl Stage {
    /// Starts Portcullis without any policy, and a dockerd of this release that asks it.
    pub fn set(release: Release) -> Result<Self> {
        let portcullis = Config::new()?.start()?;
        let setup = Dockerd::setup().release(release);
        let setup = setup.guarded_by(portcullis::NAME, &portcullis.config().plugin_folder());
        let dockerd = setup.with_tls(Authority::new()?).start()?;
        Ok(Self { dockerd, portcullis, callers: HashMap::new() })
    }

    /// Does what the step says.
    pub fn play(&mut self, step: &Step) -> Result<Outcome> {
        for change in step.changes {
            self.make(*change)?;
        }
        let caller = self.caller(step.caller)?;
        let answer = match step.expected {
            Expected::Prints(text) if !text.is_empty() => caller.shell_that_prints(step.command)?,
            Expected::Prints(_) | Expected::Denied(_) => caller.shell(step.command)?,
        };
        let difference = step.expected.difference(&answer);
        Ok(Outcome { answer, difference })
    }

    /// The guard, as it runs now.
    pub fn portcullis(&self) -> &Portcullis {
        &self.portcullis
    }

    fn make(&mut self, change: Change) -> Result<()> {
        let host = &mut self.portcullis;
        let published = match change {
            Change::Crash => return host.crash_and_restart(),
            Change::Policy { name, toml } => {
                if !toml.is_empty() {
                    host.config().put(&format!("policies/{name}.toml"), toml.as_bytes())?;
                }
                host.drop_in(name)
            }
            Change::Settings { name, toml } => host.drop_settings(name, toml),
            Change::NoPolicy { name } => host.remove_policy(name),
            Change::Data { name, json } => host.drop_data(name, json),
        };
        published.map(drop)
    }

    fn caller(&mut self, caller: Caller) -> Result<&Docker> {
        match self.callers.entry(caller) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(new) => Ok(new.insert(caller.connect(&self.dockerd)?)),
        }
    }
}

// === impl Caller ===

impl Caller {
    const HEADER: &str = "Authz-User";

    fn connect(self, dockerd: &Dockerd) -> Result<Docker> {
        let certified = |name: &str| Docker::with_certificate(dockerd.tls()?, &format!("/CN={name}"));
        match self {
            Self::Anybody => Docker::new(dockerd),
            Self::Claiming(name) => Docker::new(dockerd)?.header(Self::HEADER, name),
            Self::Certified(name) => certified(name),
            Self::CertifiedClaiming { certificate, header } => certified(certificate)?.header(Self::HEADER, header),
        }
    }
}

impl std::fmt::Display for Caller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Anybody => f.write_str("anybody, on the unix socket"),
            Self::Claiming(name) => write!(f, "somebody who sends `{}: {name}`", Self::HEADER),
            Self::Certified(name) => write!(f, "{name}, by TLS certificate"),
            Self::CertifiedClaiming { certificate, header } => {
                write!(f, "{certificate}, by TLS certificate, who sends `{}: {header}`", Self::HEADER)
            }
        }
    }
}

// === impl Change ===

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Policy { name, toml: "" } => write!(f, "policies/{name}.wasm is dropped in"),
            Self::Policy { name, .. } => write!(f, "policies/{name}.wasm is dropped in, with {name}.toml"),
            Self::Settings { name, .. } => write!(f, "policies/{name}.toml is replaced"),
            Self::NoPolicy { name } => write!(f, "policies/{name}.wasm is taken away"),
            Self::Data { name, .. } => write!(f, "data/{name}.json is dropped in"),
            Self::Crash => f.write_str("portcullis is killed (kill -9) and started again"),
        }
    }
}

// === impl Expected ===

impl Expected {
    fn difference(self, answer: &Finished) -> Option<String> {
        match self {
            Self::Prints(_) if !answer.status.success() => Some(format!("it failed ({})", answer.status)),
            Self::Prints(text) if !answer.stdout.contains(text) => Some(format!("`{text}` was not printed")),
            Self::Denied(_) if answer.status.success() => Some("it was not denied".to_owned()),
            Self::Denied(reason) => {
                let sentence = format!("authorization denied by plugin {}: {reason}", portcullis::NAME);
                (!answer.stderr.contains(&sentence)).then(|| format!("`{sentence}` was not said"))
            }
            Self::Prints(_) => None,
        }
    }
}

impl std::fmt::Display for Expected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Prints(text) => write!(f, "it works, and prints: {text}"),
            Self::Denied(reason) => write!(f, "denied: {reason}"),
        }
    }
}
