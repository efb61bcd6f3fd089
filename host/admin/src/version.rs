//! Which version this is.

use serde::{Deserialize, Serialize};

/// The answer to `GET /v1/version`, and what `portcullis version --json` prints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    pub portcullis: String,
    /// The newest contract that policies can be built for.
    pub contract: String,
    /// The sandbox that runs them.
    pub sandbox: String,
}

// === impl Version ===

impl Version {
    /// Of this program.
    pub fn own() -> Self {
        Self {
            portcullis: env!("CARGO_PKG_VERSION").to_owned(),
            contract: portcullis_engine::CONTRACT.to_owned(),
            sandbox: portcullis_engine::RUNTIME.to_owned(),
        }
    }
}
