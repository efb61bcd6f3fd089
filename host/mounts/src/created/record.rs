//! What one container, or one volume, was created with.

use std::collections::HashSet;
use std::sync::{Arc, LazyLock};

use portcullis_docker::DockerRequest;
use portcullis_model::Request as _;
use portcullis_model::view::{Mount, MountKind};

/// Bytes of one record: about 300 mounts. What is larger is not remembered, and denied where policies look at mounts.
pub(super) const MOST: usize = 64 << 10;
/// Shown in place of what is not remembered: no path, and so it is never resolved.
static LOST: LazyLock<Arc<Mount>> =
    LazyLock::new(|| Arc::new(Mount::new(MountKind::Bind, "(a mount that is not remembered)", "")));

/// Shared by all that show them: nothing is copied while others wait.
pub(super) type Mounts = Vec<Arc<Mount>>;

/// What one container mounts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Held {
    /// Paths of the host.
    pub(super) binds: Mounts,
    /// Volumes by name, and other containers.
    pub(super) others: Mounts,
}

/// What one create is about.
#[derive(Clone, Debug, Default)]
pub(super) struct Record {
    pub(super) held: Held,
    /// Volumes that the call defines beside the container, or as its only purpose.
    pub(super) volumes: Vec<(String, Mounts)>,
    /// Whether a volume is its only purpose.
    pub(super) is_volume: bool,
    /// Whether the daemon removes it when it ends, without a call.
    pub(super) is_fleeting: bool,
}

pub(super) fn lost() -> Arc<Mount> {
    Arc::clone(&LOST)
}

// === impl Held ===

impl Held {
    /// In place of what is not remembered.
    pub(super) fn lost() -> Self {
        Self { binds: vec![lost()], others: Vec::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.binds.is_empty() && self.others.is_empty()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Mount>> {
        self.binds.iter().chain(&self.others)
    }

    pub(super) fn size(&self) -> usize {
        size_of_all(&self.binds) + size_of_all(&self.others)
    }

    pub(super) fn within_bounds(self) -> Self {
        if self.size() > MOST { Self::lost() } else { self }
    }
}

// === impl Record ===

impl Record {
    pub(super) fn of(request: &DockerRequest) -> Self {
        let is_other = |mount: &Arc<Mount>| {
            matches!(mount.kind, MountKind::Volume | MountKind::Container) && !mount.source.is_empty()
        };
        let mounts = match request.operation() {
            "ContainerCreate" | "VolumeCreate" | "ServiceCreate" | "ServiceUpdate" => request.named_mounts(),
            _ => return Self::default(),
        };
        let (binds, rest): (Mounts, Mounts) =
            mounts.into_iter().map(Arc::new).partition(|mount| mount.kind == MountKind::Bind);
        let by_name = request.volumes_by_name().into_iter().map(Arc::new);
        let held = Held { binds, others: rest.into_iter().filter(is_other).chain(by_name).collect() };
        let volumes = request.named_volumes().into_iter();
        let volumes = volumes.map(|(name, mounts)| (name, mounts.into_iter().map(Arc::new).collect())).collect();
        let is_fleeting = request.is_removed_at_its_end();
        Self { held, volumes, is_volume: request.operation() == "VolumeCreate", is_fleeting }.within_bounds()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty() && self.volumes.is_empty()
    }

    pub(super) fn within_bounds(self) -> Self {
        if self.size() > MOST { self.cut() } else { self }
    }

    pub(super) fn size(&self) -> usize {
        let volumes = self.volumes.iter().map(|(name, mounts)| name.len() + size_of_all(mounts));
        size_of::<Self>() + self.held.size() + volumes.sum::<usize>()
    }

    /// The same, without what is too much. No volume's name is left out, or it could be mounted by it.
    pub(super) fn cut(self) -> Self {
        let mut seen = HashSet::new();
        let Self { volumes, is_volume, is_fleeting, .. } = self;
        let names = volumes.into_iter().map(|(name, _)| name.chars().take(256).collect::<String>());
        let names = names.filter(|name| seen.insert(name.clone()));
        Self { held: Held::lost(), volumes: names.map(|name| (name, vec![lost()])).collect(), is_volume, is_fleeting }
    }
}

pub(super) fn size_of_all(mounts: &[Arc<Mount>]) -> usize {
    mounts.iter().map(|mount| size_of_one(mount)).sum()
}

pub(super) fn size_of_one(mount: &Mount) -> usize {
    let optional = [&mount.propagation, &mount.driver, &mount.file_system, &mount.subpath];
    let optional = optional.into_iter().flatten().map(String::len);
    let options = mount.options.iter().map(|option| size_of::<String>() + option.len());
    let texts = mount.source.len() + mount.target.len() + optional.chain(options).sum::<usize>();
    size_of::<Arc<Mount>>() + size_of::<Mount>() + texts
}
