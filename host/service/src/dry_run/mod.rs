//! What would be answered to a call, by which policies and with which data: asked by the operator, on the host that serves or
//! offline, and without a trace. What policies would keep is forgotten, nobody's figures count it, and no decision is
//! logged.
//!
//! ```text
//! Question ─ whose it is ─> Evaluator::dry_run ─ dry state ─> DryRun ─> Report
//! ```

mod question;
mod report;

use std::sync::Arc;
use std::time::Duration;

use portcullis_config::Config;
use portcullis_engine::TenantBudget;
use portcullis_model::{Limits, TenantLimits, TenantName};
use portcullis_policies::tenant::{Admission, Overload};

use crate::decide::Evaluator;

pub use question::{Question, QuestionError};
pub use report::{DocumentReport, Report};

/// Questions that are answered at once: they take the processor from calls that are made.
const AT_ONCE: u32 = 4;
/// Questions that wait; each holds its call.
const WAITING: u32 = 12;
const QUEUE_TIMEOUT: Duration = Duration::from_secs(5);

/// Answers questions, a few at once, and with memory that is no tenant's.
#[derive(Debug)]
pub struct DryRunner {
    /// The first one is where a call comes in that does not say.
    listeners: Vec<String>,
    admission: Admission,
    budget: Arc<TenantBudget>,
}

/// How a question is meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manner {
    /// The listener that the call is taken to come in by; none is the question's own, or the first.
    pub listener: Option<String>,
    /// Whose call it is, whatever the caller's match says.
    pub tenant: Option<TenantName>,
    /// Whether the call is to be shown as policies see it.
    pub explain: bool,
}

/// Why a question was not answered.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    #[error("there is no listener `{name}`\n  help: there are: {there}")]
    NoListener { name: String, there: String },
    #[error("there is no tenant `{name}`\n  help: there are: {there}")]
    NoTenant { name: TenantName, there: String },
    #[error("too many questions at once: {0}")]
    Busy(#[from] Overload),
}

// === impl DryRunner ===

impl DryRunner {
    pub fn new(config: &Config) -> Self {
        let limits =
            TenantLimits { decisions: AT_ONCE, queue: WAITING, queue_wait: QUEUE_TIMEOUT, ..TenantLimits::default() };
        Self {
            listeners: config.listeners.iter().map(|listener| listener.name.clone()).collect(),
            admission: Admission::new(&limits),
            // A question asks one policy at a time.
            budget: TenantBudget::new(AT_ONCE as usize * Limits::MAX_MEMORY),
        }
    }

    /// What would be answered.
    pub async fn ask(&self, evaluator: &Evaluator, question: Question, manner: Manner) -> Result<Report, AskError> {
        let Manner { listener, tenant, explain } = manner;
        let listener = self.listener(listener.or_else(|| question.listener().map(str::to_owned)))?;
        let _place = self.admission.enter(false).await?;
        let dry_run = evaluator.dry_run(question.into_call(), &listener, tenant.as_ref(), explain, &self.budget).await;
        dry_run.map(|dry_run| Report::of(&dry_run)).ok_or_else(|| {
            let snapshot = evaluator.live().load();
            let there: Vec<_> = snapshot.tenants.iter().map(|tenant| tenant.name.as_str()).collect();
            AskError::NoTenant { name: tenant.unwrap_or_default(), there: there.join(", ") }
        })
    }

    fn listener(&self, name: Option<String>) -> Result<String, AskError> {
        match name {
            None => Ok(self.listeners.first().cloned().unwrap_or_default()),
            Some(name) if self.listeners.contains(&name) => Ok(name),
            Some(name) => Err(AskError::NoListener { name, there: self.listeners.join(", ") }),
        }
    }
}
