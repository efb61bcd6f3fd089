//! Everything that a call mounts or lets be mounted.
//!
//! ```text
//! bind   SOURCE:TARGET:MODE, VolumesFrom        moby's daemon/volume/mounts/linux_parser.go
//! spec   mount.Mount of a container, a service  the same; swarmkit's template/expand.go
//! tmpfs  options of a container's tmpfs         moby/sys/mount, flags_unix.go
//! local  volumes of the local driver            moby's daemon/volume/local/local_unix.go
//! flags  their option `o`                       moby/sys/mount, flags_unix.go and mounter_linux.go
//! overlay folders of an overlay                 the kernel's fs/overlayfs/params.c
//! ```
//!
//! Where such a text is not read exactly, its mount is of the kind `other`, or leads nobody knows where.

mod bind;
mod flags;
mod local;
mod overlay;
#[cfg(test)]
mod properties;
mod spec;
#[cfg(test)]
mod tests;
mod tmpfs;

use portcullis_document::Value;
use portcullis_model::view::{Mount, MountKind};

use self::spec::MountContext;
use super::{Facts, is_true, items, member, members, text, texts};
use crate::{Resolve, Resolved, clean_path};

/// The host's shared memory, which a container in its IPC namespace has mounted.
const SHM: &str = "/dev/shm";

pub(crate) fn mounts(facts: Facts<'_>, resolver: &dyn Resolve) -> Vec<Mount> {
    let mut mounts = unresolved(facts);
    look_up(&mut mounts, resolver);
    mounts
}

/// Finds out where they lead.
pub(crate) fn look_up(mounts: &mut [Mount], resolver: &dyn Resolve) {
    for mount in mounts.iter_mut().filter(|mount| mount.kind == MountKind::Bind && mount.source.starts_with('/')) {
        let Some(Resolved { path, links, missing }) = resolve(&mount.source, resolver) else { continue };
        mount.resolved = Some(path);
        mount.links = links;
        mount.missing = missing;
    }
}

/// Volumes that a call defines, by name, and what they are, if they are more than a folder of the daemon's own. The daemon chooses
/// a name where none is given.
pub(crate) fn volumes(facts: Facts<'_>) -> Vec<(String, Vec<Mount>)> {
    let defined = |name: &str, mounts: Vec<Mount>| {
        let telling: Vec<_> = mounts.into_iter().filter(|mount| !is_plain(mount)).collect();
        (!telling.is_empty()).then(|| (name.to_owned(), telling))
    };
    let of_volume = facts
        .body
        .filter(|_| facts.operation == "VolumeCreate")
        .and_then(|body| defined(text(member(Some(body), "Name")), of_volume(body)));
    let (place, mounts) = mount_values(facts);
    let volumes = items(mounts).filter(|mount| place.kind(Some(*mount)) == MountKind::Volume);
    let of_mounts = volumes.filter_map(|mount| defined(text(member(Some(mount), "Source")), place.mounts(mount)));
    // `HostConfig.VolumeDriver` makes all volumes that are no mounts.
    let driver = text(member(facts.host_config(), "VolumeDriver"));
    let others = if is_local(driver) { Vec::new() } else { unresolved(facts) };
    let others = others.into_iter().filter(|mount| mount.kind == MountKind::Volume);
    let of_driver = others.filter(|mount| mount.driver.as_deref() == Some(driver));
    let of_driver = of_driver.map(|mount| (mount.source.clone(), vec![mount]));
    of_volume.into_iter().chain(of_mounts).chain(of_driver).collect()
}

/// Volumes that mounts name and give options to, as if those were not there: the daemon takes a volume of that name if there is one,
/// whatever the options say (`Create` in moby's `volume/service/store.go`).
pub(crate) fn volumes_by_name(facts: Facts<'_>) -> Vec<Mount> {
    let (place, mounts) = mount_values(facts);
    let by_name = |mount: Value<'_>| {
        let (name, target) = (text(member(Some(mount), "Source")), text(member(Some(mount), "Target")));
        let is_shown = name.is_empty() || place.mounts(mount).iter().any(|mount| mount.kind == MountKind::Volume);
        let read_only = is_true(member(Some(mount), "ReadOnly"));
        (!is_shown).then(|| Mount { read_only, ..Mount::new(MountKind::Volume, name, target) })
    };
    items(mounts).filter(|mount| place.kind(Some(*mount)) == MountKind::Volume).filter_map(by_name).collect()
}

/// The `Mounts` of a container or a service, and how they are read.
fn mount_values(facts: Facts<'_>) -> (MountContext, Option<Value<'_>>) {
    match facts.service() {
        Some(_) => (MountContext::service(facts.api_version), member(facts.service_container(), "Mounts")),
        None => (MountContext::container(facts.api_version), member(facts.host_config(), "Mounts")),
    }
}

/// Whether it is nothing but a folder of the daemon's own.
fn is_plain(mount: &Mount) -> bool {
    mount.kind == MountKind::Volume && is_local(mount.driver.as_deref().unwrap_or_default())
}

fn is_local(driver: &str) -> bool {
    matches!(driver, "" | "local")
}

/// Whether it mounts folders of the host.
pub(crate) fn has_bind(facts: Facts<'_>) -> bool {
    unresolved(facts).iter().any(|mount| mount.kind == MountKind::Bind)
}

fn unresolved(facts: Facts<'_>) -> Vec<Mount> {
    match facts.operation {
        "ContainerCreate" => of_container(facts).map(open_to_network).collect(),
        "ServiceCreate" | "ServiceUpdate" => {
            let place = MountContext::service(facts.api_version);
            let mounts = items(member(facts.service_container(), "Mounts")).flat_map(|mount| place.mounts(mount));
            mounts.map(open_to_network).collect()
        }
        "VolumeCreate" => facts.body.map(of_volume).unwrap_or_default(),
        _ => Vec::new(),
    }
}

/// The daemon takes `..` away before it follows symlinks (Go's `path.Clean`); when it looks whether a mount's source is
/// there, and when the kernel mounts a volume's device, symlinks come first. Where that leads to two places, neither is
/// told.
fn resolve(source: &str, resolver: &dyn Resolve) -> Option<Resolved> {
    let mut resolved = resolver.resolve(source)?;
    if source.split('/').any(|part| part == "..") {
        let cleaned = resolver.resolve(&clean_path(source)).filter(|cleaned| cleaned.path == resolved.path)?;
        resolved.links.extend(cleaned.links);
        resolved.missing |= cleaned.missing;
    }
    Some(resolved)
}

/// At these targets the source takes the place of the daemon's own file (`TrySetNetworkMount` in moby's `container_unix.go`). A
/// container that joins the network has it there, too, writable and with all that is mounted below, whatever the mount says
/// (`initializeNetworkingPaths`, `NetworkMounts`).
fn open_to_network(mount: Mount) -> Mount {
    let target = clean_path(&mount.target);
    if mount.kind == MountKind::Bind && matches!(&*target, "/etc/hosts" | "/etc/hostname" | "/etc/resolv.conf") {
        return Mount { read_only: false, read_only_recursive: false, ..mount };
    }
    mount
}

fn of_container<'a>(facts: Facts<'a>) -> impl Iterator<Item = Mount> + use<'a> {
    let host = facts.host_config();
    let place = MountContext::container(facts.api_version);
    let driver = text(member(host, "VolumeDriver"));
    let binds = texts(member(host, "Binds")).map(move |bind| bind::mount(bind, driver, place));
    let mounts = items(member(host, "Mounts")).flat_map(move |mount| place.mounts(mount));
    let inherited = texts(member(host, "VolumesFrom")).map(bind::volumes_from);
    let tmpfs = members(member(host, "Tmpfs")).map(|(target, options)| tmpfs::mount(target, text(Some(options))));
    let volume = move |target: &str| Mount {
        driver: some(driver),
        makes_volume: true,
        copies_image: true,
        ..Mount::new(MountKind::Volume, "", target)
    };
    let anonymous = members(member(facts.container(), "Volumes")).map(move |(target, _)| volume(target));
    // The image can declare volumes, too, which the driver makes (`createContainerOSSpecificSettings` in create_unix.go).
    let of_image = (!driver.is_empty()).then(|| volume(""));
    // `setupIPCDirs` in container_operations_unix.go.
    let shared_memory = (text(member(host, "IpcMode")) == "host").then(|| Mount::new(MountKind::Bind, SHM, SHM));
    binds.chain(mounts).chain(inherited).chain(tmpfs).chain(anonymous).chain(of_image).chain(shared_memory)
}

/// A `volume.CreateRequest`.
fn of_volume(body: Value<'_>) -> Vec<Mount> {
    let body = Some(body);
    let mount = Mount {
        driver: some(text(member(body, "Driver"))),
        makes_volume: true,
        ..Mount::new(MountKind::Volume, text(member(body, "Name")), "")
    };
    // Daemons and versions of the API before 1.42 do not know cluster volumes, and make one of their own.
    let cluster = member(body, "ClusterVolumeSpec").map(|_| Mount { kind: MountKind::Cluster, ..mount.clone() });
    cluster.into_iter().chain(local::expand(mount, member(body, "DriverOpts"))).collect()
}

/// What a volume that is there is beside a folder of the daemon's own, by a `volume.Volume`; none where that is not told.
pub(crate) fn of_made_volume(body: Value<'_>) -> Option<Vec<Mount>> {
    // Null where it has none.
    let options = body.get("Options")?;
    let body = Some(body);
    let mount = Mount {
        driver: some(text(member(body, "Driver"))),
        makes_volume: true,
        ..Mount::new(MountKind::Volume, text(member(body, "Name")), "")
    };
    Some(local::expand(mount, Some(options)).into_iter().filter(|mount| !is_plain(mount)).collect())
}

/// Whether nothing that is mounted later below a source appears in a mount with this propagation. Without one, the daemon
/// takes `rprivate`.
fn is_private(propagation: Option<&str>) -> bool {
    matches!(propagation, None | Some("rprivate"))
}

fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// What stands between the commas; nothing in an empty text.
fn listed(options: &str) -> Vec<String> {
    if options.is_empty() { Vec::new() } else { options.split(',').map(str::to_owned).collect() }
}
