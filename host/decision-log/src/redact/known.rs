//! Which parts of a call can carry a secret. By the places of `bodies.json`, and so the same for every operation that
//! has them; `docs/decision-log.md` has the table.

use std::borrow::Cow;

use super::words::{self, REDACTED};

/// How a place is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// As it is, but for who logs in where it is an address.
    Plain,
    /// Not at all.
    Hidden,
    /// `NAME=VALUE`, or a list of such: only the names.
    Assignments,
    /// An object: none of its values.
    Values,
    /// An object: not the values of members that have the name of a secret, nor such options within a value.
    Named,
    /// A list, the words of a command: no secrets that can be told by what is before them.
    Command,
    /// A list, the words of a command: only the first.
    FirstWord,
    /// A list of a Dockerfile's instructions: only the first word of those that can hold a secret.
    Instructions,
}

// === impl How ===

impl How {
    /// A text of such a place.
    pub(super) fn take(self, text: &str) -> Cow<'_, str> {
        match self {
            Self::Plain | Self::Command | Self::FirstWord => words::address(text),
            Self::Hidden | Self::Values => Cow::Borrowed(REDACTED),
            Self::Assignments => words::assignment(text),
            Self::Named => words::options(text),
            Self::Instructions => words::instruction(text),
        }
    }
}

/// How a member of a structure is written. Objects of the caller's own keys are [`How::Named`] where nothing else is said.
pub fn member(structure: &str, name: &str) -> How {
    match name {
        "Env" | "env" => How::Assignments,
        "Cmd" if structure == "container.ExecCreateRequest" => How::FirstWord,
        "Cmd" | "Entrypoint" | "Command" | "Args" | "Test" => How::Command,
        "OnBuild" => How::Instructions,
        // Log drivers are given the keys to where they log.
        "Config" if structure == "container.LogConfig" => How::Values,
        // Of log drivers, secret drivers and templates.
        "Options" if structure == "swarm.Driver" => How::Values,
        "Data" | "JoinToken" | "UnlockKey" | "SigningCAKey" => How::Hidden,
        "Secret" if structure == "volume.Secret" => How::Hidden,
        _ if structure == "registry.AuthConfig" => How::Hidden,
        _ => How::Plain,
    }
}

/// How a whole body is written.
pub fn body(operation: &str) -> How {
    if operation == "PluginSet" { How::Assignments } else { How::Plain }
}

/// How a query parameter is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parameter {
    Plain,
    /// What is not known to be harmless.
    Hidden,
    /// JSON of an object: none of its values.
    Values,
    /// JSON of an object: not the values of those that have the name of a secret.
    Named,
    /// JSON of filters, of which those by label can name a label's value.
    Filters,
    /// A Dockerfile's instruction.
    Instruction,
    /// An address: neither who logs in, nor its query.
    Address,
}

/// Query parameters of the Engine API that hold no secret, sorted.
#[rustfmt::skip]
const HARMLESS: &[&str] = &[
    "Pause", "all", "author", "before", "buildid", "cachefrom", "cgroupparent", "checkpoint", "checkpoint-dir",
    "comment", "condition", "container", "copyUIDGID", "cpuperiod", "cpuquota", "cpusetcpus", "cpusetmems",
    "cpushares", "depth", "detachKeys", "details", "digest", "digests", "dir", "dockerfile", "exit",
    "extrahosts", "follow", "force", "forcerm", "from", "fromImage", "h", "id", "identity", "image",
    "insertDefaults", "isolation", "keep-storage", "limit", "link", "logs", "manifests", "max-used-space",
    "memory", "memswap", "message", "min-free-space", "name", "names", "network", "networkmode",
    "noOverwriteDirNonDir", "nocache", "noprune", "one-shot", "outputs", "path", "pause", "platform", "ps_args",
    "pull", "q", "quiet", "registryAuthFrom", "remove", "repo", "reserved-space", "rm", "rollback",
    "rotateManagerToken", "rotateManagerUnlockKey", "rotateWorkerToken", "scope", "securityopt", "session",
    "shared-size", "shell", "shmsize", "signal", "since", "size", "squash", "stats", "status", "stderr",
    "stdin", "stdout", "stream", "t", "tag", "tail", "target", "term", "timeout", "timestamps", "type",
    "ulimits", "until", "v", "verbose", "version", "volume", "w", "wait", "warnings",
];

pub fn parameter(name: &str) -> Parameter {
    match name {
        "buildargs" => Parameter::Values,
        "labels" => Parameter::Named,
        "filters" => Parameter::Filters,
        "changes" => Parameter::Instruction,
        "remote" | "fromSrc" => Parameter::Address,
        _ if HARMLESS.binary_search(&name).is_ok() => Parameter::Plain,
        _ => Parameter::Hidden,
    }
}

/// Whether a header is not written.
pub(crate) fn is_hidden_header(name: &str) -> bool {
    const HIDDEN: [&str; 4] = ["authorization", "proxy-authorization", "x-registry-auth", "x-registry-config"];
    HIDDEN.iter().any(|hidden| name.eq_ignore_ascii_case(hidden)) || words::is_secret(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn harmless_parameters_are_found() {
        assert!(HARMLESS.is_sorted());
        assert!(HARMLESS.iter().all(|name| parameter(name) == Parameter::Plain));
        assert_eq!(parameter("nam"), Parameter::Hidden);
    }
}
