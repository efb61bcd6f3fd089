//! Volumes of the local driver, which hands its options to mount(2): another spelling of a bind, or of whatever else the
//! kernel mounts.

use portcullis_document::Value;
use portcullis_model::view::{Mount, MountKind};

use super::flags::Flags;
use super::{listed, member, overlay, some, text};

/// What a volume with these driver options mounts from the host; without them, itself.
///
/// Only `bind` makes the kernel look at a folder: a file system without a device, such as proc, ignores what it is given
/// (`do_new_mount` in fs/namespace.c, and every `get_tree_nodev`), and one with a device reads whatever that path is.
pub(super) fn expand(volume: Mount, options: Option<Value<'_>>) -> Vec<Mount> {
    let option = |name| text(member(options, name));
    let (file_system, device, flags) = (option("type"), option("device"), option("o"));
    let is_local = matches!(volume.driver.as_deref(), None | Some("local"));
    if !is_local || [file_system, device, flags].iter().all(|option| option.is_empty()) {
        return vec![volume];
    }
    let parsed = Flags::parse(flags);
    let kind = if !parsed.is_exact() {
        MountKind::Other
    } else if parsed.bind {
        MountKind::Bind
    } else {
        MountKind::FileSystem
    };
    let mount = Mount {
        kind,
        source: device.to_owned(),
        // Others mount the volume by its name, whatever this mount says.
        read_only: parsed.read_only,
        // The call that makes a bind read-only is not recursive.
        read_only_recursive: parsed.read_only && !(parsed.bind && parsed.recursive),
        propagation: parsed.propagation.map(str::to_owned),
        file_system: some(file_system),
        options: listed(flags),
        ..volume
    };
    let layers =
        if kind != MountKind::Bind && file_system == "overlay" { overlay::layers(&mount, &parsed) } else { vec![] };
    std::iter::once(mount).chain(layers).collect()
}
