//! One folder's policies and data: the host's own, or a tenant's.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use portcullis_config::fs::{Containment, Fingerprint, Pulse, Root};
use portcullis_config::{DATA, POLICIES, PolicyFile, Problems, Quota, document};
use portcullis_document::Document;
use portcullis_engine::{CompileRequest, LoadError, Owner, Policy, Sandbox, When};
use portcullis_model::{Data, Digest, PolicyName, TenantName};
use portcullis_telemetry::metrics::{Swaps, VerdictCounts};
use rustix::io::Errno;
use tokio::runtime::Handle;
use tracing::error;

use crate::file_set::{Active, Broken, Changes, Failure, FileEntry, FileSet, Kind};
use crate::issue::{Effect, LoadIssue};
use crate::remarks::{DOCUMENTS, Remarks, Whose};
use crate::write_back::{WriteBackCache, Written};

const POLICY: Kind =
    Kind { what: "policy", whats: "policies", folder: POLICIES, extensions: &["wasm"], beside: Some("toml") };
const DOCUMENT: Kind = Kind { what: "data", whats: "documents", folder: DATA, extensions: &DOCUMENTS, beside: None };

/// A policy's settings are read up to this size.
pub const MAX_SETTINGS: u64 = 16 << 20;
/// A folder that changes each time it is read is read this often before what was read is taken as it is: somebody who
/// changes files all the time must not keep everything else from becoming active.
const HOLD_BACK: u32 = 100;
/// How soon a folder is read again that changed when it was to be read for the first time.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// What is active of one folder.
#[derive(Clone, Debug)]
pub struct Layer {
    /// In the order in which they are asked: by name.
    pub members: Vec<Arc<Member>>,
    /// Or why there is none: then no policy can be asked.
    pub data: Result<Arc<Data>, Arc<str>>,
    /// The documents that are active, each with its file, whether or not others are broken.
    pub documents: Arc<BTreeMap<String, Kept>>,
    /// Whether the folder was never read yet.
    pub is_unread: bool,
}

/// A document, and the file of which it was read.
#[derive(Clone, Debug)]
pub struct Kept {
    pub document: Arc<Document>,
    pub file: Fingerprint,
}

/// One policy.
#[derive(Debug)]
pub struct Member {
    pub name: PolicyName,
    /// None where the file could not be read.
    pub digest: Option<Digest>,
    pub file: PolicyFile,
    /// Or why it cannot be asked: it then denies.
    pub policy: Result<Policy, Arc<str>>,
    /// How often it would have denied, and did not count.
    pub would_deny: AtomicU64,
    /// What it said since it was loaded.
    pub said: VerdictCounts,
}

/// What loading policies needs of the rest of the host. Cheap to clone.
#[derive(Clone, Debug)]
pub struct LoadContext {
    pub sandbox: Sandbox,
    /// Probing a policy runs it.
    pub runtime: Handle,
    /// Documents that need not be read.
    pub write_back: WriteBackCache,
    /// What became of what was loaded.
    pub swaps: Arc<Swaps>,
}

/// Reads one folder. Remembers what was read, so that a rescan costs only what changed.
#[derive(Debug)]
pub(crate) struct LayerLoader {
    path: PathBuf,
    /// None is the host's own.
    tenant: Option<TenantName>,
    context: LoadContext,
    policies: FileSet<Arc<Member>>,
    data: FileSet<Kept>,
    quota: Quota,
    when: When,
    /// Whether what was read differs from the layer that was given last.
    changed: bool,
    /// How often in a row the folder changed while it was read.
    held_back: u32,
    /// Nothing was read yet.
    first: bool,
    /// Whether it ever could be read.
    has_layer: bool,
    /// Why the folder itself could not be opened when last looked at.
    problem: Option<Broken>,
    remarks: Remarks,
    pulse: Pulse,
}

/// What a rescan came to.
#[derive(Debug)]
pub(crate) struct Rescan {
    /// None where nothing changed, or where it is still changing.
    pub(crate) layer: Option<Layer>,
    /// Whether the folder is to be looked at again soon: a file was being written, or changed while it was read.
    pub(crate) unsettled: bool,
}

// === impl Layer ===

impl Layer {
    /// Of a folder that is still to be read.
    pub fn unread() -> Self {
        Self { is_unread: true, ..Self::without("its folder is still being read".into()) }
    }

    /// Of a folder of which nothing is known.
    fn without(problem: Arc<str>) -> Self {
        Self { members: Vec::new(), data: Err(problem), documents: Arc::default(), is_unread: false }
    }
}

// === impl LayerLoader ===

impl LayerLoader {
    pub(crate) fn new(
        path: PathBuf,
        tenant: Option<TenantName>,
        quota: Quota,
        context: LoadContext,
        when: When,
    ) -> Self {
        let label: Option<Arc<str>> = tenant.as_ref().map(|tenant| tenant.as_str().into());
        Self {
            path,
            tenant,
            context,
            policies: FileSet::new(POLICY, label.clone()),
            data: FileSet::new(DOCUMENT, label),
            quota,
            when,
            // The first layer is one, however empty.
            changed: true,
            held_back: 0,
            first: true,
            has_layer: false,
            problem: None,
            remarks: Remarks::default(),
            pulse: Pulse::default(),
        }
    }

    /// Says for how long the folder's file system has not answered while it is read.
    pub(crate) fn pulse(&self) -> &Pulse {
        &self.pulse
    }

    /// Ends the start: from now on somebody may watch how long loading takes.
    pub(crate) fn started(&mut self) {
        self.when = When::Swap;
    }

    /// What its policies may ask for from now on.
    pub(crate) fn set_quota(&mut self, quota: Quota) {
        if self.quota != quota {
            self.quota = quota;
            self.policies.reload();
            self.data.reload();
        }
    }

    /// Looks at the folder. `writing` says whether somebody is in the middle of writing a path.
    ///
    /// What changes while it is read is to be read again before there is a layer, so that a layer never mixes what lay there at two times: files
    /// that are replaced together by one symlink become active together.
    pub(crate) fn rescan(&mut self, writing: &dyn Fn(&Path) -> bool) -> Rescan {
        let root = match Root::open_watched(&self.path, self.containment(), self.pulse.clone()) {
            Ok(root) => root,
            // The built-in tenant needs no folder.
            Err(error) if error.kind() == ErrorKind::NotFound && self.is_built_in() => Root::absent(&self.path),
            Err(error) => return self.unreadable(&self.path.clone(), &error),
        };
        // Nobody takes every policy away by removing the folder; a deployment may, for a moment.
        if self.tenant.is_none() && !self.first && root.fingerprint(POLICIES).is_none() {
            return self.unreadable(&root.path(POLICIES), &Errno::NOENT.into());
        }
        self.problem = None;
        let changes = self.read(&root, writing);
        self.changed |= changes.changed;
        let whose = if self.tenant.is_some() { Whose::Tenant } else { Whose::Host };
        self.remarks.look(&root, whose, self.policies.files().chain(self.data.files()));
        let is_as_seen = root.is_in_place() && self.policies.is_as_seen(&root) && self.data.is_as_seen(&root);
        // A first layer without what is just being written would ask too little.
        let is_partial = self.first && changes.unsettled;
        if is_partial || !is_as_seen && self.held_back < HOLD_BACK {
            self.held_back += 1;
            return Rescan { layer: None, unsettled: true };
        }
        self.held_back = 0;
        (self.first, self.has_layer) = (false, true);
        let changed = std::mem::take(&mut self.changed);
        Rescan { layer: changed.then(|| self.layer()), unsettled: changes.unsettled }
    }

    /// Reads the folder for the first time, however often it changes meanwhile.
    pub(crate) fn first_layer(&mut self) -> Layer {
        loop {
            if let Some(layer) = self.rescan(&|_| false).layer {
                return layer;
            }
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    /// Forgets what was broken, so that the next rescan tries it again though it did not change.
    pub(crate) fn retry(&mut self) {
        self.policies.retry();
        self.data.retry();
    }

    pub(crate) fn issues(&self) -> impl Iterator<Item = LoadIssue> {
        let issue = |what| {
            move |(name, broken, stays): (&str, &Broken, bool)| {
                LoadIssue::of(what, name, broken, if stays { Effect::LastGoodStays } else { Effect::Denies })
            }
        };
        let of_policies = self.policies.problems().map(issue(POLICY.what));
        let of_folder = self.problem.iter().map(|broken| ("", broken, self.has_layer)).map(issue("folder"));
        let inactive = of_folder.chain(of_policies).chain(self.data.problems().map(issue(DOCUMENT.what)));
        inactive.chain(self.remarks.all().cloned())
    }

    fn is_built_in(&self) -> bool {
        self.tenant.as_ref().is_some_and(TenantName::is_default)
    }

    fn containment(&self) -> Containment {
        if self.tenant.is_some() { Containment::Beneath } else { Containment::Open }
    }

    /// What was loaded stays; that is said once. A folder that never could be read has nothing to stay: its callers are denied.
    fn unreadable(&mut self, path: &Path, error: &std::io::Error) -> Rescan {
        let broken = Broken::new(Problems::one(path, format!("the folder cannot be opened: {error}"), ""));
        let text = Arc::clone(&broken.text);
        if self.problem.as_ref() != Some(&broken) {
            let tenant = self.tenant.as_ref().map(TenantName::as_str);
            let outcome = if self.has_layer { "what was loaded stays" } else { "calls are denied until it can" };
            error!(tenant, problem = &*text, "folder cannot be read; {outcome}");
            self.problem = Some(broken);
        }
        let layer = std::mem::take(&mut self.first).then(|| Layer::without(text));
        Rescan { layer, unsettled: false }
    }

    fn read(&mut self, root: &Root, writing: &dyn Fn(&Path) -> bool) -> Changes {
        let Self { policies, data, quota, context, tenant, when, .. } = self;
        let loader = Loader { root, quota, context, tenant: tenant.as_ref(), when: *when };
        let mut changes = policies.rescan(root, writing, quota.policies, |place, last| {
            loader.policy(place, last.map(AsRef::as_ref)).map(Arc::new)
        });
        context.swaps.policies.add(changes.loaded, changes.failed);
        let mut sizes: BTreeMap<String, u64> =
            data.good().map(|(name, kept)| (name.to_owned(), kept.file.size())).collect();
        let of_data = data.rescan(root, writing, usize::MAX, |place, _| {
            let others = sizes.iter().filter(|(name, _)| *name != place.name).map(|(_, bytes)| bytes).sum();
            let kept = loader.document(place, others)?;
            sizes.insert(place.name.to_owned(), kept.file.size());
            Ok(kept)
        });
        context.swaps.data.add(of_data.loaded, of_data.failed);
        changes |= of_data;
        changes
    }

    /// Where it is not known which policies there are, one that always faults stands for all.
    fn layer(&self) -> Layer {
        let unknown = self.policies.unknown().and_then(|problem| Member::broken(POLICY.whats, problem));
        let members = self.policies.active().filter_map(|(name, active)| match active {
            Active::Good(member) => Some(Arc::clone(member)),
            Active::Broken(problem) => Member::broken(name, problem),
        });
        let kept = self.data.good().map(|(name, kept)| (name.to_owned(), kept.clone()));
        Layer {
            members: members.chain(unknown).collect(),
            data: self.documents(),
            documents: Arc::new(kept.collect()),
            is_unread: false,
        }
    }

    fn documents(&self) -> Result<Arc<Data>, Arc<str>> {
        if let Some(problem) = self.data.unknown() {
            return Err(Arc::clone(problem));
        }
        let documents = self.data.active().map(|(name, active)| match active {
            Active::Good(kept) => Ok((name.to_owned(), Arc::clone(&kept.document))),
            Active::Broken(problem) => Err(Arc::clone(problem)),
        });
        Ok(Arc::new(Data::new(documents.collect::<Result<Vec<_>, _>>()?)))
    }
}

// === impl Member ===

impl Member {
    fn broken(name: &str, problem: &Arc<str>) -> Option<Arc<Self>> {
        let name = PolicyName::new(name).or_else(|_| PolicyName::new("unnamed")).ok()?;
        let policy = Err(Arc::clone(problem));
        let (file, would_deny, said) = (PolicyFile::default(), AtomicU64::default(), VerdictCounts::default());
        Some(Arc::new(Self { name, digest: None, file, policy, would_deny, said }))
    }

    /// The policy that is already compiled, where only what lies beside it changed.
    fn reusable(&self, bytes: &[u8], file: &PolicyFile) -> Option<Policy> {
        let policy = self.policy.as_ref().ok()?;
        let is_metered = |file: &PolicyFile| file.limits.instructions.is_some();
        let is_same = self.file.grants == file.grants
            && is_metered(&self.file) == is_metered(file)
            && policy.digest() == portcullis_engine::digest(bytes);
        is_same.then(|| policy.clone())
    }
}

/// What loading one file needs.
struct Loader<'a> {
    root: &'a Root,
    quota: &'a Quota,
    context: &'a LoadContext,
    tenant: Option<&'a TenantName>,
    when: When,
}

impl Loader<'_> {
    fn policy(&self, place: &FileEntry<'_>, last: Option<&Member>) -> Result<Member, Failure> {
        let path = self.root.path(&place.path);
        let broken = |problem: String| Failure::of_file(&path, problem, "");
        let name = PolicyName::new(place.name);
        let name = name.map_err(|error| Failure::of_file(&path, error.to_string(), "rename the file"))?;
        let file = self.policy_file(place.beside.as_deref())?;
        let bytes = self.bytes(&place.path, self.quota.policy_bytes)?;
        let policy = match last.and_then(|last| last.reusable(&bytes, &file)) {
            Some(policy) => policy,
            None => self.compile(&bytes, &file).map_err(broken)?,
        };
        let probed = self.context.runtime.block_on(policy.probe(&file.settings, &file.limits));
        probed.map_err(|error| match (&error, &place.beside) {
            (LoadError::Settings(reason), Some(beside)) if self.root.has(beside) => {
                Failure::of_file(&self.root.path(beside), format!("the policy refuses its `[settings]`: {reason}"), "")
            }
            _ => broken(error.to_string()),
        })?;
        let (digest, would_deny, said) = (Some(policy.digest()), AtomicU64::default(), VerdictCounts::default());
        Ok(Member { name, digest, file, policy: Ok(policy), would_deny, said })
    }

    fn compile(&self, bytes: &[u8], file: &PolicyFile) -> Result<Policy, String> {
        let order = CompileRequest {
            bytes,
            owner: self.tenant.cloned().map_or(Owner::Host, Owner::Tenant),
            when: self.when,
            metered: file.limits.instructions.is_some(),
        };
        let start = Instant::now();
        let compiled = self.context.sandbox.compile(&order);
        self.context.swaps.compile_time.observe(start.elapsed());
        compiled.and_then(|compiled| compiled.link(file.grants)).map_err(|error| error.to_string())
    }

    fn policy_file(&self, path: Option<&str>) -> Result<PolicyFile, Failure> {
        let Some(path) = path.filter(|path| self.root.has(path)) else {
            return Ok(PolicyFile::with_quota(self.quota));
        };
        let text = self.text(path, MAX_SETTINGS)?;
        let file = PolicyFile::read(&self.root.path(path), &text, self.quota);
        file.map_err(Failure::Broken)
    }

    fn document(&self, place: &FileEntry<'_>, others: u64) -> Result<Kept, Failure> {
        let path = self.root.path(&place.path);
        if let Some(twin) = &place.twin {
            let twin = self.root.path(twin);
            let what = format!("is the same document as `{}`", twin.display());
            return Err(Failure::of_file(&path, what, "remove one of them"));
        }
        let most = self.quota.data_bytes;
        let check = |size: u64| {
            if size.saturating_add(others) <= most {
                return Ok(());
            }
            let what = format!("is {size} bytes large, and all documents of a tenant together at most {most}");
            Err(Failure::of_file(&path, what, "remove documents, or raise `[limits] data_bytes` of tenant.toml"))
        };
        if let Some(kept) = self.written_back(place)? {
            check(kept.file.size())?;
            return Ok(kept);
        }
        let (file, text) = self.read(&place.path, most)?;
        check(file.size())?;
        let is_json = Path::new(&place.path).extension().is_some_and(|extension| extension == "json");
        let document = if is_json { document::from_json(text) } else { document::from_yaml(text, most) };
        Ok(Kept { document: Arc::new(document.map_err(|what| not_readable(&path, &what, is_json))?), file })
    }

    /// The document that the host has in memory already, because it wrote the file.
    fn written_back(&self, place: &FileEntry<'_>) -> Result<Option<Kept>, Failure> {
        let file = place.path.rsplit('/').next().unwrap_or_default();
        match self.context.write_back.get(&self.tenant.cloned(), file) {
            Some(Written::Document(document, file)) if self.root.fingerprint(&place.path) == Some(file) => {
                Ok(Some(Kept { document, file }))
            }
            Some(Written::Coming) => Err(Failure::Later),
            Some(Written::Document(..)) | None => Ok(None),
        }
    }

    fn text(&self, path: &str, limit: u64) -> Result<String, Failure> {
        let bytes = self.bytes(path, limit)?;
        let not_text = |_| Failure::of_file(&self.root.path(path), "is not UTF-8 text", "save it as UTF-8");
        String::from_utf8(bytes).map_err(not_text)
    }

    fn bytes(&self, path: &str, limit: u64) -> Result<Vec<u8>, Failure> {
        self.read(path, limit).map(|(_, bytes)| bytes)
    }

    fn read(&self, path: &str, limit: u64) -> Result<(Fingerprint, Vec<u8>), Failure> {
        self.root.read(path, limit).map_err(|error| Failure::from_read(self.root, path, error))
    }
}

/// A document that is not JSON or YAML. Its line, which the reader says first, is told as that of a configuration file is.
fn not_readable(path: &Path, what: &str, is_json: bool) -> Failure {
    let place = what.strip_prefix("line ").and_then(|rest| rest.split_once(", "));
    let (line, what) = match place.and_then(|(line, rest)| Some((line.parse().ok()?, rest))) {
        Some((line, rest)) => (Some(line), rest),
        None => (None, what),
    };
    let help = if is_json { "expected a JSON document" } else { "expected one YAML document" };
    let mut problems = Problems::default();
    problems.add(path, line, what, help);
    Failure::Broken(problems)
}
