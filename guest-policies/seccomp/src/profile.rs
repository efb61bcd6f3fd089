//! What a seccomp profile does with the system calls that it does not list.

use portcullis_policy::view::{SeccompKind, SeccompProfile};

/// The actions that let no system call through. `SCMP_ACT_TRACE` is none: another process of the container that traces
/// lets through what it wants (seccomp(2)).
const DENYING: [&str; 5] =
    ["SCMP_ACT_ERRNO", "SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_TRAP"];

const ALLOWS_BY_DEFAULT: &str = "a seccomp profile must deny what it does not list: its `defaultAction` must be \
                                 SCMP_ACT_ERRNO, SCMP_ACT_TRAP, or one of SCMP_ACT_KILL";
const HAS_LISTENER: &str =
    "a seccomp profile must not have a `listenerPath`: the process behind it decides in its place";
const UNREADABLE: &str = "a seccomp profile must be JSON that Docker takes, with no key twice";

/// Why the profile is none: what it does not list is not denied, a process of the caller's decides, or nobody can tell.
pub(crate) fn objection(profile: &SeccompProfile) -> Option<&'static str> {
    let denies = || profile.default_action.as_deref().is_some_and(|action| DENYING.contains(&action));
    match profile.kind {
        SeccompKind::Default | SeccompKind::Builtin => None,
        SeccompKind::Unreadable => Some(UNREADABLE),
        // The profile of a privileged container may count for nothing, but is one.
        SeccompKind::Custom | SeccompKind::Unconfined if profile.listener => Some(HAS_LISTENER),
        SeccompKind::Custom | SeccompKind::Unconfined if denies() => None,
        SeccompKind::Custom | SeccompKind::Unconfined => Some(ALLOWS_BY_DEFAULT),
    }
}
