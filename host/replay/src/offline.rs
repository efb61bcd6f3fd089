//! Questions that are asked without a host that serves: what would be answered, and nothing is changed.

use std::sync::Arc;

use portcullis_config::Config;
use portcullis_policies as policies;
use portcullis_policies::{WorkshopError, load_context};
use portcullis_service::decide::Evaluator;
use portcullis_service::dry_run::{AskError, DryRunner, Manner, Question, Report};
use portcullis_state::Spaces;

/// A configuration that can be asked.
#[derive(Debug)]
pub struct Offline {
    evaluator: Evaluator,
    dry_runner: DryRunner,
    notes: Vec<String>,
}

impl Offline {
    /// Loads a configuration. What policies keep is copied from the store, and their changes are forgotten. Must be
    /// called on a thread of a runtime, and not inside a task.
    pub fn load(config: &Config) -> Result<Self, WorkshopError> {
        Self::with(config, Spaces::copy(config.state_dir.clone()))
    }

    /// The same, with what policies keep from elsewhere.
    pub fn with(config: &Config, spaces: Spaces) -> Result<Self, WorkshopError> {
        let live = policies::load_once(config, spaces, &load_context(config)?);
        let issues = live.issues();
        let notes =
            issues.values().flatten().filter(|issue| !issue.is_remark()).map(|issue| issue.to_string()).collect();
        Ok(Self { evaluator: Evaluator::new(config, Arc::new(live)), dry_runner: DryRunner::new(config), notes })
    }

    pub(crate) fn evaluator(&self) -> &Evaluator {
        &self.evaluator
    }

    /// What is wrong in the folders.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// What would be answered.
    pub async fn ask(&self, question: Question, manner: Manner) -> Result<Report, AskError> {
        self.dry_runner.ask(&self.evaluator, question, manner).await
    }
}
