//! Questions that are asked without a host that serves: what would be answered, and nothing is changed.

use std::sync::Arc;

use portcullis_model::Decision;

use crate::config::Config;
use crate::decide::Judge;
use crate::policies::{Live, Loader};
use crate::serve::{ServeError, loader_context};
use crate::state::Spaces;

/// A configuration that can be asked.
#[derive(Debug)]
pub struct Offline {
    judge: Judge,
    notes: Vec<String>,
}

impl Offline {
    /// Loads a configuration. What policies keep is copied from the store, and their changes are forgotten. Must be
    /// called on a thread of a runtime, and not inside a task.
    pub fn load(config: &Config) -> Result<Self, ServeError> {
        let context = loader_context(config, Spaces::Copy(config.state_dir.clone()))?;
        let mut loader = Loader::new(context);
        let set = loader.first_set();
        let notes = loader.problems().map(|(name, problem)| format!("`{name}` cannot be loaded: {problem}")).collect();
        Ok(Self { judge: Judge::new(config, Arc::new(Live::new(set))), notes })
    }

    /// What is wrong in the folder.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// What would be answered to a call, as dockerd posts it.
    pub async fn decide(&self, call: &[u8]) -> Decision {
        self.judge.decide(call).await
    }
}
