//! Volumes of the `local` driver, which hands its options to mount(2): another spelling of a bind, of a device, or of
//! anything that the kernel mounts.

use portcullis_model::document::Value;
use portcullis_model::view::{Mount, MountKind};

use super::{PROPAGATIONS, has_mode, member, text};

/// What a volume with these driver options mounts from the host; without them, itself.
pub(super) fn expand(volume: Mount, options: Option<Value<'_>>) -> Vec<Mount> {
    let option = |name| text(member(options, name));
    let (file_system, device, flags) = (option("type"), option("device"), option("o"));
    let is_local = matches!(volume.driver.as_deref(), None | Some("local"));
    if !is_local || [file_system, device, flags].iter().all(|option| option.is_empty()) {
        return vec![volume];
    }
    let mount = Mount {
        source: device.to_owned(),
        read_only: volume.read_only || is_read_only(flags),
        propagation: flags.split(',').find(|flag| PROPAGATIONS.contains(flag)).map(str::to_owned),
        ..volume
    };
    let bind = has_mode(flags, "bind") || has_mode(flags, "rbind");
    match file_system {
        _ if bind => vec![Mount { kind: MountKind::Bind, ..mount }],
        "tmpfs" => vec![Mount { kind: MountKind::Tmpfs, source: String::new(), ..mount }],
        "overlay" => overlay(&mount, flags),
        "nfs" | "nfs4" | "cifs" | "smb3" => vec![Mount { kind: MountKind::Other, ..mount }],
        // A block device, or whatever else the path is: what it holds is the host's.
        _ if device.starts_with('/') => vec![Mount { kind: MountKind::Bind, ..mount }],
        _ => vec![Mount { kind: MountKind::Other, ..mount }],
    }
}

/// The last of `ro` and `rw` counts.
fn is_read_only(flags: &str) -> bool {
    flags.split(',').rfind(|flag| matches!(*flag, "ro" | "rw")) == Some("ro")
}

/// Every folder that an overlay is made of.
fn overlay(mount: &Mount, flags: &str) -> Vec<Mount> {
    let folders = flags.split(',').filter_map(|flag| flag.split_once('=')).flat_map(|(name, paths)| {
        let read_only = mount.read_only || name == "lowerdir";
        let is_folder = matches!(name, "lowerdir" | "lowerdir+" | "datadir+" | "upperdir" | "workdir");
        let paths = if is_folder { paths } else { "" };
        paths.split(':').filter(|path| !path.is_empty()).map(move |path| (path, read_only))
    });
    let mounts: Vec<Mount> = folders
        .map(|(path, read_only)| Mount { kind: MountKind::Bind, source: path.to_owned(), read_only, ..mount.clone() })
        .collect();
    if mounts.is_empty() { vec![Mount { kind: MountKind::Other, ..mount.clone() }] } else { mounts }
}
