//! The host rules: calls that are refused before any policy is asked, because a plugin is not shown what the daemon will
//! do, or shown something else.

pub(crate) mod body;
pub(crate) mod checkpoints;
pub(crate) mod plugin_names;
pub(crate) mod size;
pub(crate) mod stray;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use crate::target::ApiVersion;

/// A reason to refuse a call before any policy is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HostRule {
    MalformedTarget,
    UnknownOperation,
    OldApiVersion,
    RepeatedParameter,
    BodyWithheld,
    FormBody,
    StartBody,
    MalformedBody,
    AmbiguousBody,
    RootHostConfig,
    LegacyCapabilities,
    CheckpointDirectory,
    PluginName,
    Oversized,
}

/// Which rules hold. All do, unless they are turned off.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Older versions are refused by [`HostRule::OldApiVersion`], whatever the operation.
    pub min_api_version: Option<ApiVersion>,
    /// One bit a rule.
    disabled: u16,
}

/// No rule has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no host rule `{0}`")]
pub struct UnknownRule(pub String);

/// A rule that a call does not meet, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    pub(crate) rule: HostRule,
    pub(crate) reason: String,
}

// === impl HostRule ===

impl HostRule {
    /// In the order in which a call is checked.
    pub const ALL: [Self; 14] = [
        Self::MalformedTarget,
        Self::UnknownOperation,
        Self::OldApiVersion,
        Self::RepeatedParameter,
        Self::BodyWithheld,
        Self::FormBody,
        Self::StartBody,
        Self::MalformedBody,
        Self::AmbiguousBody,
        Self::RootHostConfig,
        Self::LegacyCapabilities,
        Self::CheckpointDirectory,
        Self::PluginName,
        Self::Oversized,
    ];

    /// As the configuration and the decision log write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::MalformedTarget => "malformed-target",
            Self::UnknownOperation => "unknown-operation",
            Self::OldApiVersion => "old-api-version",
            Self::RepeatedParameter => "repeated-parameter",
            Self::BodyWithheld => "body-withheld",
            Self::FormBody => "form-body",
            Self::StartBody => "start-body",
            Self::MalformedBody => "malformed-body",
            Self::AmbiguousBody => "ambiguous-body",
            Self::RootHostConfig => "root-host-config",
            Self::LegacyCapabilities => "legacy-capabilities",
            Self::CheckpointDirectory => "checkpoint-directory",
            Self::PluginName => "plugin-name",
            Self::Oversized => "oversized",
        }
    }

    /// What is refused and why, in one sentence; where policies see something else once the rule is off, in a second.
    pub const fn explain(self) -> &'static str {
        match self {
            Self::MalformedTarget => {
                "Refuses a request target that the daemon redirects or rejects, or that a plugin is not shown as it was sent: \
                 unclean paths, bad escapes, control characters, `;` in the query, bytes that are not UTF-8. \
                 Off, such a call is the operation `(Unknown)`."
            }
            Self::UnknownOperation => {
                "Refuses a method and path that are no route of any daemon known to this host, so that no policy decides on \
                 a call that nobody has read about. Off, such a call is the operation `(Unknown)`, a write."
            }
            Self::OldApiVersion => {
                "Refuses API versions in which old daemons read the same call in another way: below 1.24, `ContainerStart` takes \
                 a `HostConfig`; below 1.22, `ExecStart` reads a body of any type. Refuses all versions below \
                 `min_api_version`, if the operator sets one."
            }
            Self::RepeatedParameter => {
                "Refuses a query parameter that is given twice with different values, if the daemon reads the first one only. \
                 What the operation does not read may repeat."
            }
            Self::BodyWithheld => {
                "Refuses an operation that reads JSON where the plugin was not shown the body, or not all of it, or shown \
                 another media type (CVE-2024-41110, CVE-2026-34040). Off, policies see no body."
            }
            Self::FormBody => {
                "Refuses a body that can be a form on an operation that takes query parameters: the daemon lets a form's \
                 fields override the query, and shows the plugin neither."
            }
            Self::StartBody => {
                "Refuses to start a container with a body: below API 1.24 the daemon reads a `HostConfig` from it, and a \
                 harmless container becomes a privileged one."
            }
            Self::MalformedBody => {
                "Refuses a body that is not JSON or that does not fit the operation, as the daemon itself does, before it \
                 reaches a policy. Off, policies see no body."
            }
            Self::AmbiguousBody => {
                "Refuses a body in which a key is there twice (to the daemon: `hostconfig` is `HostConfig`), because the \
                 daemon merges what other readers overwrite. Off, policies see no body."
            }
            Self::RootHostConfig => {
                "Refuses members of `HostConfig` at the root of a container create, where daemons up to 26.1 honour them and \
                 policies do not look. What sets nothing (`[]`, `{}`, `\"\"`, `0`, `false`, `null`) may stand there."
            }
            Self::LegacyCapabilities => {
                "Refuses `HostConfig.Capabilities`, with which Docker 19.03 sets exact capabilities past `CapAdd` and `CapDrop`."
            }
            Self::CheckpointDirectory => {
                "Refuses a directory of the host that the caller chooses for checkpoints, by itself or by a path in the place of a \
                 checkpoint's name: the daemon reads, writes and removes it as root."
            }
            Self::PluginName => {
                "Refuses the name of a driver or plugin that is a path, such as `../../srv/x`: the daemon looks for a socket or a \
                 file there, outside of the folders for plugins, and does what whoever listens there says."
            }
            Self::Oversized => {
                "Refuses more than 4,096 mounts, devices or the like in one call, more than 16,384 ports, and paths longer than Linux \
                 takes, so that no caller keeps the host from others. Off, one call can take seconds and much memory."
            }
        }
    }
}

impl fmt::Display for HostRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for HostRule {
    type Err = UnknownRule;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|rule| rule.name() == name).ok_or_else(|| UnknownRule(name.to_owned()))
    }
}

// === impl Rules ===

impl Rules {
    pub fn disable(&mut self, rule: HostRule) {
        self.disabled |= 1 << rule as u16;
    }

    pub fn is_enabled(&self, rule: HostRule) -> bool {
        self.disabled & 1 << rule as u16 == 0
    }

    /// The violation, if the rule holds.
    pub(crate) fn check(&self, rule: HostRule, reason: impl Into<String>) -> Result<(), Violation> {
        if self.is_enabled(rule) { Err(Violation { rule, reason: reason.into() }) } else { Ok(()) }
    }
}
