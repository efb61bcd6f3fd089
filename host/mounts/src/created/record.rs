//! What one container, or one volume, was created with.

use std::collections::HashSet;

use portcullis_docker::DockerRequest;
use portcullis_model::Request as _;
use portcullis_model::view::{Mount, MountKind};

/// Bytes of one record: about 300 mounts. What is larger is not remembered, and denied where policies look at mounts.
pub(super) const MOST: usize = 64 << 10;
/// Shown in place of what is not remembered: no path, and so it is never resolved.
const TOO_MUCH: &str = "(a mount that is not remembered)";

/// What one container, or one volume, was created with.
#[derive(Clone, Debug, Default)]
pub(super) struct Record {
    /// Paths of the host.
    pub(super) binds: Vec<Mount>,
    /// Volumes by name, and other containers.
    pub(super) others: Vec<Mount>,
    /// Volumes that the call defines beside the container, or as its only purpose.
    pub(super) volumes: Vec<(String, Vec<Mount>)>,
}

// === impl Record ===

impl Record {
    pub(super) fn of(request: &DockerRequest) -> Self {
        if !matches!(request.operation(), "ContainerCreate" | "VolumeCreate") {
            return Self::default();
        }
        let is_other =
            |mount: &Mount| matches!(mount.kind, MountKind::Volume | MountKind::Container) && !mount.source.is_empty();
        let (binds, rest): (Vec<_>, Vec<_>) =
            request.named_mounts().into_iter().partition(|mount| mount.kind == MountKind::Bind);
        let others = rest.into_iter().filter(is_other).collect();
        Self { binds, others, volumes: request.named_volumes() }.within_bounds()
    }

    pub(super) fn mounts_like(&self, other: &Self) -> bool {
        self.binds == other.binds && self.others == other.others
    }

    pub(super) fn within_bounds(self) -> Self {
        if self.size() > MOST { self.cut() } else { self }
    }

    /// Of a container that has these mounts of the host, and nothing else.
    pub(super) fn size(&self) -> usize {
        let volumes = self.volumes.iter().map(|(name, mounts)| name.len() + size_of_all(mounts));
        size_of::<Self>() + size_of_all(&self.binds) + size_of_all(&self.others) + volumes.sum::<usize>()
    }

    /// The same, without what is too much. No volume's name is left out, or it could be mounted by it.
    fn cut(self) -> Self {
        let mut seen = HashSet::new();
        let names = self.volumes.into_iter().map(|(name, _)| name.chars().take(256).collect::<String>());
        let names = names.filter(|name| seen.insert(name.clone()));
        let volumes = names.map(|name| (name, vec![too_much()])).collect();
        Self { binds: vec![too_much()], volumes, ..Self::default() }
    }
}

pub(super) fn size_of_all(mounts: &[Mount]) -> usize {
    let texts = |mount: &Mount| {
        let optional = [&mount.propagation, &mount.driver, &mount.file_system, &mount.subpath];
        let optional = optional.into_iter().flatten().map(String::len);
        let options = mount.options.iter().map(|option| size_of::<String>() + option.len());
        mount.source.len() + mount.target.len() + optional.chain(options).sum::<usize>()
    };
    mounts.iter().map(|mount| size_of::<Mount>() + texts(mount)).sum()
}

pub(super) fn too_much() -> Mount {
    Mount::new(MountKind::Bind, TOO_MUCH, "")
}
