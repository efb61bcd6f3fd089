//! A call of which nothing is known.

use portcullis_document::Document;
use portcullis_model::request::UnreadableCertificate;
use portcullis_model::view::{
    Build, Capabilities, Certificate, Container, Device, Image, Label, Mount, Namespace, Network, NetworkAttachment,
    Plugin, Port, Resources, SeccompProfile, SecurityOption, Service, Swarm, Sysctl,
};
use portcullis_model::{Access, Request};

pub(super) struct Nothing;

static NO_CAPABILITIES: std::sync::LazyLock<Capabilities> = std::sync::LazyLock::new(Capabilities::default);
static NO_RESOURCES: std::sync::LazyLock<Resources> = std::sync::LazyLock::new(Resources::default);

impl Request for Nothing {
    fn operation(&self) -> &str {
        "SystemPing"
    }
    fn access(&self) -> Access {
        Access::Read
    }
    fn method(&self) -> &str {
        "GET"
    }
    fn path(&self) -> &str {
        "/_ping"
    }
    fn api_version(&self) -> Option<&str> {
        None
    }
    fn parameter(&self, _: &str) -> Option<&str> {
        None
    }
    fn query(&self) -> &[(String, String)] {
        &[]
    }
    fn header(&self, _: &str) -> Option<&str> {
        None
    }
    fn user(&self) -> Option<&str> {
        None
    }
    fn authentication(&self) -> Option<&str> {
        None
    }
    fn certificates(&self) -> Result<&[Certificate], UnreadableCertificate> {
        Ok(&[])
    }
    fn body(&self) -> Option<&Document> {
        None
    }
    fn image(&self) -> Option<&Image> {
        None
    }
    fn mounts(&self) -> &[Mount] {
        &[]
    }
    fn security_options(&self) -> &[SecurityOption] {
        &[]
    }
    fn capabilities(&self) -> &Capabilities {
        &NO_CAPABILITIES
    }
    fn privileged(&self) -> bool {
        false
    }
    fn devices(&self) -> &[Device] {
        &[]
    }
    fn namespaces(&self) -> &[Namespace] {
        &[]
    }
    fn sysctls(&self) -> &[Sysctl] {
        &[]
    }

    fn ports(&self) -> &[Port] {
        &[]
    }
    fn run_as(&self) -> Option<&str> {
        None
    }
    fn container(&self) -> Option<&Container> {
        None
    }
    fn environment(&self) -> &[String] {
        &[]
    }
    fn labels(&self) -> &[Label] {
        &[]
    }
    fn resources(&self) -> &Resources {
        &NO_RESOURCES
    }
    fn seccomp(&self) -> Option<&SeccompProfile> {
        None
    }
    fn networks(&self) -> &[NetworkAttachment] {
        &[]
    }
    fn created_network(&self) -> Option<&Network> {
        None
    }
    fn service(&self) -> Option<&Service> {
        None
    }
    fn build(&self) -> Option<&Build> {
        None
    }
    fn plugin(&self) -> Option<&Plugin> {
        None
    }
    fn swarm(&self) -> Option<&Swarm> {
        None
    }
    fn tags(&self) -> &[Image] {
        &[]
    }
}
