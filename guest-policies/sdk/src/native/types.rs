//! The two resources of the contract.

use std::sync::Arc;

use portcullis_document::Kind as ModelKind;
use portcullis_model as model;
use portcullis_model::Fault;
use portcullis_model::data::Found;

use crate::view::{
    Access, Build, Capabilities, Certificate, Container, Device, Image, Kind, Label, Mount, Namespace, Network,
    NetworkAttachment, Plugin, Port, Resources, SeccompProfile, SecurityOption, Service, Swarm, Sysctl,
};

/// Somewhere a JSON value is held.
#[derive(Clone)]
pub(crate) enum Document {
    Json(Arc<portcullis_document::Document>),
    Data(Arc<model::Data>),
    BodyOf(Arc<dyn model::Request>),
}

#[derive(Clone)]
pub(crate) struct Request(pub(crate) Arc<dyn model::Request>);

// === impl Document ===

impl Document {
    fn find<T>(&self, pointer: &str, ask: impl FnOnce(Found<'_>) -> Option<T>) -> Option<T> {
        match self {
            Self::Json(document) => document.pointer(pointer).map(Found::Value),
            Self::Data(data) => data.lookup(pointer),
            Self::BodyOf(request) => request.body()?.pointer(pointer).map(Found::Value),
        }
        .and_then(ask)
    }

    pub(crate) fn kind(&self, pointer: &str) -> Option<Kind> {
        self.find(pointer, |found| {
            Some(match found.kind() {
                ModelKind::Null => Kind::Null,
                ModelKind::Boolean => Kind::Boolean,
                ModelKind::Number => Kind::Number,
                ModelKind::Text => Kind::Text,
                ModelKind::List => Kind::Array,
                ModelKind::Object => Kind::Object,
            })
        })
    }

    pub(crate) fn get(&self, pointer: &str) -> Option<String> {
        self.find(pointer, |found| Some(found.to_json()))
    }

    pub(crate) fn text(&self, pointer: &str) -> Option<String> {
        self.find(pointer, |found| found.as_str().map(str::to_owned))
    }

    pub(crate) fn boolean(&self, pointer: &str) -> Option<bool> {
        self.find(pointer, |found| found.as_bool())
    }

    pub(crate) fn integer(&self, pointer: &str) -> Option<i64> {
        self.find(pointer, |found| found.as_i64())
    }

    pub(crate) fn number(&self, pointer: &str) -> Option<f64> {
        self.find(pointer, |found| found.as_f64())
    }

    pub(crate) fn length(&self, pointer: &str) -> Option<u32> {
        self.find(pointer, |found| found.len()?.try_into().ok())
    }

    pub(crate) fn keys(&self, pointer: &str) -> Option<Vec<String>> {
        self.find(pointer, |found| Some(owned(found.keys()?)))
    }

    pub(crate) fn texts(&self, pointer: &str) -> Option<Vec<String>> {
        self.find(pointer, |found| Some(owned(found.texts()?)))
    }
}

impl std::fmt::Debug for Document {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.get("").unwrap_or_default())
    }
}

// === impl Request ===

impl Request {
    pub(crate) fn operation(&self) -> String {
        self.0.operation().to_owned()
    }

    pub(crate) fn access(&self) -> Access {
        match self.0.access() {
            model::Access::Read => Access::Read,
            model::Access::Write => Access::Write,
        }
    }

    pub(crate) fn method(&self) -> String {
        self.0.method().to_owned()
    }

    pub(crate) fn path(&self) -> String {
        self.0.path().to_owned()
    }

    pub(crate) fn api_version(&self) -> Option<String> {
        self.0.api_version().map(str::to_owned)
    }

    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        self.0.parameter(name).map(str::to_owned)
    }

    pub(crate) fn query(&self, name: &str) -> Option<String> {
        self.0.query().iter().find(|(key, _)| key == name).map(|(_, value)| value.clone())
    }

    pub(crate) fn query_all(&self, name: &str) -> Vec<String> {
        self.0.query().iter().filter(|(key, _)| key == name).map(|(_, value)| value.clone()).collect()
    }

    pub(crate) fn header(&self, name: &str) -> Option<String> {
        self.0.header(name).map(str::to_owned)
    }

    pub(crate) fn user(&self) -> Option<String> {
        self.0.user().map(str::to_owned)
    }

    pub(crate) fn authentication(&self) -> Option<String> {
        self.0.authentication().map(str::to_owned)
    }

    pub(crate) fn certificates(&self) -> Vec<Certificate> {
        match self.0.certificates() {
            Ok(certificates) => converted(certificates),
            Err(unreadable) => super::end(&Fault::Request(unreadable)),
        }
    }

    pub(crate) fn body(&self) -> Option<Document> {
        self.0.body().map(|_| Document::BodyOf(self.0.clone()))
    }

    pub(crate) fn image(&self) -> Option<Image> {
        self.0.image().cloned().map(Into::into)
    }

    pub(crate) fn mounts(&self) -> Vec<Mount> {
        converted(self.0.mounts())
    }

    pub(crate) fn security_options(&self) -> Vec<SecurityOption> {
        converted(self.0.security_options())
    }

    pub(crate) fn capabilities(&self) -> Capabilities {
        self.0.capabilities().clone().into()
    }

    pub(crate) fn privileged(&self) -> bool {
        self.0.privileged()
    }

    pub(crate) fn devices(&self) -> Vec<Device> {
        converted(self.0.devices())
    }

    pub(crate) fn namespaces(&self) -> Vec<Namespace> {
        converted(self.0.namespaces())
    }

    pub(crate) fn sysctls(&self) -> Vec<Sysctl> {
        converted(self.0.sysctls())
    }

    pub(crate) fn ports(&self) -> Vec<Port> {
        converted(self.0.ports())
    }

    pub(crate) fn run_as(&self) -> Option<String> {
        self.0.run_as().map(str::to_owned)
    }

    pub(crate) fn container(&self) -> Option<Container> {
        self.0.container().cloned().map(Into::into)
    }

    pub(crate) fn environment(&self) -> Vec<String> {
        self.0.environment().to_vec()
    }

    pub(crate) fn labels(&self) -> Vec<Label> {
        converted(self.0.labels())
    }

    pub(crate) fn resources(&self) -> Resources {
        self.0.resources().clone().into()
    }

    pub(crate) fn seccomp(&self) -> Option<SeccompProfile> {
        self.0.seccomp().cloned().map(Into::into)
    }

    pub(crate) fn networks(&self) -> Vec<NetworkAttachment> {
        converted(self.0.networks())
    }

    pub(crate) fn created_network(&self) -> Option<Network> {
        self.0.created_network().cloned().map(Into::into)
    }

    pub(crate) fn service(&self) -> Option<Service> {
        self.0.service().cloned().map(Into::into)
    }

    pub(crate) fn build(&self) -> Option<Build> {
        self.0.build().cloned().map(Into::into)
    }

    pub(crate) fn plugin(&self) -> Option<Plugin> {
        self.0.plugin().cloned().map(Into::into)
    }

    pub(crate) fn swarm(&self) -> Option<Swarm> {
        self.0.swarm().cloned().map(Into::into)
    }

    pub(crate) fn tags(&self) -> Vec<Image> {
        converted(self.0.tags())
    }
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} ({})", self.0.method(), self.0.path(), self.0.operation())
    }
}

fn converted<T: Clone + Into<U>, U>(values: &[T]) -> Vec<U> {
    values.iter().cloned().map(Into::into).collect()
}

fn owned(texts: Vec<&str>) -> Vec<String> {
    texts.into_iter().map(str::to_owned).collect()
}
