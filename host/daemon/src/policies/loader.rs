//! From the folder's files to the next set. What did not change is kept as it is; what is broken keeps its last good
//! one.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use portcullis_engine::{Order, Owner, Policy, Sandbox, When};
use portcullis_model::decision::DefaultVerdict;
use portcullis_model::{Data, Document, Generation, PolicyName};
use tokio::runtime::Handle;
use tracing::{error, info, warn};

use crate::config::{DATA, POLICIES, PolicyFile};
use crate::document;
use crate::policies::set::{Member, PolicySet};
use crate::policies::source::{self, Fingerprint, ReadError};
use crate::state::Spaces;

/// A folder that changes each time it is read is read this often before what was read is taken as it is: somebody who
/// changes files all the time must not keep everything else from coming into force.
const HOLD_BACK: u32 = 100;

/// What loading needs of the rest of the host.
#[derive(Debug)]
pub struct LoaderContext {
    pub dir: PathBuf,
    pub default: DefaultVerdict,
    pub sandbox: Sandbox,
    pub state: Spaces,
    /// Probing a policy runs it.
    pub runtime: Handle,
}

/// Remembers what was read, so that a rescan costs only what changed.
#[derive(Debug)]
pub struct Loader {
    context: LoaderContext,
    generation: Generation,
    policies: BTreeMap<String, Slot<Arc<Member>>>,
    data: BTreeMap<String, Slot<Arc<Document>>>,
    /// Whether what was read differs from the set in force.
    changed: bool,
    /// How often in a row the folder changed while it was read.
    held_back: u32,
    /// Folders that could not be read when last looked at.
    unreadable: BTreeSet<&'static str>,
}

/// What is known of one policy, or one document.
#[derive(Debug)]
struct Slot<T> {
    /// Of the file, and of the one beside it where there can be one.
    seen: (Option<Fingerprint>, Option<Fingerprint>),
    /// The last good one.
    good: Option<T>,
    /// Why what lies there now is not in force.
    problem: Option<Arc<str>>,
}

/// What a look at one file came to.
enum Look<T> {
    Unchanged,
    /// Somebody is writing it.
    Later,
    Loaded(T),
    Broken(String),
}

/// What a rescan came to.
#[derive(Debug)]
pub struct Rescan {
    /// None where nothing changed, or where it is still changing.
    pub set: Option<PolicySet>,
    /// Whether the folder is to be looked at again soon: a file was being written, or changed while it was read.
    pub unsettled: bool,
}

// === impl Loader ===

impl Loader {
    pub fn new(context: LoaderContext) -> Self {
        let (policies, data) = (BTreeMap::new(), BTreeMap::new());
        // The first set is one, however empty.
        Self {
            context,
            generation: Generation::default(),
            policies,
            data,
            changed: true,
            held_back: 0,
            unreadable: BTreeSet::new(),
        }
    }

    /// Looks at the folder. `writing` says whether somebody is in the middle of writing a path.
    ///
    /// What changes while it is read is to be read again before there is a set, so that a set never mixes what lay there at two times: files that
    /// are replaced together by one symlink come into force together.
    pub fn rescan(&mut self, writing: &dyn Fn(&Path) -> bool) -> Rescan {
        let (policies, policies_unsettled) = self.rescan_policies(writing);
        let (data, data_unsettled) = self.rescan_data(writing);
        self.changed |= policies || data;
        if !self.is_as_seen() && self.held_back < HOLD_BACK {
            self.held_back += 1;
            return Rescan { set: None, unsettled: true };
        }
        self.held_back = 0;
        let changed = std::mem::take(&mut self.changed);
        if changed {
            self.generation = self.generation.next();
        }
        Rescan { set: changed.then(|| self.set()), unsettled: policies_unsettled || data_unsettled }
    }

    /// Whether every file is still the one that was read.
    fn is_as_seen(&self) -> bool {
        if !self.unreadable.is_empty() {
            return true;
        }
        let policies = self.context.dir.join(POLICIES);
        let data = self.context.dir.join(DATA);
        let at = |folder: &Path, name: &str, extension| Fingerprint::at(&folder.join(format!("{name}.{extension}")));
        self.policies.iter().all(|(name, slot)| slot.seen == (at(&policies, name, "wasm"), at(&policies, name, "toml")))
            && self.data.iter().all(|(name, slot)| slot.seen == (at(&data, name, "json"), None))
    }

    /// Reads the folder for the first time.
    pub fn first_set(&mut self) -> PolicySet {
        loop {
            if let Some(set) = self.rescan(&|_| false).set {
                return set;
            }
        }
    }

    /// Forgets what was broken, so that the next rescan tries it again though it did not change.
    pub fn retry(&mut self) {
        for slot in self.policies.values_mut() {
            slot.seen = slot.problem.as_ref().map_or(slot.seen, |_| (None, None));
        }
        for slot in self.data.values_mut() {
            slot.seen = slot.problem.as_ref().map_or(slot.seen, |_| (None, None));
        }
    }

    /// What lies in the folder and is not in force, with the reason.
    pub fn problems(&self) -> impl Iterator<Item = (&str, &str)> {
        let of_policies = self.policies.iter().map(|(name, slot)| (name, &slot.problem));
        let of_data = self.data.iter().map(|(name, slot)| (name, &slot.problem));
        of_policies.chain(of_data).filter_map(|(name, problem)| Some((name.as_str(), problem.as_deref()?)))
    }

    fn set(&self) -> PolicySet {
        PolicySet {
            generation: self.generation,
            policies: self.policies.iter().filter_map(|(name, slot)| self.member(name, slot)).collect(),
            data: self.documents(),
            default: self.context.default,
        }
    }

    /// The last good policy; or, where there never was one, one that denies with the reason.
    fn member(&self, name: &str, slot: &Slot<Arc<Member>>) -> Option<Arc<Member>> {
        if let Some(good) = &slot.good {
            return Some(Arc::clone(good));
        }
        let policy = Err(Arc::clone(slot.problem.as_ref()?));
        let name = PolicyName::new(name).or_else(|_| PolicyName::new("unnamed")).ok()?;
        Some(Arc::new(Member { name, digest: None, file: PolicyFile::default(), state: None, policy }))
    }

    fn documents(&self) -> Result<Arc<Data>, Arc<str>> {
        let mut documents = Vec::new();
        for (name, slot) in &self.data {
            match (&slot.good, &slot.problem) {
                (Some(good), _) => documents.push((name.clone(), Arc::clone(good))),
                (None, Some(problem)) => return Err(Arc::clone(problem)),
                (None, None) => {}
            }
        }
        Ok(Arc::new(Data::new(documents)))
    }

    /// What was loaded stays; that is said once.
    fn unreadable(&mut self, folder: &'static str, problem: &std::io::Error) -> (bool, bool) {
        if self.unreadable.insert(folder) {
            error!(%problem, folder, "folder cannot be read; what was loaded stays");
        }
        (false, false)
    }

    fn rescan_policies(&mut self, writing: &dyn Fn(&Path) -> bool) -> (bool, bool) {
        let files = match source::list(&self.context.dir.join(POLICIES), "wasm") {
            Ok(files) => files,
            Err(problem) => return self.unreadable(POLICIES, &problem),
        };
        self.unreadable.remove(POLICIES);
        let (mut changed, mut unsettled) = (forget(&mut self.policies, &files, "policy"), false);
        for (name, path) in &files {
            let slot = self.policies.get(name);
            let settings = path.with_extension("toml");
            let seen = (Fingerprint::at(path), Fingerprint::at(&settings));
            let look = match slot {
                Some(slot) if slot.seen == seen => Look::Unchanged,
                _ if writing(path) || writing(&settings) => Look::Later,
                _ => self.load_policy(name, path, &settings, slot.and_then(|slot| slot.good.as_deref())),
            };
            let (file_changed, later) = settle(&mut self.policies, name, seen, look, "policy");
            (changed, unsettled) = (changed || file_changed, unsettled || later);
        }
        (changed, unsettled)
    }

    fn rescan_data(&mut self, writing: &dyn Fn(&Path) -> bool) -> (bool, bool) {
        let files = match source::list(&self.context.dir.join(DATA), "json") {
            Ok(files) => files,
            Err(problem) => return self.unreadable(DATA, &problem),
        };
        self.unreadable.remove(DATA);
        let (mut changed, mut unsettled) = (forget(&mut self.data, &files, "data"), false);
        for (name, path) in &files {
            let seen = (Fingerprint::at(path), None);
            let look = match self.data.get(name) {
                Some(slot) if slot.seen == seen => Look::Unchanged,
                _ if writing(path) => Look::Later,
                _ => load_document(path),
            };
            let (file_changed, later) = settle(&mut self.data, name, seen, look, "data");
            (changed, unsettled) = (changed || file_changed, unsettled || later);
        }
        (changed, unsettled)
    }

    fn load_policy(&self, name: &str, path: &Path, settings: &Path, last: Option<&Member>) -> Look<Arc<Member>> {
        match self.try_load_policy(name, path, settings, last) {
            Ok(member) => Look::Loaded(Arc::new(member)),
            Err(Failure::Later) => Look::Later,
            Err(Failure::Broken(problem)) => Look::Broken(problem),
        }
    }

    fn try_load_policy(
        &self,
        name: &str,
        path: &Path,
        settings: &Path,
        last: Option<&Member>,
    ) -> Result<Member, Failure> {
        let broken = |problem: String| Failure::Broken(format!("{}: {problem}", path.display()));
        let name = PolicyName::new(name).map_err(|error| broken(error.to_string()))?;
        let file = policy_file(settings)?;
        let (_, bytes) = source::read(path).map_err(|error| Failure::from_read(path, &error))?;
        let policy = match reusable(last, &bytes, &file) {
            Some(policy) => policy,
            None => {
                let order = Order {
                    bytes: &bytes,
                    owner: Owner::Host,
                    when: When::Swap,
                    metered: file.limits.instructions.is_some(),
                };
                let compiled = self.context.sandbox.compile(&order);
                let linked = compiled.and_then(|compiled| compiled.link(file.grants));
                linked.map_err(|error| broken(error.to_string()))?
            }
        };
        self.context.runtime.block_on(policy.probe(&file.limits)).map_err(|error| broken(error.to_string()))?;
        let state = file.grants.state.then(|| self.context.state.of(&name, file.limits.state));
        Ok(Member { name, digest: Some(policy.digest()), file, state, policy: Ok(policy) })
    }
}

/// Why a policy was not loaded.
enum Failure {
    Later,
    Broken(String),
}

impl Failure {
    fn from_read(path: &Path, error: &ReadError) -> Self {
        match error {
            ReadError::Changing => Self::Later,
            // Deleted since the folder was listed, unless it is a symlink that leads nowhere.
            ReadError::Io(error) if error.kind() == ErrorKind::NotFound && path.symlink_metadata().is_err() => {
                Self::Later
            }
            ReadError::Io(_) | ReadError::NotAFile | ReadError::TooLarge => {
                Self::Broken(format!("{}: {error}", path.display()))
            }
        }
    }
}

/// The policy that is already compiled, where only what lies beside it changed.
fn reusable(last: Option<&Member>, bytes: &[u8], file: &PolicyFile) -> Option<Policy> {
    let last = last.filter(|last| last.file.grants == file.grants)?;
    let policy = last.policy.as_ref().ok()?;
    if policy.compiled().is_metered() != file.limits.instructions.is_some() {
        return None;
    }
    (policy.digest() == portcullis_engine::digest(bytes)).then(|| policy.clone())
}

fn policy_file(path: &Path) -> Result<PolicyFile, Failure> {
    if path.symlink_metadata().is_err_and(|error| error.kind() == ErrorKind::NotFound) {
        return Ok(PolicyFile::default());
    }
    PolicyFile::read(path, &read_text(path)?).map_err(|problems| Failure::Broken(problems.to_string()))
}

fn load_document(path: &Path) -> Look<Arc<Document>> {
    match try_load_document(path) {
        Ok(document) => Look::Loaded(Arc::new(document)),
        Err(Failure::Later) => Look::Later,
        Err(Failure::Broken(problem)) => Look::Broken(problem),
    }
}

fn try_load_document(path: &Path) -> Result<Document, Failure> {
    let text = read_text(path)?;
    document::from_json(&text).map_err(|problem| Failure::Broken(format!("{}: {problem}", path.display())))
}

fn read_text(path: &Path) -> Result<String, Failure> {
    let (_, bytes) = source::read(path).map_err(|error| Failure::from_read(path, &error))?;
    String::from_utf8(bytes).map_err(|_| Failure::Broken(format!("{}: is not UTF-8 text", path.display())))
}

/// Drops what is no longer there.
fn forget<T>(slots: &mut BTreeMap<String, Slot<T>>, files: &BTreeMap<String, PathBuf>, what: &str) -> bool {
    let gone: BTreeSet<_> = slots.keys().filter(|name| !files.contains_key(*name)).cloned().collect();
    for name in &gone {
        slots.remove(name);
        warn!(name, "{what} removed: its file was deleted");
    }
    !gone.is_empty()
}

/// Puts what was seen into its slot. Says whether the set changes, and whether to look again.
fn settle<T>(
    slots: &mut BTreeMap<String, Slot<T>>,
    name: &str,
    seen: (Option<Fingerprint>, Option<Fingerprint>),
    look: Look<T>,
    what: &str,
) -> (bool, bool) {
    match look {
        Look::Unchanged => (false, false),
        Look::Later => (false, true),
        Look::Loaded(good) => {
            info!(name, "{what} loaded");
            slots.insert(name.to_owned(), Slot { seen, good: Some(good), problem: None });
            (true, false)
        }
        Look::Broken(problem) => {
            let good = slots.remove(name).and_then(|slot| slot.good);
            let kept = good.is_some();
            let outcome = if kept { "the last good one stays" } else { "calls are denied until it is mended" };
            error!(name, %problem, "{what} cannot be loaded; {outcome}");
            slots.insert(name.to_owned(), Slot { seen, good, problem: Some(problem.into()) });
            (!kept, false)
        }
    }
}
