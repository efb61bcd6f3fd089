//! No container without a seccomp profile, or with the kernel's own files laid open.

mod paths;
mod profile;

use portcullis_policy::view::SecurityOption;
use portcullis_policy::{Document, Request, Verdict, policy, settings};

policy!(decide);

const SETTINGS: [&str; 5] =
    ["allow_custom_profiles", "allow_privileged", "allow_writable_cgroups", "masked_paths", "other_options"];

const UNCONFINED: &str = "a container without a seccomp profile is not allowed";
const PRIVILEGED: &str = "a privileged container runs without a seccomp profile";
const CUSTOM: &str = "a seccomp profile of one's own is not allowed; without one, Docker's default profile holds";
const UNMASKED: &str = "the masked and read-only paths of /proc and /sys must stay as they are; leave out \
                        `systempaths=unconfined`, `MaskedPaths` and `ReadonlyPaths`";
const WRITABLE_CGROUPS: &str =
    "the kernel's control groups in /sys/fs/cgroup must stay read-only; leave out `writable-cgroups`";

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
    match (&*option.name, option.value.as_deref()) {
        ("systempaths", Some("unconfined")) => objection_unless(paths::are_masked(request), UNMASKED),
        ("seccomp", Some("unconfined")) => Some(UNCONFINED.to_owned()),
        ("seccomp", Some("" | "default" | "builtin")) => None,
        ("seccomp", Some(profile)) => match allowed("allow_custom_profiles", true) {
            Ok(true) => profile::objection(profile).map(str::to_owned),
            custom => objection_unless(custom, CUSTOM),
        },
        ("writable-cgroups", Some("false")) => None,
        ("writable-cgroups", _) => objection_unless(allowed("allow_writable_cgroups", false), WRITABLE_CGROUPS),
        // What these do is not this policy's concern.
        ("apparmor" | "label" | "no-new-privileges", Some(_)) => None,
        (other, _) => objection_unless(is_listed(other), &unknown(other)),
    }
}

/// An option that a newer Docker may have: what it opens is not known.
fn unknown(option: &str) -> String {
    format!("the security option `{option}` is not known, and the settings do not list it as one of `other_options`")
}

fn is_listed(option: &str) -> Result<bool, String> {
    let settings = known_settings()?;
    if !settings.at(["other_options"]).exists() {
        return Ok(false);
    }
    let listed =
        settings.texts("/other_options").ok_or("the policy's setting `other_options` must be a list of names")?;
    Ok(listed.iter().any(|listed| listed == option))
}

/// A setting that cannot be read is an objection of its own, whatever it would have said.
fn objection_unless(allowed: Result<bool, String>, reason: &str) -> Option<String> {
    match allowed {
        Ok(true) => None,
        Ok(false) => Some(reason.to_owned()),
        Err(problem) => Some(problem),
    }
}

fn known_settings() -> Result<Document, String> {
    let settings = settings();
    if let Some(unknown) = settings.keys("").unwrap_or_default().iter().find(|key| !SETTINGS.contains(&key.as_str())) {
        return Err(format!("the policy has no setting `{unknown}`; there are {}", SETTINGS.join(", ")));
    }
    Ok(settings)
}

fn allowed(setting: &str, default: bool) -> Result<bool, String> {
    let settings = known_settings()?;
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
