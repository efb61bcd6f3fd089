//! Tenants: who belongs to which, what they share and what not, how much each may use, and how all of that changes while
//! the host runs.
//!
//! A tenant's policy says the tenant's name (`Config::tenant_says`), so an answer tells who was asked.

#![expect(clippy::indexing_slicing, reason = "a test may fail so")]

mod apart;
mod belonging;
mod change;
mod limits;
mod start;

use std::path::Path;

use portcullis_tests::caller::Caller;
use portcullis_tests::plugin::Reply;
use portcullis_tests::portcullis::{Config, Portcullis, Record};
use portcullis_tests::{Error, Result};
use serde_json::Value;

/// An answer, and what the log says of it.
struct Decision {
    reply: Reply,
    record: Record,
}

// === impl Decision ===

impl Decision {
    /// Has a caller list containers. What was asked before must have been asked so too, or its line may be taken for this
    /// one's.
    fn of(host: &Portcullis, caller: &Caller) -> Result<Self> {
        Self::at(host, &host.socket(), caller)
    }

    fn at(host: &Portcullis, socket: &Path, caller: &Caller) -> Result<Self> {
        Self::after(host, || caller.list(socket))
    }

    fn after(host: &Portcullis, ask: impl FnOnce() -> Result<Reply>) -> Result<Self> {
        let mark = host.mark();
        let reply = ask()?;
        let record = host.wait_for(mark, "the decision's line", |record| record.message() == "decision")?;
        Ok(Self { reply, record })
    }

    /// Asserts that the tenant's policy was asked, and that the log says whose the call was.
    fn assert_of(&self, tenant: &str, note: &str) {
        assert_eq!(self.reply.msg, said(tenant), "{note}: {:?}", self.record);
        assert_eq!(self.record.text("tenant"), tenant, "{note}");
        assert_eq!(self.record.text("cause"), "denied", "{note}");
    }

    /// Asserts that it was denied because it is nobody's, in these words, without a word of any tenant.
    fn assert_unplaced(&self, told: &str, note: &str) {
        assert_eq!(self.reply, Reply { msg: told.to_owned(), id: self.reply.id.clone(), ..Reply::default() }, "{note}");
        assert_eq!(self.record.text("cause"), "unplaced", "{note}");
        assert_eq!(self.record.field("tenant"), Some(&Value::Null), "{note}");
    }

    /// What each policy came to: its origin, name, verdict and reason.
    fn policies(&self) -> Vec<[&str; 4]> {
        let policies = self.record.field("policies").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let keys = ["origin", "policy", "verdict", "reason"];
        policies.iter().map(|policy| keys.map(|key| policy[key].as_str().unwrap_or_default())).collect()
    }
}

/// What a caller is told by the policy of `Config::tenant_says`.
fn said(words: &str) -> String {
    format!("name: {words}")
}

/// Folders of tenants, each with its `tenant.toml` and a policy that says its name.
fn with_tenants(config: Config, tenants: &[(&str, &str)]) -> Result<Config> {
    tenants.iter().try_fold(config, |config, (name, toml)| config.tenant(name, toml)?.tenant_says(name, name))
}

/// Waits until a tenant's error is told, and gives its `problem`.
fn problem_of(host: &Portcullis, mark: portcullis_tests::log::Mark, tenant: &str, message: &str) -> Result<String> {
    let what = format!("`{message}` of `{tenant}`");
    let record = host.wait_for(mark, &what, |record| record.is_of(tenant) && record.message() == message)?;
    let problem = record.text("problem").to_owned();
    if problem.is_empty() { Err(Error::Unexpected(format!("no problem in {record:?}"))) } else { Ok(problem) }
}
