//! No container without a seccomp profile, or with the kernel's own files laid open.

mod paths;
mod profile;

use portcullis_policy::view::SecurityOption;
use portcullis_policy::{Document, Request, Verdict, policy, settings};

policy!(decide);

const SETTINGS: [&str; 3] = ["allow_custom_profiles", "allow_privileged", "masked_paths"];

const UNCONFINED: &str = "a container without a seccomp profile is not allowed";
const PRIVILEGED: &str = "a privileged container runs without a seccomp profile";
const CUSTOM: &str = "a seccomp profile of one's own is not allowed; without one, Docker's default profile holds";
const UNMASKED: &str = "the masked and read-only paths of /proc and /sys must stay as they are; leave out \
                        `systempaths=unconfined`, `MaskedPaths` and `ReadonlyPaths`";

pub fn decide(request: &Request, _data: &Document) -> Verdict {
    match objection(request) {
        Some(reason) => Verdict::deny(reason),
        None => Verdict::allow(),
    }
}

fn objection(request: &Request) -> Option<String> {
    let options = request.security_options();
    if let Some(reason) = options.iter().find_map(|option| objection_to(option, request)) {
        return Some(reason);
    }
    // The daemon gives a privileged container no profile. A privileged exec keeps its container's.
    if request.privileged() && request.operation() == "ContainerCreate" {
        return objection_unless(allowed("allow_privileged", false), PRIVILEGED);
    }
    None
}

fn objection_to(option: &SecurityOption, request: &Request) -> Option<String> {
    match (&*option.name, option.value.as_deref()?) {
        ("systempaths", "unconfined") => objection_unless(paths::are_masked(request), UNMASKED),
        ("seccomp", "unconfined") => Some(UNCONFINED.to_owned()),
        ("seccomp", "" | "default" | "builtin") => None,
        ("seccomp", profile) => match allowed("allow_custom_profiles", true) {
            Ok(true) => profile::objection(profile).map(str::to_owned),
            custom => objection_unless(custom, CUSTOM),
        },
        _ => None,
    }
}

/// A setting that cannot be read is an objection of its own, whatever it would have said.
fn objection_unless(allowed: Result<bool, String>, reason: &str) -> Option<String> {
    match allowed {
        Ok(true) => None,
        Ok(false) => Some(reason.to_owned()),
        Err(problem) => Some(problem),
    }
}

fn allowed(setting: &str, default: bool) -> Result<bool, String> {
    let settings = settings();
    if let Some(unknown) = settings.keys("").unwrap_or_default().iter().find(|key| !SETTINGS.contains(&key.as_str())) {
        return Err(format!("the policy has no setting `{unknown}`; there are {}", SETTINGS.join(", ")));
    }
    let value = settings.at([setting]);
    match (value.exists(), value.boolean()) {
        (false, _) => Ok(default),
        (true, Some(value)) => Ok(value),
        (true, None) => Err(format!("the policy's setting `{setting}` must be true or false")),
    }
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
