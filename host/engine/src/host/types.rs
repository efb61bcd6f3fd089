//! `types`: the request and the documents. Everything is read where it lies; only what is asked for is copied.

use portcullis_document::Kind;
use portcullis_model::data::Found;
use portcullis_model::{Access, Fault, Request, view};
use wasmtime::component::Resource;

use crate::contract::portcullis::policy::types;
use crate::contract::{DocumentHandle, RequestHandle};
use crate::fault::stop;
use crate::host::views::{self, converted};
use crate::host::{Held, Host, large};

type Handle = Resource<DocumentHandle>;
type Answer<T> = wasmtime::Result<Option<T>>;

// === impl Host ===

impl Host {
    fn request(&self) -> wasmtime::Result<&dyn Request> {
        self.about.request.as_deref().ok_or_else(|| stop(Fault::Host("no request while a policy starts".into())))
    }

    /// What lies at a pointer of one of the documents, and what `ask` makes of it.
    fn at<T>(&self, handle: &Handle, pointer: &str, ask: impl FnOnce(Found<'_>) -> Option<T>) -> Answer<T> {
        let found = match Held::of(handle) {
            Some(Held::Data) => self.about.data.lookup(pointer),
            Some(Held::Settings) => self.about.settings.pointer(pointer).map(Found::Value),
            Some(Held::Body) => self.request()?.body().and_then(|body| body.pointer(pointer)).map(Found::Value),
            None => None,
        };
        Ok(found.and_then(ask))
    }
}

impl types::Host for Host {}

impl types::HostDocument for Host {
    fn kind(&mut self, document: Handle, pointer: String) -> Answer<types::Kind> {
        self.at(&document, &pointer, |found| {
            Some(match found.kind() {
                Kind::Null => types::Kind::Null,
                Kind::Boolean => types::Kind::Boolean,
                Kind::Number => types::Kind::Number,
                Kind::Text => types::Kind::Text,
                Kind::List => types::Kind::Array,
                Kind::Object => types::Kind::Object,
            })
        })
    }

    fn get(&mut self, document: Handle, pointer: String) -> Answer<String> {
        let limit = self.limits().memory;
        self.at(&document, &pointer, |found| Some(large::json(found, limit)))?.transpose()
    }

    fn text(&mut self, document: Handle, pointer: String) -> Answer<String> {
        let limit = self.limits().memory;
        let fitting = |text: &str| (text.len() <= limit).then(|| text.to_owned());
        match self.at(&document, &pointer, |found| found.as_str().map(fitting))? {
            Some(None) => Err(stop(Fault::Memory { limit })),
            text => Ok(text.flatten()),
        }
    }

    fn boolean(&mut self, document: Handle, pointer: String) -> Answer<bool> {
        self.at(&document, &pointer, |found| found.as_bool())
    }

    fn integer(&mut self, document: Handle, pointer: String) -> Answer<i64> {
        self.at(&document, &pointer, |found| found.as_i64())
    }

    fn number(&mut self, document: Handle, pointer: String) -> Answer<f64> {
        self.at(&document, &pointer, |found| found.as_f64())
    }

    fn length(&mut self, document: Handle, pointer: String) -> Answer<u32> {
        self.at(&document, &pointer, |found| found.len().and_then(|len| len.try_into().ok()))
    }

    fn keys(&mut self, document: Handle, pointer: String) -> Answer<Vec<String>> {
        let limit = self.limits().memory;
        let keys = self.at(&document, &pointer, |found| Some(large::texts(found, Found::keys, limit)))?;
        Ok(keys.transpose()?.flatten())
    }

    fn texts(&mut self, document: Handle, pointer: String) -> Answer<Vec<String>> {
        let limit = self.limits().memory;
        let texts = self.at(&document, &pointer, |found| Some(large::texts(found, Found::texts, limit)))?;
        Ok(texts.transpose()?.flatten())
    }

    fn drop(&mut self, _: Handle) -> wasmtime::Result<()> {
        Ok(())
    }
}

impl types::HostRequest for Host {
    fn operation(&mut self, _: Resource<RequestHandle>) -> wasmtime::Result<String> {
        Ok(self.request()?.operation().to_owned())
    }

    fn access(&mut self, _: Resource<RequestHandle>) -> wasmtime::Result<types::Access> {
        Ok(match self.request()?.access() {
            Access::Read => types::Access::Read,
            Access::Write => types::Access::Write,
        })
    }

    fn method(&mut self, _: Resource<RequestHandle>) -> wasmtime::Result<String> {
        Ok(self.request()?.method().to_owned())
    }

    fn path(&mut self, _: Resource<RequestHandle>) -> wasmtime::Result<String> {
        Ok(self.request()?.path().to_owned())
    }

    fn api_version(&mut self, _: Resource<RequestHandle>) -> Answer<String> {
        Ok(self.request()?.api_version().map(str::to_owned))
    }

    fn parameter(&mut self, _: Resource<RequestHandle>, name: String) -> Answer<String> {
        Ok(self.request()?.parameter(&name).map(str::to_owned))
    }

    fn query(&mut self, _: Resource<RequestHandle>, name: String) -> Answer<String> {
        Ok(self.request()?.query().iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone()))
    }

    fn query_all(&mut self, _: Resource<RequestHandle>, name: String) -> wasmtime::Result<Vec<String>> {
        let query = self.request()?.query().iter();
        Ok(query.filter(|(key, _)| *key == name).map(|(_, value)| value.clone()).collect())
    }

    fn header(&mut self, _: Resource<RequestHandle>, name: String) -> Answer<String> {
        Ok(self.request()?.header(&name).map(str::to_owned))
    }

    fn user(&mut self, _: Resource<RequestHandle>) -> Answer<String> {
        Ok(self.request()?.user().map(str::to_owned))
    }

    fn authentication(&mut self, _: Resource<RequestHandle>) -> Answer<String> {
        Ok(self.request()?.authentication().map(str::to_owned))
    }

    fn certificates(&mut self, _: Resource<RequestHandle>) -> wasmtime::Result<Vec<types::Certificate>> {
        let certificates = self.request()?.certificates().map_err(|error| stop(Fault::Request(error)))?;
        Ok(certificates.iter().cloned().map(Into::into).collect())
    }

    fn body(&mut self, _: Resource<RequestHandle>) -> Answer<Handle> {
        Ok(self.request()?.body().map(|_| Held::Body.own()))
    }

    fn image(&mut self, _: Resource<RequestHandle>) -> Answer<types::Image> {
        Ok(self.request()?.image().cloned().map(Into::into))
    }

    fn mounts(&mut self, _: Resource<RequestHandle>) -> wasmtime::Result<Vec<types::Mount>> {
        Ok(converted(self.request()?.mounts()))
    }

    fn security_options(&mut self, _: Resource<RequestHandle>) -> wasmtime::Result<Vec<types::SecurityOption>> {
        Ok(converted(self.request()?.security_options()))
    }

    fn capabilities(&mut self, _: Resource<RequestHandle>) -> wasmtime::Result<types::Capabilities> {
        let view::Capabilities { added, dropped } = self.request()?.capabilities().clone();
        Ok(types::Capabilities { added, dropped })
    }

    fn privileged(&mut self, _: Resource<RequestHandle>) -> wasmtime::Result<bool> {
        Ok(self.request()?.privileged())
    }

    fn devices(&mut self, _: Resource<RequestHandle>) -> wasmtime::Result<Vec<types::Device>> {
        Ok(converted(self.request()?.devices()))
    }

    fn namespaces(&mut self, _: Resource<RequestHandle>) -> wasmtime::Result<Vec<types::Namespace>> {
        Ok(converted(self.request()?.namespaces()))
    }

    fn sysctls(&mut self, _: Resource<RequestHandle>) -> wasmtime::Result<Vec<types::Sysctl>> {
        Ok(converted(self.request()?.sysctls()))
    }

    fn ports(&mut self, _: Resource<RequestHandle>) -> wasmtime::Result<Vec<types::Port>> {
        Ok(converted(self.request()?.ports()))
    }

    fn run_as(&mut self, _: Resource<RequestHandle>) -> Answer<String> {
        Ok(self.request()?.run_as().map(str::to_owned))
    }

    fn container(&mut self, _: Resource<RequestHandle>) -> Answer<types::Container> {
        Ok(self.request()?.container().map(views::whole))
    }

    fn environment(&mut self, _: Resource<RequestHandle>) -> wasmtime::Result<Vec<String>> {
        Ok(converted(self.request()?.environment()))
    }

    fn labels(&mut self, _: Resource<RequestHandle>) -> wasmtime::Result<Vec<types::Label>> {
        Ok(converted(self.request()?.labels()))
    }

    fn resources(&mut self, _: Resource<RequestHandle>) -> wasmtime::Result<types::Resources> {
        Ok(views::whole(self.request()?.resources()))
    }

    fn seccomp(&mut self, _: Resource<RequestHandle>) -> Answer<types::SeccompProfile> {
        Ok(self.request()?.seccomp().map(views::whole))
    }

    fn networks(&mut self, _: Resource<RequestHandle>) -> wasmtime::Result<Vec<types::NetworkAttachment>> {
        Ok(converted(self.request()?.networks()))
    }

    fn created_network(&mut self, _: Resource<RequestHandle>) -> Answer<types::Network> {
        Ok(self.request()?.created_network().map(views::whole))
    }

    fn service(&mut self, _: Resource<RequestHandle>) -> Answer<types::Service> {
        Ok(self.request()?.service().map(views::whole))
    }

    fn build(&mut self, _: Resource<RequestHandle>) -> Answer<types::Build> {
        Ok(self.request()?.build().map(views::whole))
    }

    fn plugin(&mut self, _: Resource<RequestHandle>) -> Answer<types::Plugin> {
        Ok(self.request()?.plugin().map(views::whole))
    }

    fn swarm(&mut self, _: Resource<RequestHandle>) -> Answer<types::Swarm> {
        Ok(self.request()?.swarm().map(views::whole))
    }

    fn tags(&mut self, _: Resource<RequestHandle>) -> wasmtime::Result<Vec<types::Image>> {
        Ok(converted(self.request()?.tags()))
    }

    fn drop(&mut self, _: Resource<RequestHandle>) -> wasmtime::Result<()> {
        Ok(())
    }
}
