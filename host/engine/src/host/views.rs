//! The views, in the contract's types.

use portcullis_model::view::{self, Items};

use crate::contract::portcullis::policy::types;
use crate::heavy::off_worker;
use crate::host::large;

/// One view, which may have many entries.
pub(super) fn whole<V: Clone + Items, T: From<V>>(view: &V) -> T {
    let converted = || T::from(view.clone());
    if view.items() > large::ITEMS { off_worker(converted) } else { converted() }
}

pub(super) fn converted<V: Clone, T: From<V>>(views: &[V]) -> Vec<T> {
    let converted = || views.iter().cloned().map(T::from).collect();
    if views.len() > large::ITEMS { off_worker(converted) } else { converted() }
}

impl From<view::Certificate> for types::Certificate {
    fn from(view: view::Certificate) -> Self {
        Self {
            subject: view.subject,
            common_name: view.common_name,
            organizations: view.organizations,
            organizational_units: view.organizational_units,
            alternative_names: view.alternative_names,
            fingerprint: view.fingerprint,
            not_after: view.not_after,
        }
    }
}

impl From<view::Image> for types::Image {
    fn from(view::Image { registry, repository, tag, digest }: view::Image) -> Self {
        Self { registry, repository, tag, digest }
    }
}

impl From<view::Mount> for types::Mount {
    fn from(view: view::Mount) -> Self {
        let kind = match view.kind {
            view::MountKind::Bind => types::MountKind::Bind,
            view::MountKind::Volume => types::MountKind::Volume,
            view::MountKind::Tmpfs => types::MountKind::Tmpfs,
            view::MountKind::FileSystem => types::MountKind::FileSystem,
            view::MountKind::Image => types::MountKind::Image,
            view::MountKind::Cluster => types::MountKind::Cluster,
            view::MountKind::Npipe => types::MountKind::Npipe,
            view::MountKind::Container => types::MountKind::Container,
            view::MountKind::Other => types::MountKind::Other,
        };
        Self {
            kind,
            source: view.source,
            resolved: view.resolved,
            links: view.links,
            missing: view.missing,
            target: view.target,
            read_only: view.read_only,
            read_only_recursive: view.read_only_recursive,
            propagation: view.propagation,
            driver: view.driver,
            file_system: view.file_system,
            options: view.options,
            subpath: view.subpath,
            makes_volume: view.makes_volume,
            copies_image: view.copies_image,
            makes_source: view.makes_source,
        }
    }
}

impl From<view::SecurityOption> for types::SecurityOption {
    fn from(view::SecurityOption { name, value }: view::SecurityOption) -> Self {
        Self { name, value }
    }
}

impl From<view::Device> for types::Device {
    fn from(view: view::Device) -> Self {
        match view {
            view::Device::Path { host, container, permissions } => {
                Self::Path(types::DevicePath { host, container, permissions })
            }
            view::Device::Request(request) => Self::Request(request.into()),
            view::Device::CgroupRule(rule) => Self::CgroupRule(rule),
        }
    }
}

impl From<view::Namespace> for types::Namespace {
    fn from(view: view::Namespace) -> Self {
        let kind = match view.kind {
            view::NamespaceKind::Cgroup => types::NamespaceKind::Cgroup,
            view::NamespaceKind::Ipc => types::NamespaceKind::Ipc,
            view::NamespaceKind::Network => types::NamespaceKind::Network,
            view::NamespaceKind::Pid => types::NamespaceKind::Pid,
            view::NamespaceKind::User => types::NamespaceKind::User,
            view::NamespaceKind::Uts => types::NamespaceKind::Uts,
        };
        let mode = match view.mode {
            view::NamespaceMode::Host => types::NamespaceMode::Host,
            view::NamespaceMode::Container(name) => types::NamespaceMode::Container(name),
            view::NamespaceMode::Unknown(text) => types::NamespaceMode::Unknown(text),
            view::NamespaceMode::Other(mode) => types::NamespaceMode::Other(mode),
        };
        Self { kind, mode }
    }
}

impl From<view::Sysctl> for types::Sysctl {
    fn from(view::Sysctl { name, value }: view::Sysctl) -> Self {
        Self { name, value }
    }
}

impl From<view::Port> for types::Port {
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
        impl Convert<types::$name> for view::$name {
            fn convert(self) -> types::$name {
                self.into()
            }
        }
    )*};
}

alone! { Driver Labelled BlockIoKind SeccompKind ServiceMode }

/// Records that have the same fields on both sides: those that stay as they are, and those whose items are such records.
macro_rules! records {
    ($($name:ident { $($same:ident),* $(; $($inner:ident),*)? })*) => {$(
        impl From<view::$name> for types::$name {
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
        impl From<view::$name> for types::$name {
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
