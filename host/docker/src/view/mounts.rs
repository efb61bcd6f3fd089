//! Everything that a call mounts or lets be mounted.
//!
//! The rules are those of moby's `daemon/volume/mounts/linux_parser.go` and `daemon/volume/local/local_unix.go`.

mod local;

use portcullis_model::document::Value;
use portcullis_model::view::{Mount, MountKind};

use super::{Facts, is_true, items, member, members, text, texts};
use crate::{Resolve, Resolved, clean_path};

const PROPAGATIONS: [&str; 6] = ["private", "rprivate", "shared", "rshared", "slave", "rslave"];

pub(crate) fn mounts(facts: Facts<'_>, resolver: &dyn Resolve) -> Vec<Mount> {
    let mut mounts = unresolved(facts);
    for mount in mounts.iter_mut().filter(|mount| mount.kind == MountKind::Bind && mount.source.starts_with('/')) {
        mount.resolved = resolve(&mount.source, resolver).map(|resolved| resolved.path);
    }
    mounts
}

/// Whether it mounts folders of the host.
pub(crate) fn has_bind(facts: Facts<'_>) -> bool {
    unresolved(facts).iter().any(|mount| mount.kind == MountKind::Bind)
}

fn unresolved(facts: Facts<'_>) -> Vec<Mount> {
    match facts.operation {
        "ContainerCreate" => of_container(facts),
        "ServiceCreate" | "ServiceUpdate" => {
            items(member(facts.service_container(), "Mounts")).flat_map(of_mount).collect()
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

fn of_container(facts: Facts<'_>) -> Vec<Mount> {
    let host = facts.host_config();
    let driver = text(member(host, "VolumeDriver"));
    let binds = texts(member(host, "Binds")).map(|bind| of_bind(bind, driver));
    let mounts = items(member(host, "Mounts")).flat_map(of_mount);
    let inherited = texts(member(host, "VolumesFrom")).map(of_volumes_from);
    let tmpfs = members(member(host, "Tmpfs")).map(|(target, options)| Mount {
        read_only: has_mode(text(Some(options)), "ro"),
        ..mount(MountKind::Tmpfs, "", target)
    });
    let anonymous = members(member(facts.container(), "Volumes"))
        .map(|(target, _)| Mount { driver: some(driver), ..mount(MountKind::Volume, "", target) });
    binds.chain(mounts).chain(inherited).chain(tmpfs).chain(anonymous).collect()
}

/// The source, target and mode of `SOURCE:TARGET[:MODE]`, or `TARGET` alone, and what is mounted: the source is a path or
/// a volume's name.
fn parts_of_bind(bind: &str) -> Option<(MountKind, &str, &str, &str)> {
    let mut parts = bind.split(':');
    let (first, second, third) = (parts.next()?, parts.next(), parts.next());
    if parts.next().is_some() {
        return None;
    }
    let (source, target) = second.map_or(("", first), |target| (first, target));
    let kind = if source.starts_with('/') { MountKind::Bind } else { MountKind::Volume };
    Some((kind, source, target, third.unwrap_or_default()))
}

fn of_bind(bind: &str, driver: &str) -> Mount {
    // One that has not such parts, the daemon refuses.
    let Some((kind, source, target, mode)) = parts_of_bind(bind) else { return mount(MountKind::Other, bind, "") };
    Mount {
        read_only: has_mode(mode, "ro"),
        propagation: mode.split(',').find(|option| PROPAGATIONS.contains(option)).map(str::to_owned),
        driver: if kind == MountKind::Volume { some(driver) } else { None },
        ..mount(kind, source, target)
    }
}

/// A `mount.Mount`, of a container or a service.
fn of_mount(value: Value<'_>) -> Vec<Mount> {
    let value = Some(value);
    let kind = match text(member(value, "Type")) {
        "bind" => MountKind::Bind,
        "volume" => MountKind::Volume,
        "tmpfs" => MountKind::Tmpfs,
        "image" => MountKind::Image,
        "cluster" => MountKind::Cluster,
        "npipe" => MountKind::Npipe,
        _ => MountKind::Other,
    };
    let driver = member(member(value, "VolumeOptions"), "DriverConfig");
    let mount = Mount {
        read_only: is_true(member(value, "ReadOnly")),
        propagation: some(text(member(member(value, "BindOptions"), "Propagation"))),
        driver: some(text(member(driver, "Name"))),
        ..mount(kind, text(member(value, "Source")), text(member(value, "Target")))
    };
    if kind == MountKind::Volume { local::expand(mount, member(driver, "Options")) } else { vec![mount] }
}

/// `CONTAINER[:MODE]`: its mounts, with their modes or read-only.
fn of_volumes_from(from: &str) -> Mount {
    let (name, mode) = from.split_once(':').unwrap_or((from, ""));
    Mount { read_only: has_mode(mode, "ro"), ..mount(MountKind::Container, name, "") }
}

/// A `volume.CreateRequest`.
fn of_volume(body: Value<'_>) -> Vec<Mount> {
    let body = Some(body);
    let kind = if member(body, "ClusterVolumeSpec").is_some() { MountKind::Cluster } else { MountKind::Volume };
    let mount = Mount { driver: some(text(member(body, "Driver"))), ..mount(kind, text(member(body, "Name")), "") };
    if kind == MountKind::Volume { local::expand(mount, member(body, "DriverOpts")) } else { vec![mount] }
}

fn mount(kind: MountKind, source: &str, target: &str) -> Mount {
    Mount {
        kind,
        source: source.to_owned(),
        resolved: None,
        target: target.to_owned(),
        read_only: false,
        propagation: None,
        driver: None,
    }
}

fn has_mode(modes: &str, mode: &str) -> bool {
    modes.split(',').any(|other| other == mode)
}

fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `/secret/into` leads to `/www/sub`.
    #[derive(Debug)]
    struct Links;

    impl Resolve for Links {
        fn resolve(&self, path: &str) -> Option<Resolved> {
            let followed = path.replace("/secret/into", "/www/sub");
            Some(Resolved::plain(clean_path(&followed)))
        }
    }

    #[test]
    fn a_source_that_can_be_read_in_two_ways_is_not_resolved() {
        let cases = [
            ("/www/a/../b", Some("/www/b")),
            ("/www/./a//b/", Some("/www/a/b")),
            ("/secret/into/deep", Some("/www/sub/deep")),
            ("/secret/into/../deep", None),
            ("/secret/../secret/into/x", Some("/www/sub/x")),
            ("/../..", Some("/")),
        ];
        for (source, expected) in cases {
            assert_eq!(resolve(source, &Links).map(|led| led.path).as_deref(), expected, "{source}");
        }
    }
}
