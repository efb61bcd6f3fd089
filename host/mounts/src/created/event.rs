//! What changes a registry, as it is kept: each by itself, and in their order all of it again.

use std::sync::Arc;

use portcullis_model::TenantName;
use portcullis_model::view::{Mount, MountKind};
use serde::{Deserialize, Serialize};

use super::record::{Held, Mounts, size_of_all};

/// Whose something is; none where nobody can tell.
pub(super) type Owner = Option<TenantName>;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Event {
    Container {
        #[serde(with = "owner", default, skip_serializing_if = "Option::is_none")]
        tenant: Owner,
        #[serde(with = "text")]
        id: Arc<str>,
        /// None where the daemon chose one, or where it is not known.
        #[serde(with = "some_text", default, skip_serializing_if = "Option::is_none")]
        name: Option<Arc<str>>,
        /// A name that it, or another, was renamed from before this was known.
        #[serde(with = "some_text", default, skip_serializing_if = "Option::is_none")]
        renamed_from: Option<Arc<str>>,
        #[serde(with = "held", default, skip_serializing_if = "is_empty")]
        held: Arc<Held>,
        /// Volumes that were made with it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        volumes: Vec<Defined>,
        /// Whether it can go without a call.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        is_fleeting: bool,
    },
    Volumes {
        #[serde(with = "owner", default, skip_serializing_if = "Option::is_none")]
        tenant: Owner,
        volumes: Vec<Defined>,
    },
    Renamed {
        #[serde(with = "owner", default, skip_serializing_if = "Option::is_none")]
        tenant: Owner,
        container: String,
        #[serde(with = "text")]
        name: Arc<str>,
    },
    ContainersRemoved(Vec<String>),
    VolumesRemoved(Vec<String>),
    /// Somebody had containers removed, and nobody can tell which.
    SomeContainersRemoved {
        #[serde(with = "owner", default, skip_serializing_if = "Option::is_none")]
        tenant: Owner,
    },
    /// Somebody had volumes removed, and nobody can tell which.
    SomeVolumesRemoved {
        #[serde(with = "owner", default, skip_serializing_if = "Option::is_none")]
        tenant: Owner,
    },
    /// A name of which it is not known whose it is.
    Unsure {
        #[serde(with = "owner", default, skip_serializing_if = "Option::is_none")]
        tenant: Owner,
        /// None: every name that is not known.
        #[serde(with = "some_text", default, skip_serializing_if = "Option::is_none")]
        name: Option<Arc<str>>,
        is_any: bool,
        /// Whether it is none of what others created.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        is_own: bool,
    },
    /// Renames whose order nobody can tell: each of these names may be any container's.
    Doubtful {
        #[serde(with = "owner", default, skip_serializing_if = "Option::is_none")]
        tenant: Owner,
        names: Vec<String>,
    },
    /// Something of a tenant's was forgotten.
    Lost {
        #[serde(with = "owner", default, skip_serializing_if = "Option::is_none")]
        tenant: Owner,
        containers: bool,
        volumes: bool,
    },
    /// A create that was allowed, and is not answered yet.
    Expected {
        #[serde(with = "owner", default, skip_serializing_if = "Option::is_none")]
        tenant: Owner,
        /// Among all of the tenant's that are not answered.
        #[serde(default)]
        number: u64,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        is_volume: bool,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        is_fleeting: bool,
        uri: String,
        #[serde(with = "some_text", default, skip_serializing_if = "Option::is_none")]
        name: Option<Arc<str>>,
        #[serde(with = "held", default, skip_serializing_if = "is_empty")]
        held: Arc<Held>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        volumes: Vec<Defined>,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        is_renamed: bool,
    },
    /// It was answered, or is taken for carried out.
    Answered {
        #[serde(with = "owner", default, skip_serializing_if = "Option::is_none")]
        tenant: Owner,
        number: u64,
    },
}

/// A volume, and what it mounts from the host.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Defined {
    /// Empty: the daemon chose one.
    #[serde(with = "text")]
    pub(super) name: Arc<str>,
    #[serde(with = "mounts", default, skip_serializing_if = "no_mounts")]
    pub(super) binds: Arc<Mounts>,
    /// Whether it is there: what is asked of it from now on does not change it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) is_settled: bool,
    /// Whether this is all that it mounts, whatever else was asked of it before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) is_exact: bool,
}

/// A mount, as it is written.
#[derive(Serialize, Deserialize)]
struct Written {
    kind: MountKind,
    source: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    target: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    read_only: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    read_only_recursive: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    propagation: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    driver: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    file_system: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    options: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    subpath: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    makes_volume: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    copies_image: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    makes_source: bool,
}

// === impl Written ===

impl Written {
    fn of(mount: &Mount) -> Self {
        Self {
            kind: mount.kind,
            source: mount.source.clone(),
            target: mount.target.clone(),
            read_only: mount.read_only,
            read_only_recursive: mount.read_only_recursive,
            propagation: mount.propagation.clone(),
            driver: mount.driver.clone(),
            file_system: mount.file_system.clone(),
            options: mount.options.clone(),
            subpath: mount.subpath.clone(),
            makes_volume: mount.makes_volume,
            copies_image: mount.copies_image,
            makes_source: mount.makes_source,
        }
    }

    fn read(self) -> Mount {
        Mount {
            read_only: self.read_only,
            read_only_recursive: self.read_only_recursive,
            propagation: self.propagation,
            driver: self.driver,
            file_system: self.file_system,
            options: self.options,
            subpath: self.subpath,
            makes_volume: self.makes_volume,
            copies_image: self.copies_image,
            makes_source: self.makes_source,
            ..Mount::new(self.kind, &self.source, &self.target)
        }
    }
}

// === impl Event ===

impl Event {
    pub(super) fn tenant(&self) -> Option<&Owner> {
        match self {
            Self::Container { tenant, .. }
            | Self::Volumes { tenant, .. }
            | Self::Renamed { tenant, .. }
            | Self::Unsure { tenant, .. }
            | Self::Doubtful { tenant, .. }
            | Self::Lost { tenant, .. }
            | Self::SomeContainersRemoved { tenant }
            | Self::SomeVolumesRemoved { tenant }
            | Self::Expected { tenant, .. } => Some(tenant),
            Self::ContainersRemoved(_) | Self::VolumesRemoved(_) | Self::Answered { .. } => None,
        }
    }

    /// Bytes that it holds, about.
    pub(super) fn size(&self) -> usize {
        let of_volumes = |volumes: &[Defined]| -> usize {
            volumes.iter().map(|volume| size_of::<Defined>() + volume.name.len() + size_of_all(&volume.binds)).sum()
        };
        let more = match self {
            Self::Container { held, volumes, .. } => held.size() + of_volumes(volumes),
            Self::Volumes { volumes, .. } => of_volumes(volumes),
            Self::Renamed { container, name, .. } => container.len() + name.len(),
            Self::ContainersRemoved(names) | Self::VolumesRemoved(names) | Self::Doubtful { names, .. } => {
                names.iter().map(String::len).sum()
            }
            Self::Unsure { .. }
            | Self::Lost { .. }
            | Self::SomeContainersRemoved { .. }
            | Self::SomeVolumesRemoved { .. }
            | Self::Answered { .. } => 0,
            Self::Expected { uri, held, volumes, .. } => uri.len() + held.size() + of_volumes(volumes),
        };
        size_of::<Self>() + more
    }
}

// === impl Defined ===

impl Defined {
    /// Of which it is not known whether it is there.
    pub(super) fn unsettled((name, binds): (String, Mounts)) -> Self {
        Self { name: name.into(), binds: Arc::new(binds), is_settled: false, is_exact: false }
    }

    /// It is there, as it is told.
    pub(super) fn settled(defined: (String, Mounts)) -> Self {
        Self { is_settled: true, ..Self::unsettled(defined) }
    }
}

fn no_mounts(mounts: &Arc<Mounts>) -> bool {
    mounts.is_empty()
}

fn is_empty(held: &Arc<Held>) -> bool {
    held.is_empty()
}

mod owner {
    use portcullis_model::TenantName;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Owner;

    pub(super) fn serialize<S: Serializer>(owner: &Owner, to: S) -> Result<S::Ok, S::Error> {
        owner.as_ref().map(TenantName::as_str).serialize(to)
    }

    pub(super) fn deserialize<'d, D: Deserializer<'d>>(from: D) -> Result<Owner, D::Error> {
        let name: Option<String> = Option::deserialize(from)?;
        name.map(|name| TenantName::new(&name).map_err(D::Error::custom)).transpose()
    }
}

mod mounts {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serializer};

    use super::{Mounts, Written};

    pub(super) fn serialize<S: Serializer>(mounts: &Mounts, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(mounts.iter().map(|mount| Written::of(mount)))
    }

    pub(super) fn deserialize<'d, D: Deserializer<'d>>(from: D) -> Result<Arc<Mounts>, D::Error> {
        let written: Vec<Written> = Vec::deserialize(from)?;
        Ok(Arc::new(written.into_iter().map(|mount| Arc::new(mount.read())).collect()))
    }
}

mod held {
    use std::sync::Arc;

    use portcullis_model::view::MountKind;
    use serde::{Deserializer, Serializer};

    use super::{Held, Written, mounts};

    pub(super) fn serialize<S: Serializer>(held: &Held, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(held.all().map(|mount| Written::of(mount)))
    }

    pub(super) fn deserialize<'d, D: Deserializer<'d>>(from: D) -> Result<Arc<Held>, D::Error> {
        let all = Arc::unwrap_or_clone(mounts::deserialize(from)?);
        let (binds, others) = all.into_iter().partition(|mount| mount.kind == MountKind::Bind);
        Ok(Arc::new(Held { binds, others }))
    }
}

mod text {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(text: &str, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(text)
    }

    pub(super) fn deserialize<'d, D: Deserializer<'d>>(from: D) -> Result<Arc<str>, D::Error> {
        String::deserialize(from).map(Into::into)
    }
}

mod some_text {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(text: &Option<Arc<str>>, to: S) -> Result<S::Ok, S::Error> {
        text.as_deref().serialize(to)
    }

    pub(super) fn deserialize<'d, D: Deserializer<'d>>(from: D) -> Result<Option<Arc<str>>, D::Error> {
        Ok(Option::<String>::deserialize(from)?.map(Into::into))
    }
}
