//! What the host tells its operator of itself: what is active, what is not and why, and what became of calls.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Instant, SystemTime};

use portcullis_config::{Config, Listener};
use portcullis_model::TenantName;
use portcullis_model::decision::Mode;
use portcullis_mounts::resolve::Stuck;
use portcullis_policies::tenant::Statistics;
use portcullis_policies::{Effect, LoadIssue, LoadIssues, Member, Snapshot, Tenant};
use portcullis_service::decide::Authorizer;
use portcullis_state::Store;
use serde::{Deserialize, Serialize};

use crate::end::End;
use crate::gate::Gate;
use crate::health::{Finding, Readiness, Untaken};
use crate::inspect::Inspector;
use crate::listen::Unheard;

/// The answer to `GET /v1/status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    pub version: String,
    /// Unix time in seconds.
    pub started: u64,
    pub uptime_s: u64,
    pub generation: u64,
    /// Nothing lies in a folder that is not active.
    pub is_sound: bool,
    /// Nothing has calls denied that no policy denies.
    pub is_ready: bool,
    /// Why calls are denied.
    pub denying: Vec<Finding>,
    /// What is wrong and has no call denied.
    #[serde(default)]
    pub warnings: Vec<Finding>,
    pub listeners: Vec<ListenerStatus>,
    /// Host-wide policies.
    pub policies: Vec<PolicyStatus>,
    pub problems: Vec<Problem>,
    pub tenants: Vec<TenantStatus>,
    /// Of calls of which cannot be told whose they are.
    pub unplaced: Statistics,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenerStatus {
    pub name: String,
    pub socket: String,
    /// That it is bound to.
    pub tenant: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantStatus {
    pub name: String,
    /// Its own policies and its default are only observed.
    pub is_observed: bool,
    /// In which it last changed.
    pub generation: u64,
    pub policies: Vec<PolicyStatus>,
    pub problems: Vec<Problem>,
    #[serde(flatten)]
    pub figures: Statistics,
    pub in_flight: u32,
    pub waiting: u32,
    /// Bytes of memory of the policies that run now.
    pub memory: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyStatus {
    pub name: String,
    /// None where the file could not be read.
    pub digest: Option<String>,
    pub is_observed: bool,
    /// Why it denies every call.
    pub broken: Option<String>,
    /// How often it would have denied and did not count, since it is active as it is; of a host-wide policy, for all tenants.
    pub would_deny: u64,
}

/// Something that lies in a folder and is not active, a remark on what lies there, or a mount's path that could not
/// be looked up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// `configuration`, `certificate`, `policy`, `data`, `tenant`, `folder`, `ignored`, `permissions` or `mount`.
    pub what: String,
    pub name: String,
    pub problem: String,
    /// What was read before is active.
    #[serde(default)]
    pub last_good_stays: bool,
}

/// Makes the status. Cheap to clone the `Arc` of.
#[derive(Debug)]
pub struct Reporter {
    started: (Instant, SystemTime),
    listeners: Vec<ListenerStatus>,
    authorizer: Arc<Authorizer>,
    store: Store,
    inspector: Inspector,
    gate: Option<Arc<Gate>>,
    unheard: Unheard,
    untaken: Untaken,
}

// === impl Reporter ===

impl Reporter {
    /// With `started` being now.
    pub fn new(
        config: &Config,
        authorizer: Arc<Authorizer>,
        store: Store,
        (inspector, gate, unheard, untaken): (Inspector, Option<Arc<Gate>>, Unheard, Untaken),
    ) -> Self {
        let listeners = config.listeners.iter().map(ListenerStatus::of).collect();
        let started = (Instant::now(), SystemTime::now());
        Self { started, listeners, authorizer, store, inspector, gate, unheard, untaken }
    }

    /// Whether calls are decided as they should be.
    pub fn readiness(&self) -> Readiness {
        let live = self.authorizer.live();
        let store = self.store.problem().or_else(|| self.store.write_problem());
        let readiness = Readiness::of(&live.load(), &live.issues(), store).with_untaken(&self.untaken.load());
        let readiness = readiness.with_unheard(&self.unheard).with_log(self.authorizer.log());
        let readiness = readiness.with_stuck(&self.authorizer.evaluator().stuck());
        readiness.with_found(self.inspector.found()).with_ends(&self.ends())
    }

    /// When certificates of the admin API end.
    pub fn ends(&self) -> Vec<End> {
        self.gate.as_ref().map(|gate| gate.ends()).unwrap_or_default()
    }

    /// What looks at files.
    pub fn inspector(&self) -> &Inspector {
        &self.inspector
    }

    pub fn status(&self) -> Status {
        let live = self.authorizer.live();
        let (snapshot, issues) = (live.load(), live.issues());
        let Snapshot { generation, host, tenants, .. } = &*snapshot;
        let Readiness { is_ready, denying, warnings, .. } = self.readiness();
        let since_epoch = self.started.1.duration_since(SystemTime::UNIX_EPOCH);
        let active: std::collections::BTreeSet<_> = tenants.iter().map(|tenant| &tenant.name).collect();
        // Of tenants that are not active, too.
        let stuck = self.authorizer.evaluator().stuck();
        let untaken = self.untaken.load();
        let of_configuration = untaken.iter().map(Problem::of_finding);
        let others = issues.keys().flatten().filter(|name| !active.contains(name));
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started: since_epoch.map_or(0, |since| since.as_secs()),
            uptime_s: self.started.0.elapsed().as_secs(),
            generation: generation.0,
            is_sound: untaken.is_empty() && issues.values().flatten().all(LoadIssue::is_remark),
            is_ready,
            denying,
            warnings,
            listeners: self.listeners.clone(),
            policies: host.members.iter().map(|member| PolicyStatus::of(member)).collect(),
            problems: of_configuration
                .chain(others.map(Some).chain([None]).flat_map(|name| problems(&issues, name)))
                .collect(),
            tenants: tenants.iter().map(|tenant| TenantStatus::of(tenant, &issues, &stuck)).collect(),
            unplaced: self.authorizer.unmatched().read(),
        }
    }

    /// Of one tenant that is active.
    pub fn tenant(&self, name: &TenantName) -> Option<TenantStatus> {
        let live = self.authorizer.live();
        let (snapshot, issues) = (live.load(), live.issues());
        let tenant = snapshot.tenants.iter().find(|tenant| tenant.name == *name)?;
        Some(TenantStatus::of(tenant, &issues, &self.authorizer.evaluator().stuck()))
    }
}

fn problems(issues: &LoadIssues, tenant: Option<&TenantName>) -> Vec<Problem> {
    let issues = issues.get(&tenant.cloned()).map(Vec::as_slice).unwrap_or_default();
    let problem = |issue: &LoadIssue| Problem {
        what: issue.what.to_owned(),
        name: issue.name.clone(),
        problem: issue.problem.to_string(),
        last_good_stays: issue.effect == Effect::LastGoodStays,
    };
    issues.iter().map(problem).collect()
}

// === impl ListenerStatus, TenantStatus, Problem, PolicyStatus ===

impl ListenerStatus {
    fn of(listener: &Listener) -> Self {
        Self {
            name: listener.name.clone(),
            socket: listener.socket.display().to_string(),
            tenant: listener.tenant.as_ref().map(ToString::to_string),
        }
    }
}

impl TenantStatus {
    fn of(tenant: &Tenant, issues: &LoadIssues, stuck: &[Stuck]) -> Self {
        let (in_flight, waiting) = tenant.resources.admission.load();
        let stuck = stuck.iter().filter(|stuck| stuck.tenant == tenant.name).map(Problem::of_mount);
        Self {
            name: tenant.name.to_string(),
            is_observed: tenant.mode() == Mode::Observe,
            generation: tenant.generation.0,
            policies: tenant.layer.members.iter().map(|member| PolicyStatus::of(member)).collect(),
            problems: problems(issues, Some(&tenant.name)).into_iter().chain(stuck).collect(),
            figures: tenant.resources.counters.read(),
            in_flight,
            waiting,
            memory: tenant.resources.budget.memory() as u64,
        }
    }
}

impl Problem {
    fn of_mount(stuck: &Stuck) -> Self {
        let (what, name) = ("mount".to_owned(), stuck.path.display().to_string());
        Self { what, name, problem: stuck.problem(), last_good_stays: false }
    }

    fn of_finding(finding: &Finding) -> Self {
        let Finding { what, name, problem, last_good_stays, .. } = finding.clone();
        Self { what, name, problem, last_good_stays }
    }
}

impl PolicyStatus {
    /// A word for a person.
    pub fn mode(&self) -> &'static str {
        if self.is_observed { "observe" } else { "enforce" }
    }

    /// Of one policy that is active, or of what stands in for it.
    pub fn of(member: &Member) -> Self {
        Self {
            name: member.name.to_string(),
            digest: member.digest.map(|digest| digest.to_string()),
            is_observed: member.file.mode == Mode::Observe,
            broken: member.policy.as_ref().err().map(ToString::to_string),
            would_deny: member.would_deny.load(Ordering::Relaxed),
        }
    }
}
