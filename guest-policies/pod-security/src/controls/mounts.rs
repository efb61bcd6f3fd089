//! Files of the host, by mounts, volumes and copies.

use portcullis_policy::view::{Mount, MountKind};

use crate::call::{Call, Kind, MAKES};
use crate::text::short;
use crate::{Control, Objection};

const MOUNTS: &[Kind] = &[Kind::Create, Kind::Service, Kind::VolumeCreate];

/// No folder and no file system of the host. `binds = "leave to bind-mounts"` leaves the question to that policy.
pub const HOST_PATHS: Control = Control {
    name: "host-paths",
    of: &[Kind::Create, Kind::Service, Kind::VolumeCreate, Kind::CopyIn, Kind::CopyOut],
    objection: host_path,
};
pub const VOLUME_DRIVERS: Control = Control {
    name: "volume-drivers",
    of: &[Kind::Create, Kind::Service, Kind::VolumeCreate, Kind::VolumeUpdate],
    objection: volume_driver,
};
pub const VOLUMES_FROM: Control = Control { name: "volumes-from", of: MAKES, objection: volumes_from };
/// Volumes and memory only.
pub const VOLUME_TYPES: Control = Control { name: "volume-types", of: MOUNTS, objection: volume_type };
pub const COPY_IN: Control = Control { name: "copy-in", of: &[Kind::CopyIn], objection: copies_in };

fn host_path(call: &Call<'_>) -> Objection {
    let objection = call.mounts().iter().find_map(|mount| of_host(mount, call.kind))?;
    let is_left =
        call.setting("binds").and_then(|value| value.text()).is_some_and(|binds| binds == crate::settings::BINDS[1]);
    (!is_left).then_some(objection)
}

fn of_host(mount: &Mount, kind: Kind) -> Objection {
    if mount.kind != MountKind::Bind {
        return unknown_file_system(mount);
    }
    let source = short(&mount.source);
    Some(if matches!(kind, Kind::CopyIn | Kind::CopyOut) {
        format!("nothing may be copied into or out of a container that has `{source}` of the host mounted").into()
    } else {
        format!("`{source}` of the host may not be mounted; use a volume, `-v NAME:/path`").into()
    })
}

/// A file system other than memory, or a mount of which nobody can tell what it mounts.
pub fn unknown_file_system(mount: &Mount) -> Objection {
    let source = short(&mount.source);
    match mount.kind {
        MountKind::FileSystem => {
            let name = mount.file_system.as_deref().unwrap_or_default();
            (name != "tmpfs").then(|| {
                format!(
                    "a volume may not be a file system of the type `{}`; use a volume without options, or `type=tmpfs`",
                    short(name)
                )
                .into()
            })
        }
        MountKind::Other => {
            Some(format!("what `{source}` mounts cannot be told; use a volume, `-v NAME:/path`").into())
        }
        MountKind::Npipe => Some(format!("`{source}` of the host may not be mounted; use a volume").into()),
        MountKind::Bind
        | MountKind::Volume
        | MountKind::Tmpfs
        | MountKind::Image
        | MountKind::Cluster
        | MountKind::Container => None,
    }
}

fn volume_driver(call: &Call<'_>) -> Objection {
    if call.kind == Kind::VolumeUpdate {
        return Some("cluster volumes may not be changed; use volumes of the driver `local`".into());
    }
    call.mounts().iter().find_map(|mount| match mount.kind {
        MountKind::Cluster => {
            Some("cluster volumes may not be made or mounted; use volumes of the driver `local`".into())
        }
        MountKind::Volume => {
            let driver = mount.driver.as_deref().filter(|driver| !driver.is_empty())?;
            (!call.lists_or("volume_drivers", &["local"], driver)).then(|| {
                format!(
                    "volumes of the driver `{}` may not be used; leave out the driver, or use `local`",
                    short(driver)
                )
                .into()
            })
        }
        MountKind::Bind
        | MountKind::Tmpfs
        | MountKind::FileSystem
        | MountKind::Image
        | MountKind::Npipe
        | MountKind::Container
        | MountKind::Other => None,
    })
}

fn volumes_from(call: &Call<'_>) -> Objection {
    let from = call.mounts().iter().find(|mount| mount.kind == MountKind::Container)?;
    Some(
        format!(
            "the mounts of the container `{}` may not be taken over; mount its volumes by their names",
            short(&from.source)
        )
        .into(),
    )
}

fn volume_type(call: &Call<'_>) -> Objection {
    call.mounts().iter().find_map(|mount| match mount.kind {
        // What `host-paths` decides about.
        MountKind::Bind | MountKind::FileSystem | MountKind::Volume | MountKind::Tmpfs => None,
        MountKind::Image | MountKind::Cluster | MountKind::Npipe | MountKind::Container | MountKind::Other => Some(
            format!(
                "`{}` is neither a volume nor memory; use `-v NAME:/path` or `--tmpfs /path`",
                short(&mount.source)
            )
            .into(),
        ),
    })
}

fn copies_in(_call: &Call<'_>) -> Objection {
    Some(
        "files may not be copied into a container, because the daemon writes them as root; build them into the image, or \
         write them with `docker exec -i`"
            .into(),
    )
}
