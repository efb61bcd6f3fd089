//! The answer to a question, as `POST /v1/decide` and `portcullis decide --json` give it.

use std::borrow::Cow;
use std::sync::Arc;

use portcullis_decision_log::record::{PolicyRecord, WouldBe};
use portcullis_model::Data;
use portcullis_model::decision::Origin;
use portcullis_policies::{Snapshot, Tenant};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::decide::DryRun;

/// What would be answered to a call, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// `allow` or `deny`.
    pub answer: String,
    /// What the caller would be told; only of a denial.
    pub reason: Option<String>,
    /// [`Cause::kind`].
    pub cause: String,
    /// The host rule, with the cause `rule`.
    pub rule: Option<String>,
    /// What the operator is told and the caller is not.
    pub problem: Option<String>,
    /// What would be answered if all that is only observed counted; none where that is the answer.
    pub would: Option<WouldBe<'static>>,
    /// None where it cannot be told whose the call is.
    pub tenant: Option<String>,
    pub generation: u64,
    /// None where the call could not be read so far.
    pub operation: Option<String>,
    /// Every policy that was asked, in order.
    pub policies: Vec<PolicyRecord<'static>>,
    /// What the tenant's policies see; host-wide policies see those of the origin `host`, and those that a tenant's document of
    /// the same name lies over.
    pub documents: Vec<DocumentReport>,
    /// The call as policies see it, as [`explained`](crate::explain::explained) tells it, where that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explain: Option<Value>,
}

/// One document that policies see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentReport {
    pub name: String,
    /// `host` or `tenant`: whose it is.
    pub origin: String,
    /// Of its JSON, at most.
    pub bytes: u64,
}

// === impl Report ===

impl Report {
    pub fn is_allow(&self) -> bool {
        self.answer == "allow"
    }

    /// Without what host-wide policies write for the operator, and why one failed: for a tenant's own people.
    #[must_use]
    pub fn for_tenant(mut self) -> Self {
        self.problem = None;
        for policy in self.policies.iter_mut().filter(|policy| policy.origin == Origin::Host.as_str()) {
            (policy.log, policy.log_dropped) = (Vec::new(), 0);
            policy.reason.take_if(|_| policy.verdict != "deny");
        }
        self
    }

    /// Of what a dry run came to.
    pub fn of(dry_run: &DryRun) -> Self {
        let DryRun { evaluation, snapshot, explained } = dry_run;
        let decision = &evaluation.decision;
        // Of each policy that was asked, in the same order.
        let mut lines = evaluation.lines().iter();
        Self {
            answer: decision.answer.as_str().to_owned(),
            reason: decision.answer.reason().map(str::to_owned),
            cause: decision.cause.kind().to_owned(),
            rule: decision.cause.rule().map(str::to_owned),
            problem: evaluation.problem().map(str::to_owned),
            would: decision.would.as_ref().map(|would| WouldBe::of(would, copied)),
            tenant: evaluation.tenant.as_ref().map(|tenant| tenant.name.to_string()),
            generation: decision.generation.0,
            operation: evaluation.subject().operation.map(str::to_owned),
            policies: decision.opinions.iter().map(|opinion| PolicyRecord::of(opinion, lines.next(), copied)).collect(),
            documents: evaluation.tenant.as_ref().map(|tenant| documents(snapshot, tenant)).unwrap_or_default(),
            explain: explained.clone(),
        }
    }
}

fn copied(text: &str) -> Cow<'static, str> {
    Cow::Owned(text.to_owned())
}

/// Where a folder cannot be read, no policy was asked.
fn documents(snapshot: &Snapshot, tenant: &Tenant) -> Vec<DocumentReport> {
    let (Ok(host), Ok(own)) = (&snapshot.host.data, &tenant.layer.data) else { return Vec::new() };
    let over = |name: &&str| own.get(name).is_none();
    let of_host = host.names().filter(over).filter_map(|name| document(host, name, Origin::Host));
    let of_tenant = own.names().filter_map(|name| document(own, name, Origin::Tenant));
    let mut documents: Vec<_> = of_host.chain(of_tenant).collect();
    documents.sort_by(|a, b| a.name.cmp(&b.name));
    documents
}

fn document(data: &Arc<Data>, name: &str, origin: Origin) -> Option<DocumentReport> {
    let bytes = data.get(name)?.json_len() as u64;
    Some(DocumentReport { name: name.to_owned(), origin: origin.as_str().to_owned(), bytes })
}
