//! From the host's views to the contract's.

use portcullis_model::view;

use crate::view as contract;

impl From<view::Certificate> for contract::Certificate {
    fn from(from: view::Certificate) -> Self {
        Self {
            subject: from.subject,
            common_name: from.common_name,
            organizations: from.organizations,
            organizational_units: from.organizational_units,
            alternative_names: from.alternative_names,
            fingerprint: from.fingerprint,
            not_after: from.not_after,
        }
    }
}

impl From<view::Image> for contract::Image {
    fn from(view::Image { registry, repository, tag, digest }: view::Image) -> Self {
        Self { registry, repository, tag, digest }
    }
}

impl From<view::MountKind> for contract::MountKind {
    fn from(from: view::MountKind) -> Self {
        match from {
            view::MountKind::Bind => Self::Bind,
            view::MountKind::Volume => Self::Volume,
            view::MountKind::Tmpfs => Self::Tmpfs,
            view::MountKind::FileSystem => Self::FileSystem,
            view::MountKind::Image => Self::Image,
            view::MountKind::Cluster => Self::Cluster,
            view::MountKind::Npipe => Self::Npipe,
            view::MountKind::Container => Self::Container,
            view::MountKind::Other => Self::Other,
        }
    }
}

impl From<view::Mount> for contract::Mount {
    fn from(from: view::Mount) -> Self {
        Self {
            kind: from.kind.into(),
            source: from.source,
            resolved: from.resolved,
            links: from.links,
            missing: from.missing,
            target: from.target,
            read_only: from.read_only,
            read_only_recursive: from.read_only_recursive,
            propagation: from.propagation,
            driver: from.driver,
            file_system: from.file_system,
            options: from.options,
            subpath: from.subpath,
            makes_volume: from.makes_volume,
            copies_image: from.copies_image,
            makes_source: from.makes_source,
        }
    }
}

impl From<view::SecurityOption> for contract::SecurityOption {
    fn from(view::SecurityOption { name, value }: view::SecurityOption) -> Self {
        Self { name, value }
    }
}

impl From<view::Capabilities> for contract::Capabilities {
    fn from(view::Capabilities { added, dropped }: view::Capabilities) -> Self {
        Self { added, dropped }
    }
}

impl From<view::Device> for contract::Device {
    fn from(from: view::Device) -> Self {
        match from {
            view::Device::Path { host, container, permissions } => {
                Self::Path(contract::DevicePath { host, container, permissions })
            }
            view::Device::Request(driver) => Self::Request(driver),
            view::Device::CgroupRule(rule) => Self::CgroupRule(rule),
        }
    }
}

impl From<view::NamespaceKind> for contract::NamespaceKind {
    fn from(from: view::NamespaceKind) -> Self {
        match from {
            view::NamespaceKind::Cgroup => Self::Cgroup,
            view::NamespaceKind::Ipc => Self::Ipc,
            view::NamespaceKind::Network => Self::Network,
            view::NamespaceKind::Pid => Self::Pid,
            view::NamespaceKind::User => Self::User,
            view::NamespaceKind::Uts => Self::Uts,
        }
    }
}

impl From<view::NamespaceMode> for contract::NamespaceMode {
    fn from(from: view::NamespaceMode) -> Self {
        match from {
            view::NamespaceMode::Host => Self::Host,
            view::NamespaceMode::Container(name) => Self::Container(name),
            view::NamespaceMode::Unknown(text) => Self::Unknown(text),
            view::NamespaceMode::Other(mode) => Self::Other(mode),
        }
    }
}

impl From<view::Namespace> for contract::Namespace {
    fn from(view::Namespace { kind, mode }: view::Namespace) -> Self {
        Self { kind: kind.into(), mode: mode.into() }
    }
}

impl From<view::Sysctl> for contract::Sysctl {
    fn from(view::Sysctl { name, value }: view::Sysctl) -> Self {
        Self { name, value }
    }
}

impl From<view::Port> for contract::Port {
    fn from(view::Port { container, protocol, address, first, last }: view::Port) -> Self {
        Self { container, protocol, address, first, last }
    }
}
