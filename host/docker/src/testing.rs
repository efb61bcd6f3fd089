//! Calls for tests.

use std::collections::BTreeMap;
use std::sync::Arc;

use portcullis_model::Request as _;
use serde_json::{Value, json};

use crate::wire::Call;
use crate::{DockerRequest, Reader, Refusal, Resolve, Resolved, Rules};

/// `/link` is a symlink to `/etc`; nothing exists below `/missing`; what is below `/unknown` cannot be found out.
#[derive(Debug)]
pub(crate) struct TestHost;

impl Resolve for TestHost {
    fn resolve(&self, path: &str) -> Option<Resolved> {
        match path {
            "/link" => Some(Resolved { links: vec!["/link".to_owned()], ..Resolved::plain("/etc") }),
            _ if path.starts_with("/unknown") => None,
            _ => Some(Resolved { missing: path.starts_with("/missing"), ..Resolved::plain(path) }),
        }
    }
}

/// A call with headers such as `Content-Type: text/plain`. dockerd forwards a body where the type is JSON.
pub(crate) fn call(method: &str, uri: &str, headers: &[&str], body: Option<&str>) -> Call {
    let split = |header: &&str| {
        let (name, value) = header.split_once(": ").expect("is a header");
        (name.to_owned(), value.to_owned())
    };
    Call {
        method: method.to_owned(),
        uri: uri.to_owned(),
        headers: headers.iter().map(split).collect(),
        body: body.map(|body| body.as_bytes().to_vec()),
        ..Call::default()
    }
}

/// A call with a JSON body, as the docker CLI sends it.
pub(crate) fn with_json(method: &str, uri: &str, body: &str) -> Call {
    let length = format!("Content-Length: {}", body.len());
    call(method, uri, &["Content-Type: application/json", &length], Some(body))
}

pub(crate) fn read(call: Call) -> Result<DockerRequest, Refusal> {
    read_by(Rules::default(), call)
}

pub(crate) fn read_by(rules: Rules, call: Call) -> Result<DockerRequest, Refusal> {
    Reader::new(rules, Arc::new(TestHost)).read(call)
}

/// Every view of a call, by its name.
pub(crate) fn views(request: &DockerRequest) -> BTreeMap<&'static str, Value> {
    BTreeMap::from([
        ("image", json!(request.image())),
        ("mounts", json!(request.mounts())),
        ("security_options", json!(request.security_options())),
        ("capabilities", json!(request.capabilities())),
        ("privileged", json!(request.privileged())),
        ("devices", json!(request.devices())),
        ("namespaces", json!(request.namespaces())),
        ("sysctls", json!(request.sysctls())),
        ("ports", json!(request.ports())),
        ("run_as", json!(request.run_as())),
        ("container", json!(request.container())),
        ("environment", json!(request.environment())),
        ("labels", json!(request.labels())),
        ("resources", json!(request.resources())),
        ("seccomp", json!(request.seccomp())),
        ("networks", json!(request.networks())),
        ("created_network", json!(request.created_network())),
        ("service", json!(request.service())),
        ("build", json!(request.build())),
        ("plugin", json!(request.plugin())),
        ("swarm", json!(request.swarm())),
        ("tags", json!(request.tags())),
    ])
}
