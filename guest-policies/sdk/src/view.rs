//! The plain types of the contract, and what makes them handy.

pub use crate::bindings::portcullis::policy::types::{
    Access, BlockIo, BlockIoKind, Build, Capabilities, Certificate, CertificateAuthority, Container, Device,
    DevicePath, DeviceRequest, Driver, Entry, Image, Kind, Label, Labelled, Mount, MountKind, Namespace, NamespaceKind,
    NamespaceMode, Network, NetworkAttachment, Plugin, PluginPrivilege, Port, Reference, Resources, RestartPolicy,
    SeccompKind, SeccompProfile, SecurityOption, Service, ServiceMode, Subnet, Swarm, Sysctl, Ulimit, Verdict,
};

impl Verdict {
    pub fn allow() -> Self {
        Self::Allow
    }

    /// With the reason that the caller is shown: one line, at most 512 bytes.
    pub fn deny(reason: impl Into<String>) -> Self {
        Self::Deny(reason.into())
    }

    /// This policy has nothing to say about the call.
    pub fn abstain() -> Self {
        Self::Abstain
    }
}

impl Image {
    /// Registry and repository, without tag and digest: `docker.io/library/alpine`.
    pub fn name(&self) -> String {
        [&*self.registry, &*self.repository].join("/")
    }
}

impl SecurityOption {
    /// Whether this is `name=value`.
    pub fn is(&self, name: &str, value: &str) -> bool {
        self.name == name && self.value.as_deref() == Some(value)
    }
}
