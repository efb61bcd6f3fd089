//! A whole plugin call, and every question that a policy can ask about it.
//!
//! The first line is the plugin call without its body; what follows is the body, which is put in as base64.

#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use portcullis_docker::{HostRule, NoResolve, Reader, Rules, wire};
use portcullis_model::Request as _;

fuzz_target!(|bytes: &[u8]| {
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let (head, body) = bytes.split_at(end);
    let Ok(mut call) = wire::read_call(head) else { return };
    if let Some((_, body)) = body.split_first() {
        call.body = (!body.is_empty()).then(|| body.to_vec());
    }
    let mut lenient = Rules::default();
    HostRule::ALL.into_iter().for_each(|rule| lenient.disable(rule));
    for rules in [Rules::default(), lenient] {
        match Reader::new(rules, Arc::new(NoResolve)).read(call.clone()) {
            Ok(request) => ask_everything(&request),
            Err(refusal) => assert!(!refusal.to_string().is_empty()),
        }
    }
});

fn ask_everything(request: &impl portcullis_model::Request) {
    let _ = (request.operation(), request.access(), request.method(), request.path(), request.api_version());
    let _ = (request.parameter("id"), request.query(), request.header("X"), request.user(), request.authentication());
    let _ = (request.certificates(), request.body().map(|body| body.root().to_json()));
    let _ = (request.image(), request.mounts(), request.security_options(), request.capabilities());
    let _ = (request.privileged(), request.devices(), request.namespaces(), request.ports(), request.run_as());
    let _ = (request.sysctls(), request.container(), request.environment(), request.labels(), request.resources());
    let _ = (request.seccomp(), request.networks(), request.created_network(), request.service(), request.build());
    let _ = (request.plugin(), request.swarm(), request.tags());
}
