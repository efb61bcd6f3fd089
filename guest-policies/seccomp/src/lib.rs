//! No container without a seccomp profile, or with the kernel's own files laid open.

mod paths;
mod profile;
mod targets;

use portcullis_policy::settings::Setting;
use portcullis_policy::view::SecurityOption;
use portcullis_policy::{Document, Request, Verdict, policy, settings};

policy!(decide, prepare);

const SETTINGS: [Setting<'_>; 6] = [
    Setting::boolean("allow_custom_profiles"),
    Setting::boolean("allow_privileged"),
    Setting::boolean("allow_writable_cgroups"),
    Setting::texts("masked_paths"),
    Setting::texts("other_options"),
    Setting::texts("other_targets"),
];

const UNCONFINED: &str = "a container without a seccomp profile is not allowed";
const PRIVILEGED: &str = "a privileged container runs without a seccomp profile";
const CUSTOM: &str = "a seccomp profile of one's own is not allowed; without one, Docker's default profile holds";
const UNMASKED: &str = "the masked and read-only paths of /proc and /sys must stay as they are; leave out \
                        `systempaths=unconfined`, `MaskedPaths` and `ReadonlyPaths`";
const WRITABLE_CGROUPS: &str =
    "the kernel's control groups in /sys/fs/cgroup must stay read-only; leave out `writable-cgroups`";

pub fn prepare(settings: &Document) -> Result<(), String> {
    settings.check(&SETTINGS)?;
    if settings.len("/masked_paths") == Some(0) {
        return Err("`masked_paths` must not be empty; leave it out where the newest daemon's list is meant".to_owned());
    }
    let listed = settings.texts("/other_targets").unwrap_or_default();
    match listed.iter().find(|target| !targets::may_be_listed(target)) {
        Some(target) => Err(format!(
            "`other_targets` lists `{target}`, which is no target that is kept free; write it as `/sys/fs/cgroup`"
        )),
        None => Ok(()),
    }
}

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
    // The daemon gives a privileged container no profile and masks nothing. A privileged exec keeps its container's.
    if request.privileged() && request.operation() == "ContainerCreate" {
        return objection_unless(is_allowed("allow_privileged", false), PRIVILEGED);
    }
    targets::objection(request)
}

fn objection_to(option: &SecurityOption, request: &Request) -> Option<String> {
    match (&*option.name, option.value.as_deref()) {
        ("systempaths", Some("unconfined")) => objection_unless(paths::are_masked(request), UNMASKED),
        ("seccomp", Some("unconfined")) => Some(UNCONFINED.to_owned()),
        ("seccomp", Some("" | "default" | "builtin")) => None,
        ("seccomp", Some(_)) if is_allowed("allow_custom_profiles", true) => {
            // Of several, the last one holds.
            request.seccomp().as_ref().and_then(profile::objection).map(str::to_owned)
        }
        ("seccomp", Some(_)) => Some(CUSTOM.to_owned()),
        ("writable-cgroups", Some("false")) => None,
        ("writable-cgroups", _) => objection_unless(is_allowed("allow_writable_cgroups", false), WRITABLE_CGROUPS),
        // What these do is not this policy's concern.
        ("apparmor" | "label" | "no-new-privileges", Some(_)) => None,
        (other, _) => objection_unless(is_listed(other), &unknown(other)),
    }
}

/// An option that a newer Docker may have: what it opens is not known.
fn unknown(option: &str) -> String {
    format!("the security option `{option}` is not known, and the settings do not list it as one of `other_options`")
}

fn is_listed(option: &str) -> bool {
    settings().texts("/other_options").unwrap_or_default().iter().any(|listed| listed == option)
}

fn objection_unless(is_allowed: bool, reason: &str) -> Option<String> {
    (!is_allowed).then(|| reason.to_owned())
}

/// What the settings say; the default where they say nothing, and no where it cannot be read.
fn is_allowed(setting: &str, default: bool) -> bool {
    let settings = settings();
    let value = settings.at([setting]);
    value.boolean().unwrap_or(default && !value.exists())
}

#[cfg(test)]
mod tests {
    use portcullis_policy::testing;

    use super::{decide, prepare};

    #[test]
    fn cases() {
        testing::run_cases_with(decide, prepare);
    }
}
