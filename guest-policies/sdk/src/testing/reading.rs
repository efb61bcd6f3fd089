//! The step that is the host's own: from a plugin call to a request.

use std::sync::Arc;

use portcullis_docker::wire::Call;
use portcullis_docker::{Reader, Refusal, Resolve, Resolved, Rules};
use portcullis_model::Request;

use super::paths::Paths;

/// Reads a call as the host does, by all its rules.
pub(super) fn read(call: Call, paths: Paths) -> Result<Arc<dyn Request>, Refusal> {
    let request = Reader::new(Rules::default(), Arc::new(paths)).read(call)?;
    Ok(Arc::new(request))
}

impl Resolve for Paths {
    fn resolve(&self, path: &str) -> Option<Resolved> {
        self.follow(path)
    }
}
