//! No container without a seccomp profile, or with the kernel's own files laid open.

mod profile;

use portcullis_policy::view::SecurityOption;
use portcullis_policy::{Document, Request, Verdict, policy, settings};

policy!(decide);

pub fn decide(request: &Request, _data: &Document) -> Verdict {
    match objection(request) {
        Some(reason) => Verdict::deny(reason),
        None => Verdict::allow(),
    }
}

fn objection(request: &Request) -> Option<&'static str> {
    if let Some(reason) = request.security_options().iter().find_map(objection_to) {
        return Some(reason);
    }
    // The daemon gives a privileged container no profile. A privileged exec keeps its container's.
    if request.privileged() && request.operation() == "ContainerCreate" && !allowed("allow_privileged", false) {
        return Some("a privileged container runs without a seccomp profile");
    }
    None
}

fn objection_to(option: &SecurityOption) -> Option<&'static str> {
    match (&*option.name, option.value.as_deref()?) {
        ("systempaths", "unconfined") => Some("the masked and read-only paths of /proc and /sys must stay as they are"),
        ("seccomp", "unconfined") => Some("a container without a seccomp profile is not allowed"),
        ("seccomp", "" | "default" | "builtin") => None,
        ("seccomp", _) if !allowed("allow_custom_profiles", true) => {
            Some("a seccomp profile of one's own is not allowed")
        }
        ("seccomp", profile) if !profile::denies_by_default(profile) => {
            Some("a seccomp profile must deny what it does not list")
        }
        _ => None,
    }
}

fn allowed(setting: &str, default: bool) -> bool {
    settings().at([setting]).boolean().unwrap_or(default)
}

#[cfg(test)]
mod tests {
    use portcullis_policy::testing;

    use super::decide;

    #[test]
    fn cases() {
        testing::run_cases(decide);
    }
}
