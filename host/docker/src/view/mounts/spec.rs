//! A `mount.Mount` of a container or a service.

use portcullis_document::Value;
use portcullis_model::view::{Mount, MountKind};

use super::{is_private, is_true, local, member, members, some, text, tmpfs};
use crate::ApiVersion;

/// Where a mount stands, on which depends how it is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct MountContext {
    is_service: bool,
    /// Whether a read-only bind holds for what is mounted below it, too: from Docker 25 on, which is the first to know
    /// version 1.44, and for calls of that version (moby's `daemon/server/router/container/container_routes.go`).
    pub(super) is_recursive: bool,
    /// Whether `BindOptions.NonRecursive` counts: from version 1.40 on; for services, Docker 25 is the first to pass it on.
    knows_non_recursive: bool,
}

// === impl MountContext ===

impl MountContext {
    /// Without a version, the daemon takes its newest, which nobody knows.
    pub(super) fn container(version: Option<ApiVersion>) -> Self {
        let is_from = |minor| version.is_some_and(|version| version >= ApiVersion::new(1, minor));
        Self { is_service: false, is_recursive: is_from(44), knows_non_recursive: is_from(40) }
    }

    pub(super) fn service(version: Option<ApiVersion>) -> Self {
        let of_container = Self::container(version);
        Self { is_service: true, knows_non_recursive: of_container.is_recursive, ..of_container }
    }

    pub(super) fn mounts(self, value: Value<'_>) -> Vec<Mount> {
        let value = Some(value);
        let source = text(member(value, "Source"));
        let volume = member(value, "VolumeOptions");
        let driver = member(volume, "DriverConfig");
        let mount = Mount::new(self.kind(value), source, text(member(value, "Target")));
        if self.is_service && has_template(value) {
            return vec![Mount { kind: MountKind::Other, ..mount }];
        }
        let read_only = is_true(member(value, "ReadOnly"));
        match mount.kind {
            MountKind::Bind => vec![self.bind(mount, read_only, member(value, "BindOptions"))],
            MountKind::Volume => {
                let volume = Mount {
                    read_only,
                    driver: some(text(member(driver, "Name"))),
                    subpath: some(text(member(volume, "Subpath"))),
                    makes_volume: true,
                    copies_image: !is_true(member(volume, "NoCopy")),
                    ..mount
                };
                local::expand(volume, member(driver, "Options"))
            }
            MountKind::Tmpfs => {
                vec![Mount { read_only, options: tmpfs::listed_options(member(value, "TmpfsOptions")), ..mount }]
            }
            MountKind::Image => {
                let subpath = some(text(member(member(value, "ImageOptions"), "Subpath")));
                vec![Mount { read_only, subpath, ..mount }]
            }
            MountKind::FileSystem | MountKind::Cluster | MountKind::Npipe | MountKind::Container | MountKind::Other => {
                vec![Mount { read_only, ..mount }]
            }
        }
    }

    fn bind(self, mount: Mount, read_only: bool, options: Option<Value<'_>>) -> Mount {
        let flag = |name| is_true(member(options, name));
        let propagation = self.propagation(text(member(options, "Propagation")));
        let is_alone = flag("NonRecursive") && self.knows_non_recursive;
        let is_recursive = self.is_recursive && !flag("ReadOnlyNonRecursive") && is_private(propagation.as_deref());
        Mount {
            read_only,
            read_only_recursive: read_only && (is_alone && is_private(propagation.as_deref()) || is_recursive),
            propagation,
            makes_source: flag("CreateMountpoint"),
            ..mount
        }
    }

    /// For a service the case is any, and a mount without a type is a bind (moby's `daemon/cluster/convert/container.go`).
    pub(super) fn kind(self, value: Option<Value<'_>>) -> MountKind {
        let text = text(member(value, "Type"));
        let folded = if self.is_service { text.to_uppercase().to_lowercase() } else { text.to_owned() };
        match &*folded {
            "" if self.is_service => MountKind::Bind,
            "bind" => MountKind::Bind,
            "volume" => MountKind::Volume,
            "tmpfs" if tmpfs::are_plain(member(value, "TmpfsOptions")) => MountKind::Tmpfs,
            "image" => MountKind::Image,
            "cluster" => MountKind::Cluster,
            "npipe" => MountKind::Npipe,
            _ => MountKind::Other,
        }
    }

    fn propagation(self, text: &str) -> Option<String> {
        if self.is_service { some(&text.to_uppercase().to_lowercase()) } else { some(text) }
    }
}

/// Whether the node that runs the service expands a part of the mount: its source, its target, and of a volume the values of
/// labels and driver options (`expandMounts` in swarmkit's template/expand.go). What comes of it nobody knows.
fn has_template(value: Option<Value<'_>>) -> bool {
    let volume = member(value, "VolumeOptions");
    let maps = [member(volume, "Labels"), member(member(volume, "DriverConfig"), "Options")];
    let values = maps.into_iter().flat_map(members).map(|(_, value)| text(Some(value)));
    let mut texts = [text(member(value, "Source")), text(member(value, "Target"))].into_iter().chain(values);
    texts.any(|text| text.contains("{{"))
}
