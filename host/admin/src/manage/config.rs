//! What lies beside a policy, `NAME.toml`: read as JSON, and changed with its comments kept. It may be there before the policy is.

use std::io::Write;

use portcullis_config::fs::Root;
use portcullis_config::{POLICIES, PolicyFile, policy_edit};
use portcullis_engine::Grant;
use portcullis_model::decision::Mode;
use portcullis_model::{Limits, PolicyName};
use portcullis_policies::MAX_SETTINGS;
use serde_json::{Map, Value, json};

use crate::manage::policies::{COMPILED_AND_WRITTEN, no_policy};
use crate::manage::{ManageError, Manager, Precondition, Scope, blocking, blocking_for};

/// What a policy's file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyConfig {
    /// `mode`, `grants`, `limits`, `settings`, `message` and `help`, as far as they are written.
    pub says: Map<String, Value>,
    /// Of the file's bytes; none where there is no file.
    pub tag: Option<String>,
}

/// What a change came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigChange {
    /// None where the file was removed.
    pub tag: Option<String>,
    pub is_new: bool,
    /// False where the policy is still to come.
    pub active: bool,
    pub generation: u64,
}

// === impl Manager ===

impl Manager {
    /// What is written beside a policy. Nothing is, where the policy has no file beside it.
    pub async fn policy_config(&self, scope: Scope, name: PolicyName) -> Result<PolicyConfig, ManageError> {
        let manager = self.clone();
        blocking(move || {
            manager.layer(&scope)?;
            let root = manager.root(&scope)?;
            let Some(text) = text(&root, &name)? else {
                return if root.has(&wasm(&name)) { Ok(PolicyConfig::default()) } else { Err(no_policy(&name)) };
            };
            let path = root.path(&toml(&name));
            let says = policy_edit::read(&text);
            let says = says.map_err(|error| ManageError::Invalid(format!("{}: {error}", path.display())))?;
            Ok(PolicyConfig { says, tag: Some(tag(&text)) })
        })
        .await
    }

    /// The same with everything that is not written.
    pub async fn effective_config(&self, scope: Scope, name: PolicyName) -> Result<PolicyConfig, ManageError> {
        let manager = self.clone();
        blocking(move || {
            let (quota, root) = (manager.quota(&scope)?, manager.root(&scope)?);
            let text = text(&root, &name)?;
            if text.is_none() && !root.has(&wasm(&name)) {
                return Err(no_policy(&name));
            }
            let path = root.path(&toml(&name));
            let file = PolicyFile::read(&path, text.as_deref().unwrap_or_default(), &quota);
            let file = file.map_err(|problems| ManageError::Invalid(problems.to_string()))?;
            Ok(PolicyConfig { says: effective(&file), tag: text.as_deref().map(tag) })
        })
        .await
    }

    /// Has the file beside a policy say what `edit` makes of what it says: checked as when it is loaded, with the policy where it is
    /// there, then written, and active when this is ready.
    pub async fn edit_policy_config(
        &self,
        scope: Scope,
        name: PolicyName,
        precondition: Precondition,
        edit: impl FnOnce(Map<String, Value>) -> Result<Map<String, Value>, String> + Send + 'static,
    ) -> Result<ConfigChange, ManageError> {
        let writer = self.lock(&scope).await?;
        let (manager, own, file) = (self.clone(), scope.clone(), name.clone());
        let written = blocking_for(COMPILED_AND_WRITTEN, move || {
            Ok((manager.edit_and_write(&own, &file, &precondition, edit)?, writer))
        });
        let ((tag, is_new, is_changed), _writer) = written.await?;
        self.settled(scope, &name, Some(tag), is_new, is_changed).await
    }

    /// Removes the file beside a policy, where the policy can do without.
    pub async fn remove_policy_config(
        &self,
        scope: Scope,
        name: PolicyName,
        precondition: Precondition,
    ) -> Result<ConfigChange, ManageError> {
        let writer = self.lock(&scope).await?;
        let (manager, own, file) = (self.clone(), scope.clone(), name.clone());
        let removed = blocking_for(COMPILED_AND_WRITTEN, move || {
            let (quota, root) = (manager.quota(&own)?, manager.root(&own)?);
            let before = text(&root, &file)?.ok_or_else(|| no_config(&file))?;
            precondition.check(&what(&file), Some(&tag(&before)))?;
            manager.check_with_policy(&own, &root, &file, &PolicyFile::with_quota(&quota))?;
            let atomic_dir = manager.atomic_dir(&own, POLICIES)?;
            let beside = format!("{file}.toml");
            let removed = atomic_dir.remove(&beside).map(|_| writer);
            removed.map_err(|error| ManageError::from_io(&atomic_dir.path(&beside), &error))
        });
        let _writer = removed.await?;
        self.settled(scope, &name, None, false, true).await
    }

    /// Waits until what was written is active. The policy may still be to come.
    async fn settled(
        &self,
        scope: Scope,
        name: &PolicyName,
        tag: Option<String>,
        is_new: bool,
        is_changed: bool,
    ) -> Result<ConfigChange, ManageError> {
        if is_changed {
            self.0.watch.look(scope.clone()).await;
        }
        if let Some(why) = self.issue(&scope, "policy", name.as_str()) {
            return Err(ManageError::NotInForce(why));
        }
        let active = self.member(&scope, name)?.is_some();
        Ok(ConfigChange { tag, is_new, active, generation: self.0.live.load().generation.0 })
    }

    /// The tag of what was written, whether there was nothing before, and whether it is anything else.
    fn edit_and_write(
        &self,
        scope: &Scope,
        name: &PolicyName,
        precondition: &Precondition,
        edit: impl FnOnce(Map<String, Value>) -> Result<Map<String, Value>, String>,
    ) -> Result<(String, bool, bool), ManageError> {
        let (quota, root) = (self.quota(scope)?, self.root(scope)?);
        let before = text(&root, name)?;
        precondition.check(&what(name), before.as_deref().map(tag).as_deref())?;
        let old = before.as_deref().unwrap_or_default();
        // What is no TOML can be replaced, and says nothing.
        let wanted = edit(policy_edit::read(old).unwrap_or_default()).map_err(ManageError::Invalid)?;
        let new = policy_edit::rewrite(old, &wanted).map_err(|error| ManageError::Invalid(error.to_string()))?;
        let (path, size) = (root.path(&toml(name)), new.len() as u64);
        if size > MAX_SETTINGS {
            return Err(ManageError::Invalid(format!(
                "{} would be {size} bytes large; at most {MAX_SETTINGS} are read",
                path.display()
            )));
        }
        let file = PolicyFile::read(&path, &new, &quota);
        let file = file.map_err(|problems| ManageError::Invalid(problems.to_string()))?;
        self.check_with_policy(scope, &root, name, &file)?;
        let (tag, is_new) = (tag(&new), before.is_none());
        if before.as_deref() == Some(new.as_str()) {
            return Ok((tag, is_new, false));
        }
        let atomic_dir = self.atomic_dir(scope, POLICIES)?;
        let beside = format!("{name}.toml");
        let put = atomic_dir.put(&beside, |file| file.write_all(new.as_bytes()));
        put.map_err(|error| ManageError::from_io(&atomic_dir.path(&beside), &error))?;
        Ok((tag, is_new, true))
    }

    /// Whether the policy, where it is there, could be loaded with this file beside it.
    fn check_with_policy(
        &self,
        scope: &Scope,
        root: &Root,
        name: &PolicyName,
        file: &PolicyFile,
    ) -> Result<(), ManageError> {
        let path = wasm(name);
        if !root.has(&path) {
            return Ok(());
        }
        let limit = self.quota(scope)?.policy_bytes;
        let read = root.read(&path, limit).map_err(|error| error.to_string());
        let checked = read.and_then(|(_, bytes)| self.check(scope, &bytes, file).map_err(|error| error.to_string()));
        let wrong = |error| ManageError::Invalid(format!("with this, the policy could not be loaded: {error}"));
        checked.map(drop).map_err(wrong)
    }
}

fn wasm(name: &PolicyName) -> String {
    format!("{POLICIES}/{name}.wasm")
}

fn toml(name: &PolicyName) -> String {
    format!("{POLICIES}/{name}.toml")
}

fn what(name: &PolicyName) -> String {
    format!("the configuration of the policy `{name}`")
}

fn no_config(name: &PolicyName) -> ManageError {
    ManageError::NotFound { what: "configuration of the policy", name: name.to_string() }
}

fn tag(text: &str) -> String {
    portcullis_engine::digest(text.as_bytes()).to_string()
}

/// None where there is no file.
fn text(root: &Root, name: &PolicyName) -> Result<Option<String>, ManageError> {
    let path = toml(name);
    if !root.has(&path) {
        return Ok(None);
    }
    let failed = |problem: String| ManageError::Failed(format!("{}: {problem}", root.path(&path).display()));
    let (_, bytes) = root.read(&path, MAX_SETTINGS).map_err(|error| failed(error.to_string()))?;
    String::from_utf8(bytes).map(Some).map_err(|_| failed("is not UTF-8 text".into()))
}

fn effective(file: &PolicyFile) -> Map<String, Value> {
    let PolicyFile { mode, grants, limits, settings, message, help, remark: _ } = file;
    let mode = match mode {
        Mode::Enforce => "enforce",
        Mode::Observe => "observe",
    };
    // What the host wrote is JSON.
    let settings = serde_json::from_str(&settings.root().to_json()).unwrap_or_else(|_| json!({}));
    let remarks = [("message", message), ("help", help)];
    let remarks = remarks.into_iter().filter_map(|(key, text)| Some((key.to_owned(), text.clone()?.into())));
    let says = [
        ("mode".to_owned(), mode.into()),
        ("grants".to_owned(), grants.iter().map(Grant::name).collect()),
        ("limits".to_owned(), limits_json(limits)),
        ("settings".to_owned(), settings),
    ];
    says.into_iter().chain(remarks).collect()
}

/// Spelled so that the file could say it.
fn limits_json(limits: &Limits) -> Value {
    let Limits { deadline, memory, table_elements, log_lines, instructions, state } = limits;
    let mut says = json!({
        "deadline": format!("{}ms", deadline.as_millis()),
        "memory": memory,
        "table_elements": table_elements,
        "log_lines": log_lines,
        "state_keys": state.keys,
        "state_bytes": state.bytes,
    });
    if let (Some(instructions), Some(says)) = (instructions, says.as_object_mut()) {
        says.insert("instructions".to_owned(), (*instructions).into());
    }
    says
}
