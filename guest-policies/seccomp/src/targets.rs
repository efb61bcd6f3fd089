//! Mounts at the places on which the masking of `/proc` and `/sys` rests.
//!
//! runc masks a file by binding the container's `/dev/null` over it, and before 1.2.8 and 1.3.3 it followed a symlink there
//! (CVE-2025-31133; the same with `/dev/pts` and `/dev/console`, CVE-2025-52565). It makes its own devices, but not where
//! something is mounted at `/dev` (`needsSetupDev` in `libcontainer/rootfs_linux.go`).

use portcullis_policy::view::{Mount, MountKind};
use portcullis_policy::{Request, settings};

/// Nothing is mounted there. What is in the root or in `/dev` may be a mount's target: `/dev/shm`.
const ALONE: [&str; 2] = ["/", "/dev"];

/// Nothing is mounted there or below.
const WHOLE: [&str; 6] = ["/proc", "/sys", "/dev/null", "/dev/console", "/dev/ptmx", "/dev/pts"];

pub(crate) fn objection(request: &Request) -> Option<String> {
    if !matches!(&*request.operation(), "ContainerCreate" | "ServiceCreate" | "ServiceUpdate") {
        return None;
    }
    let allowed = settings().texts("/other_targets").unwrap_or_default();
    request.mounts().iter().find_map(|mount| objection_to(mount, &allowed))
}

/// `allowed` are the targets that the operator lists.
fn objection_to(mount: &Mount, allowed: &[String]) -> Option<String> {
    // Of what has no target, such as another container's mounts, the target was looked at before.
    if mount.target.is_empty() {
        return None;
    }
    if mount.kind == MountKind::Other && mount.target.contains("{{") {
        return Some(format!(
            "where `{}` is mounted cannot be told: Swarm expands the template in it later",
            mount.target
        ));
    }
    let target = cleaned(&mount.target);
    (is_kept(&target) && !allowed.contains(&target)).then(|| {
        format!(
            "nothing may be mounted at `{target}`: the masking of /proc and /sys rests on it, and the settings do not list it as \
             one of `other_targets`"
        )
    })
}

/// Whether it is as the daemon cleans it, and one that the policy keeps free: what the setting `other_targets` may list.
pub(crate) fn may_be_listed(target: &str) -> bool {
    target == cleaned(target) && is_kept(target)
}

fn is_kept(target: &str) -> bool {
    ALONE.contains(&target) || WHOLE.iter().any(|place| is_within(target, place))
}

fn is_within(target: &str, place: &str) -> bool {
    target.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// As Go's `path.Clean` leaves it below the root of the container.
fn cleaned(target: &str) -> String {
    let mut parts = Vec::new();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            other => parts.push(other),
        }
    }
    format!("/{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_place_on_which_masking_rests_is_kept() {
        for target in [
            "/",
            "//",
            "/.",
            "/..",
            "/dev",
            "dev",
            "/dev/",
            "//dev",
            "/./dev/.",
            "/x/../dev",
            "/../dev",
            "/dev/shm/..",
            "/dev/null",
            "/dev//null/",
            "/dev/pts",
            "/dev/pts/0",
            "/dev/ptmx",
            "/dev/console",
            "/proc",
            "/proc/",
            "/proc/kcore",
            "/sys/fs/cgroup",
            "/sys",
            "/dev/../sys/firmware",
        ] {
            assert!(is_kept(&cleaned(target)), "{target}");
        }
        for target in [
            "/dev/shm",
            "/dev/mqueue",
            "/dev/log",
            "/dev/nullx",
            "/dev/null.d/x",
            "/devices",
            "/dev2",
            "/process",
            "/system",
            "/srv/dev",
            "/host/proc",
            "/host/sys",
            "/rootfs",
            "/dev/../srv",
            "/procfs/x",
        ] {
            assert!(!is_kept(&cleaned(target)), "{target}");
        }
    }
}
