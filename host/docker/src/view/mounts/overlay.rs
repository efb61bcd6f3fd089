//! The folders that an overlay is made of, as the kernel's fs/overlayfs/params.c reads them (`ovl_parse_param`; up to Linux
//! 6.4 in super.c).

use portcullis_model::view::{Mount, MountKind};

use super::flags::Flags;

/// Each folder as a bind: lower ones are read only, and without what is mounted below them (`clone_private_mount`).
pub(super) fn layers(overlay: &Mount, flags: &Flags<'_>) -> Vec<Mount> {
    let folder = |path: &str, read_only| Mount {
        kind: MountKind::Bind,
        source: path.to_owned(),
        read_only,
        read_only_recursive: read_only,
        ..overlay.clone()
    };
    // The kernel takes `\,` and `\:` for a part of a path, and SELinux `"a,b"` for one option.
    if flags.data.contains(['\\', '"']) || !flags.is_exact() {
        return vec![folder(&flags.data, false)];
    }
    let mut layers = Vec::new();
    for (name, value) in flags.data.split(',').filter_map(|option| option.split_once('=')) {
        match name {
            // `::` stands before layers that have nothing but data.
            "lowerdir" => {
                layers.extend(value.split(':').filter(|path| !path.is_empty()).map(|path| folder(path, true)))
            }
            "lowerdir+" | "datadir+" => layers.push(folder(value, true)),
            "upperdir" | "workdir" => layers.push(folder(value, false)),
            _ => {}
        }
    }
    layers
}
