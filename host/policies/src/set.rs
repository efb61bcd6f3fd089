//! What the calls of one tenant are asked: the host-wide policies, then the tenant's own.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use portcullis_config::TenantFile;
use portcullis_docker::obligation;
use portcullis_engine::{Grant, Outcome, PolicyLog, Question, State, TenantBudget};
use portcullis_model::decision::{DefaultVerdict, Mode, Origin, Spent};
use portcullis_model::limits::StateLimits;
use portcullis_model::obligation::{Contradiction, Demands};
use portcullis_model::{
    Cause, Data, Decision, Fault, Generation, Limits, Obligation, Opinion, Request, TenantName, Verdict,
};
use portcullis_state::{SpaceName, Spaces};

use crate::layer::{Layer, Member};

const NO_DATA: &str = "the operator's data cannot be read";
const UNREAD: &str = "the policies are still being loaded";

/// One tenant's policies in the order in which they are asked, with what each is asked with.
#[derive(Debug)]
pub struct PolicySet {
    /// Or what the caller is told where no policy can be asked.
    asked: Result<Vec<Asked>, &'static str>,
    default: DefaultVerdict,
    /// The tenant's.
    mode: Mode,
    spaces: Spaces,
}

/// One policy of a set.
struct Asked {
    member: Arc<Member>,
    origin: Origin,
    data: Arc<Data>,
    state: Option<Kept>,
    limits: Limits,
}

/// What a policy keeps.
struct Kept {
    state: Arc<dyn State>,
    space: SpaceName,
    /// Of the tenant, for all that is kept.
    sum: StateLimits,
}

// === impl PolicySet ===

impl PolicySet {
    /// What a tenant is asked. Host-wide policies see host-wide data only: what a tenant writes must not change what they say.
    pub fn new(
        tenant: &TenantName,
        file: &TenantFile,
        host: &Layer,
        own: &Layer,
        default: DefaultVerdict,
        spaces: &Spaces,
    ) -> Self {
        let asked = documents(host, own).map(|(host_data, own_data)| {
            let state = |member: &Member, origin, granted: bool| {
                let space = SpaceName::new(tenant, origin, &member.name);
                let is_granted = granted && member.file.grants.has(Grant::State);
                let state = is_granted.then(|| spaces.of(space.clone(), member.file.limits.state, file.limits.state));
                state.map(|state| Kept { state, space, sum: file.limits.state })
            };
            let of_host = host.members.iter().map(|member| Asked {
                member: Arc::clone(member),
                origin: Origin::Host,
                data: Arc::clone(&host_data),
                state: state(member, Origin::Host, true),
                limits: member.file.limits.clone(),
            });
            let of_tenant = own.members.iter().map(|member| Asked {
                member: Arc::clone(member),
                origin: Origin::Tenant,
                data: Arc::clone(&own_data),
                state: state(member, Origin::Tenant, file.grants.has(Grant::State)),
                limits: member.file.limits.at_most(&file.limits.policy),
            });
            of_host.chain(of_tenant).collect()
        });
        let message = if own.is_unread { UNREAD } else { NO_DATA };
        Self { asked: asked.map_err(|_| message), default, mode: file.mode, spaces: spaces.clone() }
    }

    /// Asks every policy, and combines what they say.
    pub async fn decide(
        &self,
        request: Arc<dyn Request>,
        budget: &Arc<TenantBudget>,
        generation: Generation,
    ) -> (Decision, PolicyLog) {
        self.decide_with(request, budget, generation, Asked::state).await
    }

    /// As [`Self::decide`], and what policies would keep is forgotten.
    pub async fn decide_dry(
        &self,
        request: Arc<dyn Request>,
        budget: &Arc<TenantBudget>,
        generation: Generation,
    ) -> (Decision, PolicyLog) {
        self.decide_with(request, budget, generation, |asked| asked.dry_state(&self.spaces)).await
    }

    async fn decide_with(
        &self,
        request: Arc<dyn Request>,
        budget: &Arc<TenantBudget>,
        generation: Generation,
        state: impl Fn(&Asked) -> Option<Arc<dyn State>>,
    ) -> (Decision, PolicyLog) {
        let asked = match &self.asked {
            Ok(asked) => asked,
            Err(message) => return (Decision::refuse(Cause::Data, message, generation), Vec::new()),
        };
        let mut log = Vec::new();
        let mut opinions = Vec::with_capacity(asked.len());
        for policy in asked {
            let mut outcome = policy.ask(&request, budget, state(policy)).await;
            if !outcome.log.is_empty() || outcome.log_dropped > 0 {
                // Those before it wrote nothing.
                log.extend(
                    opinions.iter().skip(log.len()).map(|before: &Opinion| (before.policy.clone(), Vec::new(), 0)),
                );
                log.push((policy.member.name.clone(), std::mem::take(&mut outcome.log), outcome.log_dropped));
            }
            opinions.push(policy.opinion(outcome, &*request));
        }
        (Decision::combine(opinions, self.default, self.mode, generation, &contradiction), log)
    }

    /// Whether what it comes to can depend on what was decided before.
    pub fn keeps_state(&self) -> bool {
        self.asked.iter().flatten().any(|asked| asked.state.is_some())
    }

    /// Counts for each policy what it said, and whether it would have denied, in a decision of this set.
    pub fn count(&self, decision: &Decision) {
        let asked = self.asked.as_deref().unwrap_or_default();
        for (asked, opinion) in asked.iter().zip(&decision.opinions) {
            asked.member.said.count(&opinion.judgement);
            if opinion.would_deny() {
                asked.member.would_deny.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// Whether the call is as a policy demands; a fault where it demands what nobody can.
fn demands(obligations: Vec<Obligation>, request: &dyn Request) -> Result<Demands, Fault> {
    obligations.iter().try_for_each(obligation::check).map_err(Fault::BadAnswer)?;
    let unmet = obligations.iter().find_map(|obligation| obligation::unmet(obligation, request));
    Ok(Demands { obligations, unmet })
}

fn contradiction(demanding: &[&Opinion]) -> Option<Contradiction> {
    let all = demanding
        .iter()
        .flat_map(|opinion| opinion.demands.obligations.iter().map(move |obligation| (&opinion.policy, obligation)));
    let found = obligation::contradiction(all)?;
    Some(Contradiction { policy: found.one.clone(), other: found.other.clone(), about: found.about })
}

/// What host-wide policies see, and what the tenant's see: its documents over the host-wide ones.
fn documents(host: &Layer, own: &Layer) -> Result<(Arc<Data>, Arc<Data>), Arc<str>> {
    let (host, own) = (host.data.clone()?, own.data.clone()?);
    let over = if own.is_empty() { Arc::clone(&host) } else { Arc::new(own.over(&host)) };
    Ok((host, over))
}

// === impl Asked ===

impl Asked {
    fn state(&self) -> Option<Arc<dyn State>> {
        self.state.as_ref().map(|kept| Arc::clone(&kept.state))
    }

    fn dry_state(&self, spaces: &Spaces) -> Option<Arc<dyn State>> {
        let Kept { space, sum, .. } = self.state.as_ref()?;
        Some(spaces.dry(space.clone(), self.member.file.limits.state, *sum))
    }

    async fn ask(
        &self,
        request: &Arc<dyn Request>,
        budget: &Arc<TenantBudget>,
        state: Option<Arc<dyn State>>,
    ) -> Outcome {
        match &self.member.policy {
            Ok(policy) => {
                let question = Question {
                    request: Arc::clone(request),
                    data: Arc::clone(&self.data),
                    settings: Arc::clone(&self.member.file.settings),
                    state,
                    budget: Arc::clone(budget),
                };
                policy.decide(question, &self.limits).await
            }
            Err(problem) => Outcome {
                judgement: Err(Fault::NotLoadable(problem.to_string())),
                obligations: Vec::new(),
                log: Vec::new(),
                log_dropped: 0,
                took: Duration::ZERO,
                spent: Spent::default(),
            },
        }
    }

    fn opinion(&self, outcome: Outcome, request: &dyn Request) -> Opinion {
        let Member { name, digest, file, .. } = &*self.member;
        let Outcome { judgement, obligations, took, spent, .. } = outcome;
        let (judgement, demands) = match demands(obligations, request) {
            Ok(demands) => (judgement, demands),
            Err(fault) => (Err(fault), Demands::default()),
        };
        let is_denial = matches!(judgement, Ok(Verdict::Deny(_)) | Err(_)) || demands.unmet.is_some();
        let remark = file.remark.as_ref().filter(|_| is_denial).cloned();
        let (policy, digest, mode) = (name.clone(), *digest, file.mode);
        Opinion { policy, origin: self.origin, digest, mode, judgement, demands, remark, took, spent }
    }
}

impl std::fmt::Debug for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Asked").field("member", &self.member).field("origin", &self.origin).finish_non_exhaustive()
    }
}
