//! What a policy may ask about one Docker API call.

use portcullis_document::Document;

use crate::view::{
    Build, Capabilities, Certificate, Container, Device, Image, Label, Mount, Namespace, Network, NetworkAttachment,
    Plugin, Port, Resources, SeccompProfile, SecurityOption, Service, Swarm, Sysctl,
};

/// Whether an operation can change anything: told by operation, never by HTTP method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    Read,
    Write,
}

/// A certificate of the caller that cannot be read: what depends on it must deny.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("certificate {position} of the caller cannot be read: {problem}")]
pub struct UnreadableCertificate {
    /// Counted from 1, the caller's own.
    pub position: usize,
    pub problem: String,
}

/// One Docker API call, as the daemon will carry it out.
///
/// Views are computed when they are first asked for, and once. The contract (`wit/policy.wit`) says what each one is.
pub trait Request: Send + Sync + 'static {
    /// The operation's ID in the Engine API, e.g. `ContainerCreate`.
    fn operation(&self) -> &str;
    fn access(&self) -> Access;
    fn method(&self) -> &str;
    /// Decoded once, without version and query.
    fn path(&self) -> &str;
    /// `1.44`; none where the path has no version.
    fn api_version(&self) -> Option<&str>;
    /// A part of the path that the operation names.
    fn parameter(&self, name: &str) -> Option<&str>;
    /// Every query parameter in the order of the call, decoded.
    fn query(&self) -> &[(String, String)];
    /// A header, whatever the case of its name.
    fn header(&self, name: &str) -> Option<&str>;
    fn user(&self) -> Option<&str>;
    fn authentication(&self) -> Option<&str>;
    /// The caller's own certificate first.
    fn certificates(&self) -> Result<&[Certificate], UnreadableCertificate>;
    /// The JSON body in canonical spelling.
    fn body(&self) -> Option<&Document>;

    fn image(&self) -> Option<&Image>;
    fn mounts(&self) -> &[Mount];
    fn security_options(&self) -> &[SecurityOption];
    fn capabilities(&self) -> &Capabilities;
    fn privileged(&self) -> bool;
    fn devices(&self) -> &[Device];
    fn namespaces(&self) -> &[Namespace];
    fn sysctls(&self) -> &[Sysctl];
    fn ports(&self) -> &[Port];
    fn run_as(&self) -> Option<&str>;

    fn container(&self) -> Option<&Container>;
    fn environment(&self) -> &[String];
    fn labels(&self) -> &[Label];
    fn resources(&self) -> &Resources;
    fn seccomp(&self) -> Option<&SeccompProfile>;
    fn networks(&self) -> &[NetworkAttachment];
    fn created_network(&self) -> Option<&Network>;
    fn service(&self) -> Option<&Service>;
    fn build(&self) -> Option<&Build>;
    fn plugin(&self) -> Option<&Plugin>;
    fn swarm(&self) -> Option<&Swarm>;
    fn tags(&self) -> &[Image];
}
