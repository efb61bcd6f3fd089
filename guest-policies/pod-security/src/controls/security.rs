//! Security options: seccomp, AppArmor, SELinux, masked paths, and those that are not known.

use portcullis_policy::view::{SeccompKind, SeccompProfile, SecurityOption};

use crate::call::{CONTAINERS, Call, MAKES};
use crate::text::short;
use crate::{Control, Objection};

pub const SECCOMP: Control = Control { name: "seccomp", of: CONTAINERS, objection: seccomp };
pub const APPARMOR: Control = Control { name: "apparmor", of: CONTAINERS, objection: apparmor };
pub const SELINUX: Control = Control { name: "selinux", of: CONTAINERS, objection: selinux };
pub const PROC_MOUNT: Control = Control { name: "proc-mount", of: MAKES, objection: proc_mount };
pub const SECURITY_OPTIONS: Control = Control { name: "security-options", of: CONTAINERS, objection: unknown_option };

/// SELinux types that a container may have, of the Pod Security Standards.
const TYPES: [&str; 4] = ["container_t", "container_init_t", "container_kvm_t", "container_engine_t"];

/// Without `MaskedPaths` and `ReadonlyPaths` of one's own, these are read-only.
const READ_ONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

fn named<'c>(call: &'c Call<'_>, name: &'static str) -> impl Iterator<Item = &'c SecurityOption> {
    call.options().iter().filter(move |option| option.name == name)
}

/// A profile of one's own counts only if the settings list its digest: it may allow everything.
fn seccomp(call: &Call<'_>) -> Objection {
    let is_default = |option: &SecurityOption| matches!(option.value.as_deref(), Some("" | "builtin"));
    named(call, "seccomp").find(|option| !is_default(option))?;
    let Some(profile) = call.request.seccomp() else {
        return Some("a seccomp profile cannot be chosen here; leave it out for Docker's own".into());
    };
    match profile.kind {
        SeccompKind::Default | SeccompKind::Builtin => None,
        SeccompKind::Unconfined => Some(
            "a container without a seccomp profile is not allowed; leave out `seccomp=unconfined` for Docker's own"
                .into(),
        ),
        SeccompKind::Unreadable => Some("the seccomp profile cannot be read; leave it out for Docker's own".into()),
        SeccompKind::Custom => of_custom(call, &profile),
    }
}

fn of_custom(call: &Call<'_>, profile: &SeccompProfile) -> Objection {
    let digest = profile.digest.as_deref().unwrap_or_default();
    if profile.listener {
        return Some(
            "a seccomp profile whose decisions another process makes is not allowed; leave out `listenerPath`".into(),
        );
    }
    (!call.lists("seccomp_profiles", digest)).then(|| {
        format!(
            "a seccomp profile of one's own is not allowed; leave it out for Docker's own (the setting `seccomp_profiles` lists \
             those that are: `{digest}`)"
        )
        .into()
    })
}

fn apparmor(call: &Call<'_>) -> Objection {
    named(call, "apparmor").find_map(|option| {
        let profile = option.value.as_deref().unwrap_or_default();
        let is_listed = matches!(profile, "" | "docker-default") || call.lists("apparmor_profiles", profile);
        (!is_listed || profile == "unconfined").then(|| {
            format!(
                "the AppArmor profile `{}` may not be chosen; leave out `apparmor=…` for Docker's own",
                short(profile)
            )
            .into()
        })
    })
}

fn selinux(call: &Call<'_>) -> Objection {
    named(call, "label").find_map(|option| {
        let label = option.value.as_deref().unwrap_or_default();
        let is_harmless = match label.split_once(':') {
            Some(("type", name)) => TYPES.contains(&name),
            Some(("level", _)) => true,
            Some(_) | None => label.is_empty(),
        };
        (!is_harmless).then(|| {
            format!(
                "SELinux may not be turned off or changed by `label={}`; leave it out, or choose the type container_t",
                short(label)
            )
            .into()
        })
    })
}

fn proc_mount(call: &Call<'_>) -> Objection {
    let is_unmasked = named(call, "systempaths").next().is_some();
    if is_unmasked && !are_masked(call) {
        return Some(
            "the masked and read-only paths of /proc and /sys must stay as they are; leave out `systempaths=unconfined`, \
             `MaskedPaths` and `ReadonlyPaths`"
                .into(),
        );
    }
    let over = call.mounts().iter().find(|mount| matches!(top(&mount.target), Some("proc" | "sys")))?;
    Some(format!("nothing may be mounted at `{}`; mount it elsewhere", short(&over.target)).into())
}

/// The first folder of a path in the container.
fn top(target: &str) -> Option<&str> {
    let mut folders = Vec::new();
    for part in target.split('/').filter(|part| !matches!(*part, "" | ".")) {
        if part == ".." {
            folders.pop();
        } else {
            folders.push(part);
        }
    }
    folders.first().copied()
}

/// Whether the call's own lists have what an older daemon masks, which clients repeat: the setting `masked_paths`.
fn are_masked(call: &Call<'_>) -> bool {
    let Some(wanted) = call.list("masked_paths").filter(|paths| !paths.is_empty()) else { return false };
    let Some(body) = call.request.body() else { return false };
    // A list that is not there, or null, is the daemon's own.
    let lists = [
        (body.texts("/HostConfig/MaskedPaths"), wanted),
        (body.texts("/HostConfig/ReadonlyPaths"), READ_ONLY.map(str::to_owned).to_vec()),
    ];
    let has_all = |(list, wanted): &(Option<Vec<String>>, Vec<String>)| {
        list.as_ref().is_none_or(|list| wanted.iter().all(|path| list.contains(path)))
    };
    lists.iter().any(|(list, _)| list.is_some()) && lists.iter().all(has_all)
}

fn unknown_option(call: &Call<'_>) -> Objection {
    call.options().iter().find_map(|option| match (&*option.name, option.value.as_deref()) {
        // Other controls decide about these.
        ("seccomp" | "apparmor" | "label" | "systempaths", _)
        | ("no-new-privileges", Some("true"))
        | ("writable-cgroups", Some("false")) => None,
        ("no-new-privileges", _) => {
            Some("`no-new-privileges` may not be turned off; leave it out, or say `no-new-privileges=true`".into())
        }
        ("writable-cgroups", _) => {
            Some("the control groups in /sys/fs/cgroup must stay read-only; leave out `writable-cgroups`".into())
        }
        ("credentialspec", _) => {
            Some("credentials of the host may not be given to a container; leave out `credentialspec`".into())
        }
        (other, _) => Some(format!("the security option `{}` is not known; leave it out", short(other)).into()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_top_of_a_path_is_found_whatever_its_spelling() {
        for (target, expected) in [
            ("/proc", Some("proc")),
            ("/proc/self/attr", Some("proc")),
            ("//./proc/", Some("proc")),
            ("/data/../proc", Some("proc")),
            ("/../proc", Some("proc")),
            ("proc", Some("proc")),
            ("/data/proc", Some("data")),
            ("/process", Some("process")),
            ("/", None),
            ("", None),
        ] {
            assert_eq!(top(target), expected, "{target}");
        }
    }
}
