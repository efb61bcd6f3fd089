//! Whether the host does what it is there for: what has calls denied makes it not ready, and what stays behind is a warning.

use std::collections::BTreeSet;
use std::sync::Arc;

use arc_swap::ArcSwap;
use portcullis_decision_log::DecisionLog;
use portcullis_engine::Grant;
use portcullis_model::TenantName;
use portcullis_model::decision::Mode;
use portcullis_mounts::resolve::Stuck;
use portcullis_policies::{Effect, Layer, LoadIssue, LoadIssues, Member, Snapshot, Tenant};
use serde::{Deserialize, Serialize};

use crate::end::End;
use crate::listen::Unheard;

/// Of something that was replaced by what is broken, or that cannot be read any more.
pub const LAST_GOOD_STAYS: &str = "the last good version stays active";

/// The answer to `GET /v1/health/ready`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readiness {
    /// Nothing has calls denied that no policy denies.
    pub is_ready: bool,
    pub generation: u64,
    /// Why calls are denied.
    pub denying: Vec<Finding>,
    /// What is wrong and has no call denied: what lies in a folder and is not active, because its last good version stays
    /// or nobody asks it; and what will be trouble if nobody does anything.
    pub warnings: Vec<Finding>,
}

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Finding {
    /// Whose; none is the host's.
    pub tenant: Option<String>,
    /// `configuration`, `policy`, `data`, `tenant`, `folder`, `ignored`, `permissions`, `listener`, `socket`,
    /// `certificate`, `state`, `cache`, `log` or `mount`.
    pub what: String,
    /// Empty where there is only one.
    pub name: String,
    pub problem: String,
    /// What was read before is active.
    #[serde(default)]
    pub last_good_stays: bool,
}

/// Something that is not as it should be on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub finding: Finding,
    /// Whether calls are denied for it.
    pub denies: bool,
}

/// What the last reload found in `portcullis.toml` and did not take. A host that starts has taken all of it. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Untaken(Arc<ArcSwap<Vec<Finding>>>);

// === impl Untaken ===

impl Untaken {
    pub(crate) fn load(&self) -> Arc<Vec<Finding>> {
        self.0.load_full()
    }

    pub fn store(&self, findings: Vec<Finding>) {
        self.0.store(Arc::new(findings));
    }
}

// === impl Readiness ===

impl Readiness {
    /// `store` is why what policies keep is not available.
    pub fn of(snapshot: &Snapshot, issues: &LoadIssues, store: Option<String>) -> Self {
        let mut denying = of_layer(None, &snapshot.host, Mode::Enforce);
        for tenant in &snapshot.tenants {
            denying.extend(of_layer(Some(&tenant.name), &tenant.layer, tenant.mode()));
        }
        let unbound = snapshot.bound.iter().filter(|(_, tenant)| tenant.is_none());
        denying.extend(unbound.map(|(listener, _)| {
            Finding::new(None, "listener", listener, "the tenant that it is bound to is not there")
        }));
        denying.extend(snapshot.rest.as_ref().err().map(|problem| Finding::new(None, "tenant", "", problem)));
        let store = store.map(|problem| Finding::new(None, "state", "", &problem));
        let (store_denies, store_warns) = if needs_state(snapshot) { (store, None) } else { (None, store) };
        denying.extend(store_denies);
        // Why calls are denied is known better by who read the folders; each is told once.
        let denying = denying.into_iter().flat_map(|finding| finding.in_full(issues));
        let mut known = BTreeSet::new();
        let denying: Vec<_> = denying.filter(|finding| known.insert(finding.place())).collect();
        let mut warnings: Vec<_> = Finding::of_issues(issues).filter(|finding| known.insert(finding.place())).collect();
        warnings.extend(store_warns);
        Self { is_ready: denying.is_empty(), generation: snapshot.generation.0, denying, warnings }
    }

    /// Adds what the last reload found in portcullis.toml and did not take.
    pub(crate) fn with_untaken(mut self, untaken: &[Finding]) -> Self {
        self.warnings.extend(untaken.iter().cloned());
        self
    }

    /// Adds the addresses that cannot be listened at, which no call needs.
    pub(crate) fn with_unheard(mut self, unheard: &Unheard) -> Self {
        let findings = unheard.problems().into_iter();
        self.warnings.extend(findings.map(|(name, problem)| Finding::new(None, "listener", name, &problem)));
        self
    }

    /// Adds what was found when the host last looked at its files.
    pub(crate) fn with_found(mut self, found: Vec<Found>) -> Self {
        for Found { finding, denies } in found {
            if denies {
                self.is_ready = false;
                self.denying.push(finding);
            } else {
                self.warnings.push(finding);
            }
        }
        self
    }

    /// Adds certificates of the admin API that end soon. No call of dockerd's needs them.
    pub(crate) fn with_ends(mut self, ends: &[End]) -> Self {
        self.warnings.extend(ends.iter().filter_map(Finding::of_end));
        self
    }

    /// Adds where decisions cannot be logged.
    pub(crate) fn with_log(mut self, log: &DecisionLog) -> Self {
        for (sink, problem) in log.problems() {
            let finding = Finding::new(None, "log", sink, &problem);
            if log.is_required(sink) {
                self.is_ready = false;
                self.denying.push(finding);
            } else {
                self.warnings.push(finding);
            }
        }
        self
    }

    /// Adds the paths of mounts that could not be looked up in time. Only calls that mount from there are affected.
    pub(crate) fn with_stuck(mut self, stuck: &[Stuck]) -> Self {
        let finding = |stuck: &Stuck| {
            Finding::new(Some(&stuck.tenant), "mount", &stuck.path.display().to_string(), &stuck.problem())
        };
        self.warnings.extend(stuck.iter().map(finding));
        self
    }
}

/// What of a folder has calls denied. Data does so in an observed tenant, too: no policy can be asked without it.
fn of_layer(tenant: Option<&TenantName>, layer: &Layer, mode: Mode) -> Vec<Finding> {
    let broken = layer.members.iter().filter(|member| counts(member, mode)).filter_map(|member| {
        let problem = member.policy.as_ref().err()?;
        Some(Finding::new(tenant, "policy", member.name.as_str(), problem))
    });
    let data = layer.data.as_ref().err().map(|problem| {
        let what = if layer.is_unread { "folder" } else { "data" };
        Finding::new(tenant, what, "", problem)
    });
    broken.chain(data).collect()
}

/// Whether what a policy says counts; `mode` is its tenant's.
fn counts(member: &Member, mode: Mode) -> bool {
    mode == Mode::Enforce && member.file.mode == Mode::Enforce
}

/// Whether some policy that counts keeps something.
fn needs_state(snapshot: &Snapshot) -> bool {
    let keeps = |layer: &Layer, mode| {
        layer.members.iter().any(|member| counts(member, mode) && member.file.grants.has(Grant::State))
    };
    let of_tenant = |tenant: &Tenant| tenant.file.grants.has(Grant::State) && keeps(&tenant.layer, tenant.mode());
    keeps(&snapshot.host, Mode::Enforce) || snapshot.tenants.iter().any(|tenant| of_tenant(tenant))
}

// === impl Finding ===

impl Finding {
    /// What lies in folders and is not active, and what is wrong with them.
    pub fn of_issues(issues: &LoadIssues) -> impl Iterator<Item = Self> {
        issues.iter().flat_map(|(tenant, issues)| issues.iter().map(|issue| Self::of_issue(tenant.as_ref(), issue)))
    }

    fn of_issue(tenant: Option<&TenantName>, issue: &LoadIssue) -> Self {
        let LoadIssue { what, name, problem, effect, .. } = issue;
        let last_good_stays = *effect == Effect::LastGoodStays;
        Self { last_good_stays, ..Self::new(tenant, what, name, problem) }
    }

    /// Something that was read again and not taken.
    pub fn untaken(what: &str, name: &str, problem: &str) -> Self {
        Self { last_good_stays: true, ..Self::of_host(what, name, problem) }
    }

    /// The issues for which this has calls denied, or itself where none is known.
    fn in_full(self, issues: &LoadIssues) -> Vec<Self> {
        let is_mine = |tenant: Option<&TenantName>, issue: &LoadIssue| {
            let is_same = self.what == issue.what;
            match self.what.as_str() {
                "tenant" => is_same && issue.effect == Effect::Denies,
                _ if self.tenant.as_deref() != tenant.map(TenantName::as_str) => false,
                "data" if is_same => issue.effect == Effect::Denies,
                "policy" if is_same && issue.name == self.name => true,
                "folder" if is_same => true,
                _ => *self.problem == *issue.problem,
            }
        };
        let all = issues.iter().flat_map(|(tenant, of_tenant)| of_tenant.iter().map(move |one| (tenant.as_ref(), one)));
        let mine = all.filter(|(tenant, issue)| is_mine(*tenant, issue));
        let found: Vec<_> =
            mine.map(|(tenant, issue)| Self { last_good_stays: false, ..Self::of_issue(tenant, issue) }).collect();
        if found.is_empty() { vec![self] } else { found }
    }

    /// Of the host itself, and no tenant's. `what` is one of [`Finding::what`]; `name` may be empty.
    pub fn of_host(what: &str, name: &str, problem: &str) -> Self {
        Self::new(None, what, name, problem)
    }

    /// A certificate that ends soon.
    pub fn of_end(end: &End) -> Option<Self> {
        end.warning().map(|warning| Self::of_host("certificate", end.key, &warning))
    }

    /// Whether something was read and is not active.
    pub fn is_refusal(&self) -> bool {
        !LoadIssue::REMARKS.contains(&self.what.as_str())
    }

    fn new(tenant: Option<&TenantName>, what: &str, name: &str, problem: &str) -> Self {
        let tenant = tenant.map(ToString::to_string);
        let (what, name, problem) = (what.to_owned(), name.to_owned(), problem.to_owned());
        Self { tenant, what, name, problem, last_good_stays: false }
    }

    /// What it is about, in words.
    pub fn subject(&self) -> String {
        let Self { tenant, what, name, .. } = self;
        let of = tenant.as_ref().filter(|tenant| what != "tenant" || *tenant != name);
        let of = of.map(|tenant| format!(" of tenant {tenant}")).unwrap_or_default();
        if name.is_empty() { format!("{what}{of}") } else { format!("{what} {name}{of}") }
    }

    fn place(&self) -> (Option<String>, String, String) {
        (self.tenant.clone(), self.what.clone(), self.name.clone())
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.subject())?;
        if self.last_good_stays {
            write!(f, " ({LAST_GOOD_STAYS})")?;
        }
        write!(f, ": {}", self.problem)
    }
}

// === impl Found ===

impl Found {
    /// Whether it is about the same, whatever is said of it.
    pub fn is_like(&self, other: &Self) -> bool {
        (&self.finding.what, &self.finding.name) == (&other.finding.what, &other.finding.name)
    }

    pub fn warning(what: &str, name: &str, problem: String) -> Self {
        Self { finding: Finding::of_host(what, name, &problem), denies: false }
    }
}
