//! Policies: put, removed, read.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use portcullis_config::fs::Root;
use portcullis_config::{POLICIES, PolicyFile};
use portcullis_engine::{CompileRequest, Compiled, Owner, When};
use portcullis_model::{Digest, PolicyName};
use portcullis_policies::{MAX_SETTINGS, Member};

use crate::manage::{ManageError, Manager, Scope, blocking, blocking_for};

/// How long a policy may take to be compiled and written.
pub(super) const COMPILED_AND_WRITTEN: Duration = Duration::from_secs(600);

/// What the caller takes to be there. By HTTP: `If-Match` and `If-None-Match`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Precondition {
    #[default]
    Anything,
    Nothing,
    Something,
    /// One of these, by their tags.
    Tags(Vec<String>),
}

/// What a change came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyChange {
    pub digest: Digest,
    pub is_new: bool,
    /// The generation in which it is active.
    pub generation: u64,
}

// === impl Manager ===

impl Manager {
    /// Puts a policy into a folder: checked, compiled and probed first, then written, and active when this is ready.
    pub async fn put_policy(
        &self,
        scope: Scope,
        name: PolicyName,
        bytes: Bytes,
        precondition: &Precondition,
    ) -> Result<PolicyChange, ManageError> {
        let writer = self.lock(&scope).await?;
        let before = self.member(&scope, &name)?;
        precondition.check(&format!("policy `{name}`"), before.as_deref().map(tag).as_deref())?;
        let all = bytes.clone();
        let digest = blocking(move || Ok(portcullis_engine::digest(&all))).await?;
        if before.as_ref().is_some_and(|member| member.digest == Some(digest))
            && self.issue(&scope, "policy", name.as_str()).is_none()
            && self.lies_there(&scope, &name, &bytes).await?
        {
            let generation = self.0.live.load().generation.0;
            return Ok(PolicyChange { digest, is_new: false, generation });
        }
        let (manager, own, file) = (self.clone(), scope.clone(), name.clone());
        // What was compiled lives until it is active, so that it is compiled once.
        let written = blocking_for(COMPILED_AND_WRITTEN, move || {
            let compiled = manager.check_and_write(&own, &file, &bytes)?;
            Ok((compiled, writer))
        });
        let (_compiled, _writer) = written.await?;
        self.0.watch.look(scope.clone()).await;
        let active = self.member(&scope, &name)?;
        let why = self.issue(&scope, "policy", name.as_str());
        if why.is_some() || active.is_none_or(|member| member.digest != Some(digest)) {
            return Err(ManageError::NotInForce(why.unwrap_or_else(|| "somebody else replaced it".into())));
        }
        Ok(PolicyChange { digest, is_new: before.is_none(), generation: self.0.live.load().generation.0 })
    }

    /// Removes a policy; what lies beside it goes, too.
    pub async fn remove_policy(
        &self,
        scope: Scope,
        name: PolicyName,
        precondition: &Precondition,
    ) -> Result<(), ManageError> {
        let writer = self.lock(&scope).await?;
        let before = self.member(&scope, &name)?.ok_or_else(|| no_policy(&name))?;
        precondition.check(&format!("policy `{name}`"), Some(&tag(&before)))?;
        let (manager, own, file) = (self.clone(), scope.clone(), name.clone());
        let _writer = blocking(move || {
            let atomic_dir = manager.atomic_dir(&own, POLICIES)?;
            for file in [format!("{file}.wasm"), format!("{file}.toml")] {
                atomic_dir.remove(&file).map_err(|error| ManageError::from_io(&atomic_dir.path(&file), &error))?;
            }
            Ok(writer)
        })
        .await?;
        self.0.watch.look(scope).await;
        Ok(())
    }

    /// A policy's file.
    pub async fn policy_bytes(&self, scope: Scope, name: PolicyName) -> Result<Vec<u8>, ManageError> {
        self.member(&scope, &name)?.ok_or_else(|| no_policy(&name))?;
        let manager = self.clone();
        blocking(move || {
            let (root, path) = (manager.root(&scope)?, format!("{POLICIES}/{name}.wasm"));
            let limit = manager.quota(&scope)?.policy_bytes;
            let read = root.read(&path, limit).map(|(_, bytes)| bytes);
            read.map_err(|error| ManageError::Failed(format!("{}: {error}", root.path(&path).display())))
        })
        .await
    }

    /// Whether a policy's file still is what was loaded: somebody may have replaced it.
    async fn lies_there(&self, scope: &Scope, name: &PolicyName, bytes: &Bytes) -> Result<bool, ManageError> {
        let (manager, scope, bytes) = (self.clone(), scope.clone(), bytes.clone());
        let path = format!("{POLICIES}/{name}.wasm");
        blocking(move || {
            let read = manager.root(&scope)?.read(&path, bytes.len() as u64);
            Ok(read.is_ok_and(|(_, there)| there == bytes))
        })
        .await
    }

    /// The policies of a folder that are active, or broken.
    pub fn members(&self, scope: &Scope) -> Result<Vec<Arc<Member>>, ManageError> {
        Ok(self.layer(scope)?.members)
    }

    /// A policy of a folder that is active, or broken.
    pub fn member(&self, scope: &Scope, name: &PolicyName) -> Result<Option<Arc<Member>>, ManageError> {
        Ok(self.layer(scope)?.members.into_iter().find(|member| member.name == *name))
    }

    fn check_and_write(&self, scope: &Scope, name: &PolicyName, bytes: &[u8]) -> Result<Arc<Compiled>, ManageError> {
        let quota = self.quota(scope)?;
        let (size, most) = (bytes.len() as u64, quota.policy_bytes);
        if size > most {
            return Err(ManageError::Invalid(format!("the policy is {size} bytes large; at most {most} are taken")));
        }
        let root = self.root(scope)?;
        let beside = format!("{POLICIES}/{name}.toml");
        let file = settings(&root, &beside, &quota)?;
        let compiled = self.check(scope, bytes, &file)?;
        let atomic_dir = self.atomic_dir(scope, POLICIES)?;
        let file = format!("{name}.wasm");
        let put = atomic_dir.put(&file, |file| file.write_all(bytes));
        put.map_err(|error| ManageError::from_io(&atomic_dir.path(&file), &error))?;
        Ok(compiled)
    }

    /// Whether a policy could be loaded with this file beside it. What was compiled lives as long as the answer is held.
    pub(super) fn check(&self, scope: &Scope, bytes: &[u8], file: &PolicyFile) -> Result<Arc<Compiled>, ManageError> {
        let owner = scope.clone().map_or(Owner::Host, Owner::Tenant);
        let metered = file.limits.instructions.is_some();
        let invalid = |error: portcullis_engine::LoadError| ManageError::Invalid(error.to_string());
        let context = &self.0.context;
        let compiled =
            context.sandbox.compile(&CompileRequest { bytes, owner, when: When::Swap, metered }).map_err(invalid)?;
        let policy = compiled.link(file.grants).map_err(invalid)?;
        context.runtime.block_on(policy.probe(&file.settings, &file.limits)).map_err(invalid)?;
        Ok(compiled)
    }
}

/// What `If-Match` is compared with: the digest, or a word where there is none.
fn tag(member: &Member) -> String {
    member.digest.map_or_else(|| "broken".to_owned(), |digest| digest.to_string())
}

/// What lies beside a policy that is to be put.
fn settings(root: &Root, path: &str, quota: &portcullis_config::Quota) -> Result<PolicyFile, ManageError> {
    if !root.has(path) {
        return Ok(PolicyFile::with_quota(quota));
    }
    let place = root.path(path);
    let wrong = |problem: String| ManageError::Invalid(format!("{}: {problem}", place.display()));
    let (_, bytes) = root.read(path, MAX_SETTINGS).map_err(|error| wrong(error.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|_| wrong("is not UTF-8 text".into()))?;
    PolicyFile::read(&place, &text, quota).map_err(|problems| ManageError::Invalid(problems.to_string()))
}

pub(super) fn no_policy(name: &PolicyName) -> ManageError {
    ManageError::NotFound { what: "policy", name: name.to_string() }
}

// === impl Precondition ===

impl Precondition {
    pub fn check(&self, what: &str, tag: Option<&str>) -> Result<(), ManageError> {
        let holds = match self {
            Self::Anything => true,
            Self::Nothing => tag.is_none(),
            Self::Something => tag.is_some(),
            Self::Tags(tags) => tag.is_some_and(|tag| tags.iter().any(|wanted| wanted == tag)),
        };
        if holds {
            return Ok(());
        }
        let is = tag.map_or_else(|| "not there".to_owned(), |tag| format!("`{tag}`"));
        Err(ManageError::Precondition { what: what.to_owned(), is })
    }
}
