//! A call that remembers whether somebody looked at what is not as it was.

use std::sync::atomic::{AtomicBool, Ordering};

use portcullis_docker::DockerRequest;
use portcullis_document::Document;
use portcullis_model::request::UnreadableCertificate;
use portcullis_model::view::{
    Build, Capabilities, Certificate, Container, Device, Image, Label, Mount, MountKind, Namespace, Network,
    NetworkAttachment, Plugin, Port, Resources, SeccompProfile, SecurityOption, Service, Swarm, Sysctl,
};
use portcullis_model::{Access, Request};
use portcullis_mounts::created;

use crate::call::Missing;

/// Where bodies have the options of volume drivers.
const VOLUME_OPTIONS: [&str; 2] = ["Options", "DriverOpts"];

/// A call of a record, as policies see it.
#[derive(Debug)]
pub(crate) struct Watched {
    request: DockerRequest,
    missing: Missing,
    looked: AtomicBool,
}

// === impl Watched ===

impl Watched {
    pub(crate) fn new(request: DockerRequest, missing: Missing) -> Self {
        Self { request, missing, looked: AtomicBool::new(false) }
    }

    /// Whether a policy saw something that is not as it was.
    pub(crate) fn looked(&self) -> bool {
        self.looked.load(Ordering::Relaxed)
    }

    fn note(&self, is_missing: bool) {
        if is_missing {
            self.looked.store(true, Ordering::Relaxed);
        }
    }

    /// The call, of which something is made that needs the body.
    fn of_body(&self) -> &DockerRequest {
        self.note(self.missing.has_no_body);
        &self.request
    }

    /// The call, of which something is made that shows values of objects with these names.
    fn with_values(&self, names: &[&str]) -> &DockerRequest {
        let is_below = |pointer: &String| names.iter().any(|name| pointer.split('/').any(|part| part == *name));
        self.note(self.missing.in_body.iter().any(is_below));
        self.of_body()
    }
}

impl Request for Watched {
    fn operation(&self) -> &str {
        self.request.operation()
    }

    fn access(&self) -> Access {
        self.request.access()
    }

    fn method(&self) -> &str {
        self.request.method()
    }

    fn path(&self) -> &str {
        self.request.path()
    }

    fn api_version(&self) -> Option<&str> {
        self.request.api_version()
    }

    fn parameter(&self, name: &str) -> Option<&str> {
        self.request.parameter(name)
    }

    fn query(&self) -> &[(String, String)] {
        self.note(self.missing.in_query);
        self.request.query()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.note(self.missing.headers.iter().any(|header| header.eq_ignore_ascii_case(name)));
        self.request.header(name)
    }

    fn user(&self) -> Option<&str> {
        self.request.user()
    }

    fn authentication(&self) -> Option<&str> {
        self.request.authentication()
    }

    fn certificates(&self) -> Result<&[Certificate], UnreadableCertificate> {
        self.request.certificates()
    }

    fn body(&self) -> Option<&Document> {
        self.note(!self.missing.in_body.is_empty());
        self.of_body().body()
    }

    fn image(&self) -> Option<&Image> {
        self.note(self.missing.in_query);
        self.of_body().image()
    }

    fn mounts(&self) -> &[Mount] {
        let mounts = self.with_values(&VOLUME_OPTIONS).mounts();
        let is_open = self.missing.mounts && mounts.iter().any(|mount| mount.kind == MountKind::Bind);
        // What the container was created with is not in the record.
        self.note(is_open || created::is_mounting(self.request.operation()));
        mounts
    }

    fn security_options(&self) -> &[SecurityOption] {
        self.of_body().security_options()
    }

    fn capabilities(&self) -> &Capabilities {
        self.of_body().capabilities()
    }

    fn privileged(&self) -> bool {
        self.of_body().privileged()
    }

    fn devices(&self) -> &[Device] {
        self.of_body().devices()
    }

    fn namespaces(&self) -> &[Namespace] {
        self.of_body().namespaces()
    }

    fn sysctls(&self) -> &[Sysctl] {
        self.request.sysctls()
    }

    fn ports(&self) -> &[Port] {
        self.of_body().ports()
    }

    fn run_as(&self) -> Option<&str> {
        self.of_body().run_as()
    }

    fn container(&self) -> Option<&Container> {
        self.with_values(&["Config", "LogDriver", "Annotations"]).container()
    }

    fn environment(&self) -> &[String] {
        self.of_body().environment()
    }

    fn labels(&self) -> &[Label] {
        self.note(self.missing.in_query);
        self.with_values(&["Labels"]).labels()
    }

    fn resources(&self) -> &Resources {
        self.with_values(&["StorageOpt"]).resources()
    }

    fn seccomp(&self) -> Option<&SeccompProfile> {
        self.of_body().seccomp()
    }

    fn networks(&self) -> &[NetworkAttachment] {
        self.with_values(&["DriverOpts"]).networks()
    }

    fn created_network(&self) -> Option<&Network> {
        self.with_values(&["Options", "AuxiliaryAddresses"]).created_network()
    }

    fn service(&self) -> Option<&Service> {
        self.of_body().service()
    }

    fn build(&self) -> Option<&Build> {
        self.note(self.missing.in_query);
        self.of_body().build()
    }

    fn plugin(&self) -> Option<&Plugin> {
        // What a plugin is set to is taken out of each item of a list.
        self.note(!self.missing.in_body.is_empty());
        self.of_body().plugin()
    }

    fn swarm(&self) -> Option<&Swarm> {
        self.with_values(&["Options"]).swarm()
    }

    fn tags(&self) -> &[Image] {
        self.note(self.missing.in_query);
        self.of_body().tags()
    }
}
