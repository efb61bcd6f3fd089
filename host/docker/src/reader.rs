//! From the plugin's call to the request that policies see.

use std::collections::HashMap;
use std::sync::Arc;

use portcullis_model::Access;

use crate::json::{self, JsonError, Reading};
use crate::operation::{self, Body, Operation, Parameters, Query};
use crate::request::{DaemonHost, DockerRequest};
use crate::resolve::Resolve;
use crate::rules::{HostRule, Rules, Violation, body, checkpoints, plugin_names, size, stray};
use crate::target::{ApiVersion, Target};
use crate::view::{Facts, member};
use crate::wire::Call;

/// What a call is where a rule that is off would have refused it.
static UNKNOWN: Operation = Operation {
    id: "(Unknown)",
    method: "",
    path: &[],
    access: Access::Write,
    body: Body::None,
    any_type: true,
    since: None,
    query: Query::Unknown,
};

/// Reads calls, and refuses those that break a host rule.
#[derive(Clone, Debug)]
pub struct Reader {
    rules: Rules,
    resolver: Arc<dyn Resolve>,
    masked: Arc<[String]>,
}

/// A call that a host rule refuses. Its text is what the caller is told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason} (host rule `{rule}`)")]
pub struct Refusal {
    pub rule: HostRule,
    pub reason: String,
    /// The operation, if the call got as far.
    pub operation: Option<&'static str>,
    /// As policies would see it, or as it was sent where it cannot be read.
    pub path: String,
    /// The call, without its body.
    pub call: Box<Call>,
}

// === impl Reader ===

impl Reader {
    pub fn new(rules: Rules, resolver: Arc<dyn Resolve>) -> Self {
        Self { rules, resolver, masked: Arc::default() }
    }

    /// On a machine where the daemon masks these paths too: moby masks `thermal_throttle` of each processor that has it.
    pub fn masking(self, masked: Arc<[String]>) -> Self {
        Self { masked, ..self }
    }

    /// The same with other rules.
    pub fn with_rules(&self, rules: Rules) -> Self {
        Self { rules, ..self.clone() }
    }

    pub fn read(&self, call: Call) -> Result<DockerRequest, Refusal> {
        let mut call = call;
        let (operation, parameters, target) = match self.find(&call) {
            Ok(found) => found,
            Err((path, violation)) => return Err(refusal(call, None, path, violation)),
        };
        let body = self.check(&call, operation, &target).and_then(|()| self.body(call.body.take(), operation, &target));
        match body {
            Ok(body) => {
                let machine = DaemonHost { resolver: Arc::clone(&self.resolver), masked: Arc::clone(&self.masked) };
                Ok(DockerRequest::new(call, operation, parameters, target, body, machine))
            }
            Err(violation) => Err(refusal(call, Some(operation.id), target.path, violation)),
        }
    }

    /// Every rule that the call breaks, and the request that policies would see if those rules were off.
    pub fn explain(&self, call: &Call) -> (Vec<Refusal>, Option<DockerRequest>) {
        let mut lenient = self.clone();
        let mut refusals = Vec::new();
        while refusals.len() <= HostRule::ALL.len() {
            match lenient.read(call.clone()) {
                Ok(request) => return (refusals, Some(request)),
                Err(refusal) => {
                    lenient.rules.disable(refusal.rule);
                    refusals.push(refusal);
                }
            }
        }
        (refusals, None)
    }

    /// The operation, or the path as far as it is known and the rule that keeps it from being found.
    fn find(&self, call: &Call) -> Result<(&'static Operation, Parameters, Target), (String, Violation)> {
        let target = match Target::parse(&call.uri) {
            Ok(target) => target,
            Err(error) => {
                let reason = format!("the daemon would not carry out this request target: {error}");
                self.rules
                    .check(HostRule::MalformedTarget, reason)
                    .map_err(|violation| (call.uri.clone(), violation))?;
                let target = Target { path: call.uri.clone(), version: None, query: Vec::new() };
                return Ok((&UNKNOWN, Parameters::default(), target));
            }
        };
        if let Some((operation, parameters)) = operation::find(&call.method, &target.path) {
            return Ok((operation, parameters, target));
        }
        let reason = format!("`{} {}` is no operation of the Docker API", call.method, target.path);
        match self.rules.check(HostRule::UnknownOperation, reason) {
            Ok(()) => Ok((&UNKNOWN, Parameters::default(), target)),
            Err(violation) => Err((target.path, violation)),
        }
    }

    /// What can be told without reading the body.
    fn check(&self, call: &Call, operation: &Operation, target: &Target) -> Result<(), Violation> {
        if let Some(reason) = target.version.and_then(|version| self.too_old(version, operation)) {
            self.rules.check(HostRule::OldApiVersion, reason)?;
        }
        if let Some(name) = repeated_parameter(operation, &target.query) {
            let reason = format!("the query parameter `{name}` is given twice, with different values");
            self.rules.check(HostRule::RepeatedParameter, reason)?;
        }
        for (rule, reason) in body::broken(call, operation, target) {
            self.rules.check(rule, reason)?;
        }
        Ok(())
    }

    /// Why a version is too old: for the operation, or for the operator.
    fn too_old(&self, version: ApiVersion, operation: &Operation) -> Option<String> {
        if let Some(since) = operation.since.filter(|since| version < *since) {
            return Some(format!(
                "API version {version} is too old for {}: below {since}, Docker reads this call in another way; \
                 use {since} or newer",
                operation.id
            ));
        }
        let oldest = self.rules.min_api_version.filter(|oldest| version < *oldest)?;
        Some(format!("API version {version} is older than {oldest}, the `min_api_version` of this host"))
    }

    fn body(
        &self,
        bytes: Option<Vec<u8>>,
        operation: &Operation,
        target: &Target,
    ) -> Result<Option<Reading>, Violation> {
        let size = bytes.as_ref().map_or(0, Vec::len);
        let body = match (operation.body, bytes) {
            (Body::Json(shape), Some(bytes)) => self.json(bytes, shape)?,
            _ => None,
        };
        let facts = Facts {
            operation: operation.id,
            body: body.as_ref().map(|body| body.document.root()),
            query: &target.query,
            name: None,
            api_version: target.version,
            id: None,
            masked: &[],
        };
        if sets_capabilities(facts) {
            self.rules.check(
                HostRule::LegacyCapabilities,
                "`HostConfig.Capabilities` is not accepted; use `CapAdd` and `CapDrop`",
            )?;
        }
        if checkpoints::chooses_folder(facts) {
            self.rules.check(HostRule::CheckpointDirectory, "the caller chooses the folder of a checkpoint")?;
        }
        if let Some(reason) = plugin_names::stray(facts) {
            self.rules.check(HostRule::PluginName, reason)?;
        }
        if let Some(reason) = size::excess(facts, size) {
            self.rules.check(HostRule::Oversized, reason)?;
        }
        Ok(body)
    }

    fn json(&self, bytes: Vec<u8>, shape: json::Shape) -> Result<Option<Reading>, Violation> {
        let reading = match json::read_body(bytes, shape, self.rules.is_enabled(HostRule::Oversized)) {
            Ok(reading) => reading,
            Err(JsonError { problem: json::Problem::TooMany(counted), .. }) => {
                return Err(Violation { rule: HostRule::Oversized, reason: size::too_many(counted) });
            }
            Err(error) => {
                let (rule, what) = if matches!(error.problem, json::Problem::Repeated(_)) {
                    (HostRule::AmbiguousBody, "the body is ambiguous")
                } else {
                    (HostRule::MalformedBody, "the daemon would not accept the body")
                };
                self.rules.check(rule, format!("{what}: {error}"))?;
                return Ok(None);
            }
        };
        if let Some(stray) = stray::first(&reading, shape) {
            let reason = format!(
                "`{stray}` is at the root of the body, where Docker up to 26.1 reads it and policies do not; \
                 put it in `HostConfig`"
            );
            self.rules.check(HostRule::RootHostConfig, reason)?;
        }
        Ok(Some(reading))
    }
}

fn refusal(call: Call, operation: Option<&'static str>, path: String, violation: Violation) -> Refusal {
    let Violation { rule, reason } = violation;
    Refusal { rule, reason, operation, path, call: Box::new(Call { body: None, ..call }) }
}

fn sets_capabilities(facts: Facts<'_>) -> bool {
    let host = member(facts.container(), "HostConfig");
    member(host, "Capabilities").is_some_and(|capabilities| capabilities.as_str() != Some(""))
}

/// A parameter that is there more than once with different values, of which the daemon reads the first.
fn repeated_parameter<'q>(operation: &Operation, query: &'q [(String, String)]) -> Option<&'q str> {
    if query.len() < 2 {
        return None;
    }
    let mut seen = HashMap::with_capacity(query.len());
    for (name, value) in query.iter().filter(|(name, _)| operation.query.reads_first_of(name)) {
        if *seen.entry(name.as_str()).or_insert(value) != value {
            return Some(name);
        }
    }
    None
}
