//! An immutable set of policies and data, and the pointer to the one in force.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use portcullis_engine::{LogLine, Outcome, Policy, Question, State};
use portcullis_model::decision::DefaultVerdict;
use portcullis_model::{Cause, Data, Decision, Digest, Fault, Generation, Opinion, PolicyName, Request};

use crate::config::PolicyFile;

/// One generation.
#[derive(Debug)]
pub struct PolicySet {
    pub generation: Generation,
    /// In the order in which they are asked: by name.
    pub policies: Vec<Arc<Member>>,
    /// Or why there is none: then no policy can be asked.
    pub data: Result<Arc<Data>, Arc<str>>,
    pub default: DefaultVerdict,
}

/// One policy of a set.
pub struct Member {
    pub name: PolicyName,
    /// None where the file could not be read.
    pub digest: Option<Digest>,
    pub file: PolicyFile,
    pub state: Option<Arc<dyn State>>,
    /// Or why it cannot be asked: it then denies.
    pub policy: Result<Policy, Arc<str>>,
}

/// The set in force.
#[derive(Debug)]
pub struct Live(ArcSwap<PolicySet>);

/// Lines that policies wrote while a decision was made.
pub type PolicyLog = Vec<(PolicyName, Vec<LogLine>, u32)>;

// === impl Live ===

impl Live {
    pub fn new(set: PolicySet) -> Self {
        Self(ArcSwap::from_pointee(set))
    }

    /// The set in force, for the whole of one request.
    pub fn load(&self) -> Arc<PolicySet> {
        Guard::into_inner(self.0.load())
    }

    pub fn publish(&self, set: PolicySet) {
        self.0.store(Arc::new(set));
    }
}

// === impl PolicySet ===

impl PolicySet {
    /// Asks every policy, and combines what they say.
    pub async fn decide(&self, request: Arc<dyn Request>) -> (Decision, PolicyLog) {
        let Ok(data) = &self.data else {
            let told = "the operator's data cannot be read";
            return (Decision::refuse(Cause::Data, told, self.generation), Vec::new());
        };
        let mut log = Vec::new();
        let mut opinions = Vec::with_capacity(self.policies.len());
        for member in &self.policies {
            let outcome = member.ask(&request, data).await;
            if !outcome.log.is_empty() || outcome.log_dropped > 0 {
                log.push((member.name.clone(), outcome.log, outcome.log_dropped));
            }
            opinions.push(Opinion {
                policy: member.name.clone(),
                digest: member.digest,
                mode: member.file.mode,
                judgement: outcome.judgement,
                took: outcome.took,
            });
        }
        (Decision::combine(opinions, self.default, self.generation), log)
    }
}

// === impl Member ===

impl Member {
    async fn ask(&self, request: &Arc<dyn Request>, data: &Arc<Data>) -> Outcome {
        match &self.policy {
            Ok(policy) => {
                let question = Question {
                    request: Arc::clone(request),
                    data: Arc::clone(data),
                    settings: Arc::clone(&self.file.settings),
                    state: self.state.clone(),
                };
                policy.decide(question, &self.file.limits).await
            }
            Err(problem) => Outcome {
                judgement: Err(Fault::NotLoadable(problem.to_string())),
                log: Vec::new(),
                log_dropped: 0,
                took: Duration::ZERO,
            },
        }
    }
}

impl std::fmt::Debug for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Member").field("name", &self.name).field("digest", &self.digest).finish_non_exhaustive()
    }
}
