//! The call that is being decided.

use crate::document::Document;
use crate::host::types;
use crate::view::{
    Access, Build, Capabilities, Certificate, Container, Device, Image, Label, Mount, Namespace, Network,
    NetworkAttachment, Plugin, Port, Resources, SeccompProfile, SecurityOption, Service, Swarm, Sysctl,
};

/// One Docker Engine API call, as the daemon will carry it out.
///
/// Nothing is computed or copied before it is asked for. What the views show has one shape whatever the call's
/// spelling; prefer them to the body.
#[derive(Debug)]
#[repr(transparent)]
pub struct Request(pub(crate) types::Request);

impl Request {
    /// The operation's ID in the Engine API: `ContainerCreate`. Operations that the daemon has and its API description
    /// has not are in parentheses: `(GRPC)`.
    pub fn operation(&self) -> String {
        self.0.operation()
    }

    /// Whether the operation can change anything. Attaching by websocket is a GET and a write; waiting for a container
    /// is a POST and a read.
    pub fn access(&self) -> Access {
        self.0.access()
    }

    /// `GET`, `POST`, …
    pub fn method(&self) -> String {
        self.0.method()
    }

    /// The path as the daemon routes it: decoded once, without version and query.
    pub fn path(&self) -> String {
        self.0.path()
    }

    /// `1.44`, or none where the path has no version (the daemon then takes its newest).
    pub fn api_version(&self) -> Option<String> {
        self.0.api_version()
    }

    /// A part of the path that the operation names: `id`, `name`, …
    pub fn parameter(&self, name: &str) -> Option<String> {
        self.0.parameter(name)
    }

    /// A query parameter's first value, which is the one that the daemon takes.
    pub fn query(&self, name: &str) -> Option<String> {
        self.0.query(name)
    }

    /// All values of a query parameter.
    pub fn query_all(&self, name: &str) -> Vec<String> {
        self.0.query_all(name)
    }

    /// A header of the call, whatever the case of its name. The caller chose it: it proves nothing.
    pub fn header(&self, name: &str) -> Option<String> {
        self.0.header(name)
    }

    /// The common name of the caller's TLS certificate. None: nobody proved who is calling.
    pub fn user(&self) -> Option<String> {
        self.0.user()
    }

    /// How the caller was authenticated: `TLS`.
    pub fn authentication(&self) -> Option<String> {
        self.0.authentication()
    }

    /// The caller's own certificate first, then what it sent to prove it.
    pub fn certificates(&self) -> Vec<Certificate> {
        self.0.certificates()
    }

    /// The JSON body, with every key in the spelling of the API's documentation.
    pub fn body(&self) -> Option<Document> {
        self.0.body().map(Document)
    }

    /// The image that a container, service, pull, … takes.
    pub fn image(&self) -> Option<Image> {
        self.0.image()
    }

    /// Everything that the call mounts or lets be mounted.
    pub fn mounts(&self) -> Vec<Mount> {
        self.0.mounts()
    }

    pub fn security_options(&self) -> Vec<SecurityOption> {
        self.0.security_options()
    }

    pub fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }

    /// Whether a container or an exec is privileged.
    pub fn privileged(&self) -> bool {
        self.0.privileged()
    }

    pub fn devices(&self) -> Vec<Device> {
        self.0.devices()
    }

    /// The namespaces for which the call asks something.
    pub fn namespaces(&self) -> Vec<Namespace> {
        self.0.namespaces()
    }

    /// The kernel parameters that a container, a service or a network's interface gets.
    pub fn sysctls(&self) -> Vec<Sysctl> {
        self.0.sysctls()
    }

    /// The ports that the host publishes.
    pub fn ports(&self) -> Vec<Port> {
        self.0.ports()
    }

    /// The user that the container or exec runs as, where the call says.
    pub fn run_as(&self) -> Option<String> {
        self.0.run_as()
    }

    /// What a container gets beside the other views: runtime, cgroup parent, groups, log, … None where the call neither makes nor
    /// changes one.
    pub fn container(&self) -> Option<Container> {
        self.0.container()
    }

    /// The names of environment variables, in a container, a service's tasks, an exec.
    pub fn environment(&self) -> Vec<String> {
        self.0.environment()
    }

    /// All labels that the call sets.
    pub fn labels(&self) -> Vec<Label> {
        self.0.labels()
    }

    /// What the call asks for of memory, processors, …
    pub fn resources(&self) -> Resources {
        self.0.resources()
    }

    /// The seccomp profile of a container or a service. None where the call makes no container.
    pub fn seccomp(&self) -> Option<SeccompProfile> {
        self.0.seccomp()
    }

    /// The networks that a container or a service's tasks join.
    pub fn networks(&self) -> Vec<NetworkAttachment> {
        self.0.networks()
    }

    /// The network that the call makes.
    pub fn created_network(&self) -> Option<Network> {
        self.0.created_network()
    }

    /// The service that the call makes or changes, beside what its containers get.
    pub fn service(&self) -> Option<Service> {
        self.0.service()
    }

    /// The parameters of a build.
    pub fn build(&self) -> Option<Build> {
        self.0.build()
    }

    /// The plugin that the call installs or changes.
    pub fn plugin(&self) -> Option<Plugin> {
        self.0.plugin()
    }

    /// What the call does to the swarm, or to a node.
    pub fn swarm(&self) -> Option<Swarm> {
        self.0.swarm()
    }

    /// The names that the call gives to images.
    pub fn tags(&self) -> Vec<Image> {
        self.0.tags()
    }
}
