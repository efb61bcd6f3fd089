//! The folders that an overlay is made of, as the kernel's fs/overlayfs/params.c reads them (`ovl_parse_param`; up to Linux
//! 6.4 in super.c).

use portcullis_model::view::{Mount, MountKind};

use super::flags::Flags;

/// As many lower folders as the kernel takes (`OVL_MAX_STACK` in params.h).
const MAX_LOWER: usize = 500;

/// Each folder as a bind: lower ones are read only, and without what is mounted below them (`clone_private_mount`). They have
/// neither target nor options: these can be long, and there can be many layers.
pub(super) fn layers(overlay: &Mount, flags: &Flags<'_>) -> Vec<Mount> {
    let folder = |path: &str, read_only| Mount {
        read_only,
        read_only_recursive: read_only,
        propagation: overlay.propagation.clone(),
        driver: overlay.driver.clone(),
        file_system: overlay.file_system.clone(),
        makes_volume: true,
        ..Mount::new(MountKind::Bind, path, "")
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
    if layers.len() > MAX_LOWER {
        return vec![folder(&flags.data, false)];
    }
    layers
}
