//! The seccomp profile of a container.

use std::collections::BTreeSet;

use portcullis_document::Kind;
use portcullis_model::view::{SeccompKind, SeccompProfile, SecurityOption};
use sha2::{Digest as _, Sha256};

use super::{Facts, given, items, member, text};
use crate::json::{self, Field, Shape, Structure};

/// `Seccomp` of moby/profiles, `seccomp/seccomp.go`, with what it embeds of the OCI runtime specification.
static PROFILE: Structure = Structure {
    name: "seccomp.Seccomp",
    fields: &[
        field("defaultAction", Shape::Text),
        field("defaultErrnoRet", Shape::Any),
        field("architectures", Shape::Any),
        field("archMap", Shape::Any),
        field("flags", Shape::Any),
        field("listenerPath", Shape::Text),
        field("listenerMetadata", Shape::Text),
        field("syscalls", Shape::List(&Shape::Structure(&RULE))),
    ],
};
static RULE: Structure = Structure {
    name: "seccomp.Syscall",
    fields: &[
        field("name", Shape::Text),
        field("names", Shape::List(&Shape::Text)),
        field("action", Shape::Text),
        field("errnoRet", Shape::Any),
        field("args", Shape::Any),
        field("comment", Shape::Text),
        field("includes", Shape::Any),
        field("excludes", Shape::Any),
    ],
};

const fn field(name: &'static str, shape: Shape) -> Field {
    Field { name, shape, stray: false, counted: None }
}

/// `options` are the call's security options, of which the daemon takes the last (`parseSecurityOpt` in moby's
/// `daemon/daemon_unix.go`).
pub(crate) fn seccomp(facts: Facts<'_>, options: &[SecurityOption]) -> Option<SeccompProfile> {
    let makes_container = facts.container().is_some() || facts.service_container().is_some();
    if !makes_container {
        return None;
    }
    let last = options.iter().rfind(|option| option.name == "seccomp");
    let profile = match last.map(|option| option.value.as_deref()) {
        None | Some(Some("")) => SeccompProfile::of_kind(SeccompKind::Default),
        Some(Some("builtin")) => SeccompProfile::of_kind(SeccompKind::Builtin),
        Some(Some("unconfined")) => SeccompProfile::of_kind(SeccompKind::Unconfined),
        Some(Some(profile)) => custom(profile),
        Some(None) => SeccompProfile::of_kind(SeccompKind::Unreadable),
    };
    // Not all daemons give a privileged container a profile, even if it asks for one (`WithSeccomp` in moby's
    // `daemon/seccomp_linux.go`).
    if facts.container().is_some() && facts.privileged() {
        return Some(SeccompProfile { kind: SeccompKind::Unconfined, ..profile });
    }
    Some(profile)
}

/// As Go's `json.Unmarshal` reads it in `LoadProfile`. A key that is there twice is refused, as in every body: Go would take the
/// last.
fn custom(profile: &str) -> SeccompProfile {
    let digest = Some(digest(profile));
    let Ok(document) = json::read(profile, Shape::Structure(&PROFILE)) else {
        return SeccompProfile { digest, ..SeccompProfile::of_kind(SeccompKind::Unreadable) };
    };
    let root = Some(document.root());
    let default_action = given(member(root, "defaultAction"));
    let rules = member(root, "syscalls").filter(|rules| rules.kind() == Kind::List);
    let has_rules = rules.and_then(|rules| rules.len()).unwrap_or_default() > 0;
    let actions: BTreeSet<&str> = items(rules).map(|rule| text(member(Some(rule), "action"))).collect();
    let has = |name| member(root, name).is_some();
    // `setupSeccomp` takes it for none.
    let is_none = default_action.is_none() && !has_rules;
    SeccompProfile {
        kind: if is_none { SeccompKind::Unconfined } else { SeccompKind::Custom },
        default_action,
        actions: actions.into_iter().map(str::to_owned).collect(),
        listener: has("listenerPath") || has("listenerMetadata"),
        digest,
    }
}

pub(super) fn digest(text: &str) -> String {
    let hex: String = Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}
