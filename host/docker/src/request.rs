//! One call, as policies see it.

mod rare;

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use portcullis_document::Document;
use portcullis_model::request::UnreadableCertificate;
use portcullis_model::view::{
    Build, Capabilities, Certificate, Container, Device, Image, Label, Mount, Namespace, Network, NetworkAttachment,
    Plugin, Port, Resources, SeccompProfile, SecurityOption, Service, Swarm, Sysctl,
};
use portcullis_model::{Access, Request};

use self::rare::RareViews;
use crate::json::{Reading, Shape};
use crate::operation::{Body, Operation, Parameters};
use crate::resolve::{NoResolve, Resolve, Resolved, clean_path};
use crate::target::Target;
use crate::view::{
    Facts, build, cluster, container, devices, image, is_true, member, mounts, namespaces, networks, ports, resources,
    seccomp, security, service, sysctls,
};
use crate::wire::Call;

/// What is known of the machine that the daemon runs on.
#[derive(Debug)]
pub(crate) struct DaemonHost {
    pub(crate) resolver: Arc<dyn Resolve>,
    /// What the daemon masks here, besides what it masks on every machine.
    pub(crate) masked: Arc<[String]>,
}

/// Collects the paths that a view looks up, and resolves none of them.
#[derive(Debug, Default)]
struct Collect(Mutex<Vec<String>>);

/// Takes what is left of a request.
struct Keeper(Box<dyn FnOnce(Remains) + Send + Sync>);

/// What is left of a request that nobody needs any more. To drop it takes the longer, the larger it is.
#[derive(Debug)]
pub struct Remains {
    _call: Call,
    _body: Option<Reading>,
    _mounts: Option<Vec<Mount>>,
    _ports: Option<Vec<Port>>,
    _rare: Option<Box<RareViews>>,
}

/// One call, read. Each view is made when it is first asked for.
#[derive(Debug)]
pub struct DockerRequest {
    call: Call,
    operation: &'static Operation,
    parameters: Parameters,
    target: Target,
    api_version: Option<String>,
    body: Option<Reading>,
    machine: DaemonHost,
    /// What the container or the volumes that it is about were created with.
    created_with: Vec<Mount>,
    image: OnceLock<Option<Image>>,
    mounts: OnceLock<Vec<Mount>>,
    security_options: OnceLock<Vec<SecurityOption>>,
    capabilities: OnceLock<Capabilities>,
    devices: OnceLock<Vec<Device>>,
    namespaces: OnceLock<Vec<Namespace>>,
    sysctls: OnceLock<Vec<Sysctl>>,
    ports: OnceLock<Vec<Port>>,
    rare: OnceLock<Box<RareViews>>,
    keeper: Option<Keeper>,
}

// === impl Collect ===

impl Resolve for Collect {
    /// Any answer will do, but one: a view that is told nothing may not look up the next path.
    fn resolve(&self, path: &str) -> Option<Resolved> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(path.to_owned());
        Some(Resolved::plain(clean_path(path)))
    }
}

// === impl DockerRequest ===

impl DockerRequest {
    pub(crate) fn new(
        call: Call,
        operation: &'static Operation,
        parameters: Parameters,
        target: Target,
        body: Option<Reading>,
        machine: DaemonHost,
    ) -> Self {
        Self {
            api_version: target.version.map(|version| version.to_string()),
            call,
            operation,
            parameters,
            target,
            body,
            machine,
            created_with: Vec::new(),
            image: OnceLock::new(),
            mounts: OnceLock::new(),
            security_options: OnceLock::new(),
            capabilities: OnceLock::new(),
            devices: OnceLock::new(),
            namespaces: OnceLock::new(),
            sysctls: OnceLock::new(),
            ports: OnceLock::new(),
            rare: OnceLock::new(),
            keeper: None,
        }
    }

    /// Who is given what is left, when nobody needs the request any more: whoever does so last may have no time to drop it.
    pub fn set_keeper(&mut self, keep: impl FnOnce(Remains) + Send + Sync + 'static) {
        self.keeper = Some(Keeper(Box::new(keep)));
    }

    /// About how many bytes of memory it holds: the body, and its views as far as they are made.
    pub fn memory(&self) -> usize {
        let body = self.body.as_ref().map_or(0, |body| body.document.size());
        let headers: usize = self.call.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        // Each text of the other views is one of the body, and has at most as many bytes.
        let others = self.body.as_ref().map_or(0, |body| body.document.json_len());
        let mounts = self.mounts.get().map_or(0, |mounts| mounts.iter().map(size_of_mount).sum());
        let ports = self.ports.get().map_or(0, |ports| ports.len() * size_of::<Port>());
        let rare = self.rare.get().map_or(0, |rare| rare.memory());
        body + headers + others + mounts + ports + rare
    }

    /// The call's target as it was sent.
    pub fn uri(&self) -> &str {
        &self.call.uri
    }

    /// All headers, the last value of each.
    pub fn headers(&self) -> &[(String, String)] {
        &self.call.headers
    }

    /// The PEM texts of the caller's certificates, its own first.
    pub fn certificate_texts(&self) -> &[String] {
        self.call.certificates.texts()
    }

    /// What the daemon decodes the body into.
    pub fn shape(&self) -> Option<Shape> {
        match self.operation.body {
            Body::Json(shape) => Some(shape),
            Body::Tar | Body::Import | Body::Credentials(_) | Body::Parameters | Body::None => None,
        }
    }

    /// Whether a structure of the body has a member that no daemon knows.
    pub fn has_unknown_members(&self) -> bool {
        self.body.as_ref().is_some_and(|body| body.has_unknown)
    }

    /// The mounts that the call itself names, of which nothing is looked up.
    pub fn named_mounts(&self) -> Vec<Mount> {
        mounts::mounts(self.facts(), &NoResolve)
    }

    /// Volumes that the call names beside options, which the daemon ignores if there is one of that name. [`Self::named_mounts`] has
    /// what the options make.
    pub fn volumes_by_name(&self) -> Vec<Mount> {
        mounts::volumes_by_name(self.facts())
    }

    /// Whether the daemon removes the container that the call creates as soon as it ends.
    pub fn is_removed_at_its_end(&self) -> bool {
        is_true(member(self.facts().host_config(), "AutoRemove"))
    }

    /// Volumes that the call defines, by name, and what they mount from the host.
    pub fn named_volumes(&self) -> Vec<(String, Vec<Mount>)> {
        mounts::volumes(self.facts())
    }

    /// Has [`Request::mounts`] tell these, too: what was mounted when the container or the volume was created. Call it before the
    /// mounts are first asked for, and before [`Self::paths_to_resolve`].
    pub fn set_created_with(&mut self, mounts: Vec<Mount>) {
        self.created_with = mounts;
    }

    /// Every path of the host that [`Request::mounts`] looks up. A caller that must not wait for a file system looks them up elsewhere
    /// first, and gives the answers to [`Self::set_resolver`].
    pub fn paths_to_resolve(&self) -> Vec<String> {
        let collect = Collect::default();
        self.all_mounts(&collect);
        collect.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has mounts resolved by `resolver` from now on. Call it before the mounts are first asked for.
    pub fn set_resolver(&mut self, resolver: Arc<dyn Resolve>) {
        self.machine.resolver = resolver;
    }

    /// Makes every view, so that nobody waits for that who asks.
    pub fn make_views(&self) {
        self.image();
        self.mounts();
        self.security_options();
        self.capabilities();
        self.devices();
        self.namespaces();
        self.ports();
        self.sysctls();
        self.container();
        self.environment();
        self.labels();
        self.resources();
        self.seccomp();
        self.networks();
        self.created_network();
        self.service();
        self.build();
        self.plugin();
        self.swarm();
        self.tags();
    }

    /// The mounts, if somebody asked for them: nothing is looked up on this machine.
    pub fn known_mounts(&self) -> &[Mount] {
        self.mounts.get().map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether it mounts folders of the host, and nobody asked where they lead.
    pub fn has_unasked_binds(&self) -> bool {
        self.mounts.get().is_none() && (!self.created_with.is_empty() || mounts::has_bind(self.facts()))
    }

    fn all_mounts(&self, resolver: &dyn Resolve) -> Vec<Mount> {
        let mut mounts = mounts::mounts(self.facts(), resolver);
        let mut again = self.created_with.clone();
        mounts::look_up(&mut again, resolver);
        mounts.extend(again);
        mounts
    }

    fn rare(&self) -> &RareViews {
        self.rare.get_or_init(Box::default)
    }

    fn facts(&self) -> Facts<'_> {
        Facts {
            operation: self.operation.id,
            body: self.body.as_ref().map(|body| body.document.root()),
            query: &self.target.query,
            name: self.parameter("name"),
            api_version: self.target.version,
            id: self.parameter("id"),
            masked: &self.machine.masked,
        }
    }
}

/// With its texts, each of which has an allocation of its own.
fn size_of_mount(mount: &Mount) -> usize {
    let Mount { source, target, links, options, resolved, .. } = mount;
    let texts = [source, target].into_iter().chain(links).chain(options).chain(resolved);
    size_of::<Mount>() + texts.map(|text| text.len() + size_of::<String>()).sum::<usize>()
}

impl Drop for DockerRequest {
    fn drop(&mut self) {
        let Some(Keeper(keep)) = self.keeper.take() else { return };
        keep(Remains {
            _call: std::mem::take(&mut self.call),
            _body: self.body.take(),
            _mounts: self.mounts.take(),
            _ports: self.ports.take(),
            _rare: self.rare.take(),
        });
    }
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keeper")
    }
}

impl Request for DockerRequest {
    fn operation(&self) -> &str {
        self.operation.id
    }

    fn access(&self) -> Access {
        self.operation.access
    }

    fn method(&self) -> &str {
        &self.call.method
    }

    fn path(&self) -> &str {
        &self.target.path
    }

    fn api_version(&self) -> Option<&str> {
        self.api_version.as_deref()
    }

    fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.get(&self.target.path, name)
    }

    fn query(&self) -> &[(String, String)] {
        &self.target.query
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.call.header(name)
    }

    fn user(&self) -> Option<&str> {
        self.call.user.as_deref()
    }

    fn authentication(&self) -> Option<&str> {
        self.call.authentication.as_deref()
    }

    fn certificates(&self) -> Result<&[Certificate], UnreadableCertificate> {
        self.call.certificates.read()
    }

    fn body(&self) -> Option<&Document> {
        self.body.as_ref().map(|body| &body.document)
    }

    fn image(&self) -> Option<&Image> {
        self.image.get_or_init(|| image::image(self.facts())).as_ref()
    }

    fn mounts(&self) -> &[Mount] {
        self.mounts.get_or_init(|| self.all_mounts(&*self.machine.resolver))
    }

    fn security_options(&self) -> &[SecurityOption] {
        self.security_options.get_or_init(|| security::options(self.facts()))
    }

    fn capabilities(&self) -> &Capabilities {
        self.capabilities.get_or_init(|| security::capabilities(self.facts()))
    }

    fn privileged(&self) -> bool {
        self.facts().privileged()
    }

    fn devices(&self) -> &[Device] {
        self.devices.get_or_init(|| devices::devices(self.facts()))
    }

    fn namespaces(&self) -> &[Namespace] {
        self.namespaces.get_or_init(|| namespaces::namespaces(self.facts()))
    }

    fn sysctls(&self) -> &[Sysctl] {
        self.sysctls.get_or_init(|| sysctls::sysctls(self.facts()))
    }

    fn ports(&self) -> &[Port] {
        self.ports.get_or_init(|| ports::ports(self.facts()))
    }

    fn run_as(&self) -> Option<&str> {
        self.facts().run_as()
    }

    fn container(&self) -> Option<&Container> {
        self.rare().container.get_or_init(|| container::container(self.facts())).as_ref()
    }

    fn environment(&self) -> &[String] {
        self.rare().environment.get_or_init(|| container::environment(self.facts()))
    }

    fn labels(&self) -> &[Label] {
        self.rare().labels.get_or_init(|| container::labels(self.facts()))
    }

    fn resources(&self) -> &Resources {
        self.rare().resources.get_or_init(|| resources::resources(self.facts()))
    }

    fn seccomp(&self) -> Option<&SeccompProfile> {
        let made = self.rare().seccomp.get_or_init(|| seccomp::seccomp(self.facts(), self.security_options()));
        made.as_ref()
    }

    fn networks(&self) -> &[NetworkAttachment] {
        self.rare().networks.get_or_init(|| networks::networks(self.facts()))
    }

    fn created_network(&self) -> Option<&Network> {
        self.rare().created_network.get_or_init(|| networks::created(self.facts())).as_ref()
    }

    fn service(&self) -> Option<&Service> {
        self.rare().service.get_or_init(|| service::service(self.facts())).as_ref()
    }

    fn build(&self) -> Option<&Build> {
        self.rare().build.get_or_init(|| build::build(self.facts())).as_ref()
    }

    fn plugin(&self) -> Option<&Plugin> {
        self.rare().plugin.get_or_init(|| cluster::plugin(self.facts())).as_ref()
    }

    fn swarm(&self) -> Option<&Swarm> {
        self.rare().swarm.get_or_init(|| cluster::swarm(self.facts())).as_ref()
    }

    fn tags(&self) -> &[Image] {
        self.rare().tags.get_or_init(|| image::tags(self.facts()))
    }
}
