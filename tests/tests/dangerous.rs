//! What gives a caller power over the host is denied by a shipped policy, or a README says that none of them stops it:
//! `tests/cases/dangerous`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use portcullis_tests::corpus::{self, Captured};
use portcullis_tests::error::Doing;
use portcullis_tests::portcullis::Config;
use portcullis_tests::scratch::Scratch;
use portcullis_tests::{Result, plugin};
use serde::Deserialize;

const USERS: &str = r#"{"alice": {"readOnly": false}}"#;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    note: String,
    /// Method and target.
    call: String,
    body: String,
    /// The policy that denies it.
    denied: Option<String>,
    not_stopped: Option<NotStopped>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NotStopped {
    readme: String,
    /// What stands under its heading `What it does not stop`, or among its settings.
    says: String,
}

#[test]
fn what_is_dangerous_is_denied_or_a_readme_says_that_it_is_not() -> Result<()> {
    let host = Scratch::new()?;
    host.folder("www")?;
    host.folder("scratch")?;
    let path = host.path().display().to_string();
    let settings = format!(
        "[settings]\nallow = [{{ source = \"{path}/www\" }}, {{ source = \"{path}/scratch\", writable = true }}]\n"
    );
    let portcullis = Config::new()?
        .file("policies/bind-mounts.toml", settings.as_bytes())?
        .policy("bind-mounts")?
        .policy("seccomp")?
        .policy("user-roles")?
        .file("data/users.json", USERS.as_bytes())?
        .start()?;
    let mut wrong = Vec::new();
    for found in corpus::read("dangerous", |case: &Case| &case.note)? {
        let Case { call, body, denied, not_stopped, .. } = &found.case;
        let (method, uri) = call.split_once(' ').unwrap_or_default();
        let body = body.replace("{host}", &path);
        let headers = [("Content-Type", "application/json".to_owned()), ("Content-Length", body.len().to_string())];
        let headers: BTreeMap<_, _> = headers.map(|(name, value)| (name.to_owned(), value)).into();
        let call = Captured { method: method.to_owned(), uri: uri.to_owned(), headers, body: Some(body) };
        let reply = plugin::ask(&portcullis.socket(), call.plugin_call("alice", "").to_string().as_bytes())?;
        let by = reply.msg.split_once(": ").map(|(policy, _)| policy.to_owned()).filter(|_| !reply.allow);
        let is_said = match not_stopped {
            Some(NotStopped { readme, says }) => readme_says(readme, says)?,
            None => denied.is_some(),
        };
        if by != *denied || !is_said || denied.is_some() == not_stopped.is_some() {
            wrong.push(format!("{}\n  {}, said: {is_said}", found.title, reply.msg));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    Ok(())
}

fn readme_says(readme: &str, says: &str) -> Result<bool> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(readme);
    let text = fs::read_to_string(&path).doing_to("reading", &path)?;
    let words: Vec<&str> = text.split_whitespace().collect();
    Ok(words.join(" ").contains(says))
}
