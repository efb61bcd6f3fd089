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
            view::Device::Request(request) => Self::Request(request.into()),
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

/// A record, some of them, or one that may not be there.
trait Convert<T> {
    fn convert(self) -> T;
}

impl<V, T: From<V>> Convert<Vec<T>> for Vec<V> {
    fn convert(self) -> Vec<T> {
        self.into_iter().map(T::from).collect()
    }
}

impl<V, T: From<V>> Convert<Option<T>> for Option<V> {
    fn convert(self) -> Option<T> {
        self.map(T::from)
    }
}

macro_rules! alone {
    ($($name:ident)*) => {$(
        impl Convert<contract::$name> for view::$name {
            fn convert(self) -> contract::$name {
                self.into()
            }
        }
    )*};
}

alone! { Driver Labelled BlockIoKind SeccompKind ServiceMode }

/// Records that have the same fields on both sides: those that stay as they are, and those whose items are such records.
macro_rules! records {
    ($($name:ident { $($same:ident),* $(; $($inner:ident),*)? })*) => {$(
        impl From<view::$name> for contract::$name {
            fn from(from: view::$name) -> Self {
                Self {
                    $($same: from.$same,)*
                    $($($inner: from.$inner.convert(),)*)?
                }
            }
        }
    )*};
}

macro_rules! enums {
    ($($name:ident { $($case:ident),* })*) => {$(
        impl From<view::$name> for contract::$name {
            fn from(from: view::$name) -> Self {
                match from {
                    $(view::$name::$case => Self::$case,)*
                }
            }
        }
    )*};
}

records! {
    Entry { name, value }
    Driver { name; options }
    DeviceRequest { driver, count, ids, capabilities; options }
    RestartPolicy { name, maximum_retries }
    Container { runtime, cgroup_parent, isolation, groups, read_only_root, init, hostname, domainname, hosts, name_servers, links, auto_remove; restart, log, annotations }
    Label { name, value; of }
    Ulimit { name, soft, hard }
    BlockIo { device, value; kind }
    Resources { memory, memory_reservation, memory_swap, memory_swappiness, kernel_memory, kernel_memory_tcp, shared_memory, nano_cpus, nano_cpus_reservation, cpu_shares, cpu_period, cpu_quota, cpu_realtime_period, cpu_realtime_runtime, cpus, memory_nodes, pids, oom_kill_disable, oom_score_adjustment; block_io, ulimits, storage, generic }
    SeccompProfile { default_action, actions, listener, digest; kind }
    NetworkAttachment { network, aliases, addresses, mac_address, links; options }
    Subnet { subnet, ip_range, gateway; auxiliary }
    Network { name, driver, parent, scope, internal, attachable, ingress, config_only, config_from, ipv4, ipv6; options, ipam, subnets }
    Reference { id, name, file, uid, gid, mode }
    Service { name, runtime, replicas, constraints; mode, secrets, configs }
    Build { builder, remote, session, dockerfile, target, platform, arguments, cache_from, pull, no_cache, squash, security_options, unreadable; outputs }
    PluginPrivilege { name, description, values }
    Plugin { name; privileges, settings }
    CertificateAuthority { protocol, url; options }
    Swarm { listen_address, advertise_address, data_path_address, data_path_port, remote_addresses, address_pools, subnet_size, force_new_cluster, auto_lock, role, availability, signing_certificate, rotates; certificate_authorities, log }
}

enums! {
    Labelled { Object, Task, Volume }
    BlockIoKind { Weight, ReadBytes, WriteBytes, ReadOperations, WriteOperations }
    SeccompKind { Default, Builtin, Unconfined, Custom, Unreadable }
    ServiceMode { Replicated, Global, ReplicatedJob, GlobalJob }
}
