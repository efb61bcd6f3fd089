//! The tenants that there are: their folders' names, and who belongs to each.
//!
//! `tenant.toml` is the operator's, though the rest of the folder may be the tenant's: a tenant that could write it could
//! take others' callers.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use portcullis_config::fs::{Containment, Fingerprint, ReadError, Root};
use portcullis_config::{Problems, TENANT_FILE, TenantFile, Vocabulary};
use portcullis_model::TenantName;
use portcullis_model::tenant::{Overlap, Placement};
use portcullis_telemetry::metrics::Swaps;
use tracing::{error, info, warn};

use crate::file_set::Broken;
use crate::issue::{Effect, LoadIssue, LoadIssues};

/// A `tenant.toml` is read up to this size.
const MAX_FILE: u64 = 1 << 20;

/// Every tenant that has a folder, and the one that needs none.
#[derive(Debug)]
pub(crate) struct TenantRegistry {
    dir: PathBuf,
    vocabulary: Arc<Vocabulary>,
    entries: BTreeMap<TenantName, Entry>,
    /// Folders whose names are no tenants', and whether somebody's callers were lost with them.
    misnamed: BTreeMap<String, (Broken, bool)>,
    /// Whether the host is starting: a tenant that cannot be read then may be anybody's.
    starting: bool,
    /// Why the folder of the tenants could not be read when last looked at.
    problem: Option<Broken>,
    /// Whether `problem` was there at the start.
    blind: bool,
    pub(crate) swaps: Arc<Swaps>,
}

/// Asks a file system, which may not answer: then there is no answer.
pub(crate) trait Ask {
    fn names(&mut self, dir: &Path) -> Option<std::io::Result<Vec<Named>>>;

    /// Looks at several tenants' folders, in this order.
    fn looks(&mut self, folders: Vec<Looking>) -> Vec<Option<Look>>;
}

/// Asks it and waits, for questions that nobody else waits for.
#[derive(Debug)]
pub(crate) struct Waiting;

/// What is to be looked at of one tenant. It needs nothing of the tenant registry's, and can be done elsewhere.
#[derive(Debug)]
pub(crate) struct Looking {
    tenant: TenantName,
    path: PathBuf,
    /// As it was when it was read; none where it is to be read in any case.
    last: Option<Option<Fingerprint>>,
    vocabulary: Arc<Vocabulary>,
}

/// What was found of a tenant's file.
#[derive(Debug)]
pub(crate) struct Look {
    seen: Option<Fingerprint>,
    /// None where it is as it was.
    read: Option<Result<TenantFile, Problems>>,
}

/// A folder among the tenants', and whether it has a file as a tenant's has, where its name is none.
#[derive(Debug)]
pub(crate) struct Named {
    name: String,
    is_misnamed_tenant: bool,
}

#[derive(Debug, Default)]
struct Entry {
    seen: Option<Fingerprint>,
    is_read: bool,
    /// What was read last, if it is right in itself.
    read: Option<Arc<TenantFile>>,
    active: Option<Arc<TenantFile>>,
    /// Whether what is active was never read: it is what `default` is without a file.
    is_built_in: bool,
    problem: Option<Broken>,
    /// Whether it could not be read at the start, and not since.
    lost: bool,
}

/// What became of the list.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) added: Vec<TenantName>,
    pub(crate) removed: Vec<TenantName>,
}

// === impl TenantRegistry ===

impl TenantRegistry {
    pub(crate) fn new(dir: PathBuf, vocabulary: Vocabulary) -> Self {
        Self {
            dir,
            vocabulary: Arc::new(vocabulary),
            entries: BTreeMap::from([(TenantName::default(), Entry::built_in())]),
            misnamed: BTreeMap::new(),
            starting: true,
            problem: None,
            blind: false,
            swaps: Arc::default(),
        }
    }

    pub(crate) fn path(&self, tenant: &TenantName) -> PathBuf {
        self.dir.join(tenant.as_str())
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &TenantName> {
        self.entries.keys()
    }

    pub(crate) fn active(&self, tenant: &TenantName) -> Option<&Arc<TenantFile>> {
        self.entries.get(tenant)?.active.as_ref()
    }

    /// Reads every tenant's file for the first time; gives all names.
    pub(crate) fn first_look(&mut self, ask: &mut dyn Ask) -> Vec<TenantName> {
        match ask.names(&self.dir) {
            Some(found) => drop(self.list(found)),
            None => self.silent(),
        }
        let names: Vec<_> = self.names().cloned().collect();
        let looks = ask.looks(names.iter().filter_map(|name| self.looking(name)).collect());
        for (name, look) in names.iter().zip(looks) {
            if let Some(look) = look {
                self.take(name, look);
            } else if let Some(entry) = self.entries.get_mut(name) {
                entry.read = None;
                let silent = Problems::one(&self.dir.join(name.as_str()), "its file system does not answer", "");
                let is_news = entry.issue(name, silent, self.starting);
                self.swaps.tenants.add(0, is_news.into());
            }
        }
        self.settle();
        self.started();
        names
    }

    /// The folder of the tenants does not answer.
    pub(crate) fn silent(&mut self) {
        self.unreadable(&std::io::Error::other("its file system does not answer"));
    }

    /// Whether the tenants could not be listed at the start.
    pub(crate) fn is_blind(&self) -> bool {
        self.blind
    }

    /// Every tenant's active file.
    pub(crate) fn files(&self) -> BTreeMap<TenantName, Arc<TenantFile>> {
        let file = |(name, entry): (&TenantName, &Entry)| Some((name.clone(), Arc::clone(entry.active.as_ref()?)));
        self.entries.iter().filter_map(file).collect()
    }

    /// Ends the start: from now on, a tenant that cannot be read takes nobody's callers.
    pub(crate) fn started(&mut self) {
        self.starting = false;
    }

    /// Why it cannot be told where those belong who belong to no tenant that is active.
    pub(crate) fn closed(&self) -> Option<Arc<str>> {
        let lost = self.entries.values().find(|entry| entry.lost).and_then(|entry| entry.problem.as_ref());
        let misnamed = self.misnamed.values().find(|(_, is_lost)| *is_lost).map(|(problem, _)| problem);
        let problem = lost.or(misnamed).or_else(|| self.problem.as_ref().filter(|_| self.blind));
        problem.map(|problem| Arc::clone(&problem.text))
    }

    /// Takes which folders there are, as [`named`] found them.
    pub(crate) fn list(&mut self, found: std::io::Result<Vec<Named>>) -> Listed {
        let names = match found {
            Ok(names) => names,
            // Where there are no tenants, there need be no folder. Nobody gives all tenants' callers to `default` by removing it; a
            // deployment may, for a moment.
            Err(error) if error.kind() == ErrorKind::NotFound && !self.has_tenants() => Vec::new(),
            Err(error) => {
                self.unreadable(&error);
                return Listed::default();
            }
        };
        (self.problem, self.blind) = (None, false);
        let found: BTreeSet<_> = names.iter().filter_map(|named| TenantName::new(&named.name).ok()).collect();
        self.misname(&names);
        let is_gone = |name: &&TenantName| !found.contains(*name) && !name.is_default();
        let removed: Vec<_> = self.entries.keys().filter(is_gone).cloned().collect();
        for name in &removed {
            self.entries.remove(name);
            warn!(tenant = name.as_str(), "tenant removed: its folder was deleted");
        }
        let added: Vec<_> = found.into_iter().filter(|name| !self.entries.contains_key(name)).collect();
        self.entries.extend(added.iter().map(|name| (name.clone(), Entry::default())));
        Listed { added, removed }
    }

    /// Whether there is another than the built-in one.
    fn has_tenants(&self) -> bool {
        self.names().any(|name| !name.is_default())
    }

    /// What is to be looked at of a tenant.
    pub(crate) fn looking(&self, tenant: &TenantName) -> Option<Looking> {
        let entry = self.entries.get(tenant)?;
        Some(Looking {
            tenant: tenant.clone(),
            path: self.path(tenant),
            last: entry.is_read.then_some(entry.seen),
            vocabulary: Arc::clone(&self.vocabulary),
        })
    }

    /// Takes what was found of a tenant's file; says whether it changed. [`Self::settle`] activates it.
    pub(crate) fn take(&mut self, tenant: &TenantName, look: Look) -> bool {
        let Some(entry) = self.entries.get_mut(tenant) else { return false };
        let Look { seen, read } = look;
        let Some(read) = read else { return false };
        (entry.seen, entry.is_read) = (seen, true);
        match read {
            // There still is no file.
            Ok(_) if entry.is_built_in && seen.is_none() => {}
            Ok(file) => entry.read = Some(Arc::new(file)),
            Err(problem) => {
                entry.read = None;
                let is_news = entry.issue(tenant, problem, self.starting);
                self.swaps.tenants.add(0, is_news.into());
            }
        }
        true
    }

    /// Activates what was read, as far as no two tenants claim the same callers. Gives the tenants whose file in
    /// force is another one now.
    pub(crate) fn settle(&mut self) -> Vec<TenantName> {
        let mut taken: BTreeMap<TenantName, Arc<TenantFile>> = BTreeMap::new();
        let mut refused: BTreeMap<TenantName, Overlap> = BTreeMap::new();
        loop {
            for (name, entry) in &self.entries {
                let new = entry.read.as_ref().filter(|_| !refused.contains_key(name));
                match new.or(entry.active.as_ref()) {
                    Some(file) => drop(taken.insert(name.clone(), Arc::clone(file))),
                    None => drop(taken.remove(name)),
                }
            }
            let files = taken.iter().map(|(name, file)| (name.clone(), file.matches.clone()));
            let Err(overlaps) = Placement::new(files) else { break };
            let before = refused.len();
            for overlap in overlaps {
                for name in [&overlap.first, &overlap.second] {
                    let is_new = self.entries.get(name).is_some_and(Entry::is_new);
                    if is_new && !refused.contains_key(name) {
                        refused.insert(name.clone(), overlap.clone());
                    }
                }
            }
            if refused.len() == before {
                // What is active never overlaps, so one of any two is new.
                break;
            }
        }
        for (name, overlap) in refused {
            let problem = self.describe(&name, &overlap);
            if let Some(entry) = self.entries.get_mut(&name) {
                let is_news = entry.issue(&name, problem, self.starting);
                self.swaps.tenants.add(0, is_news.into());
            }
        }
        let changed = self.entries.iter_mut().filter_map(|(name, entry)| entry.take(name, taken.remove(name)?));
        let changed: Vec<_> = changed.collect();
        self.swaps.tenants.add(u32::try_from(changed.len()).unwrap_or(u32::MAX), 0);
        changed
    }

    /// What is wrong with tenants' files, before what is wrong with what lies in their folders.
    pub(crate) fn issues_over(&self, mut issues: LoadIssues) -> LoadIssues {
        let issue = |name: &str, problem, effect| LoadIssue::of("tenant", name, problem, effect);
        let effect = |denies, otherwise| if denies { Effect::Denies } else { otherwise };
        let own = self.problem.iter().map(|problem| issue("", problem, effect(self.blind, Effect::LastGoodStays)));
        let misnamed = self
            .misnamed
            .iter()
            .map(|(name, (problem, is_lost))| issue(name, problem, effect(*is_lost, Effect::NotInForce)));
        issues.entry(None).or_default().extend(own.chain(misnamed));
        for (name, entry) in &self.entries {
            if let Some(problem) = &entry.problem {
                issues.entry(Some(name.clone())).or_default().insert(0, issue(name.as_str(), problem, entry.effect()));
            }
        }
        issues.retain(|_, issues| !issues.is_empty());
        issues
    }

    /// Has everything read again that was wrong.
    pub(crate) fn retry(&mut self) {
        for entry in self.entries.values_mut().filter(|entry| entry.problem.is_some()) {
            entry.is_read = false;
        }
    }

    fn describe(&self, tenant: &TenantName, overlap: &Overlap) -> Problems {
        let file = |tenant| self.path(tenant).join(TENANT_FILE);
        let other = if overlap.first == *tenant { &overlap.second } else { &overlap.first };
        let what = format!("claims the same callers as {}: {}", file(other).display(), overlap.what);
        Problems::one(
            &file(tenant),
            what,
            "every caller belongs to one tenant: make one of the two `[[match]]` narrower",
        )
    }

    fn misname(&mut self, names: &[Named]) {
        let mut misnamed = BTreeMap::new();
        for (Named { name, is_misnamed_tenant }, bad) in
            names.iter().filter_map(|named| Some((named, TenantName::new(&named.name).err()?)))
        {
            let problem = Broken::new(Problems::one(&self.dir.join(name), bad.to_string(), "rename the folder"));
            let before = self.misnamed.get(name);
            if before.is_none() {
                error!(problem = &*problem.text, "tenant cannot be loaded; it is not active");
            }
            let is_lost = before.map_or(self.starting && *is_misnamed_tenant, |(_, is_lost)| *is_lost);
            misnamed.insert(name.clone(), (problem, is_lost));
        }
        self.misnamed = misnamed;
    }

    fn unreadable(&mut self, error: &std::io::Error) {
        let help = if error.kind() == ErrorKind::NotFound {
            "put the folder back; to remove all tenants, empty it"
        } else {
            ""
        };
        let what = format!("the folder cannot be read: {error}");
        let problem = Broken::new(Problems::one(&self.dir, what, help));
        if self.problem.as_ref() != Some(&problem) {
            error!(problem = &*problem.text, "tenants cannot be listed; those that are active stay");
        }
        self.blind |= self.starting;
        self.problem = Some(problem);
    }
}

// === impl Waiting ===

impl Ask for Waiting {
    fn names(&mut self, dir: &Path) -> Option<std::io::Result<Vec<Named>>> {
        Some(named(dir))
    }

    fn looks(&mut self, folders: Vec<Looking>) -> Vec<Option<Look>> {
        folders.into_iter().map(|looking| Some(looking.look())).collect()
    }
}

// === impl Looking ===

impl Looking {
    pub(crate) fn folder(&self) -> &Path {
        &self.path
    }

    /// Reads the tenant's file, if it changed.
    pub(crate) fn look(&self) -> Look {
        let Self { tenant, path, last, vocabulary } = self;
        let root = Root::open(path, Containment::Beneath);
        let seen = root.as_ref().ok().and_then(|root| root.fingerprint(TENANT_FILE));
        if *last == Some(seen) {
            return Look { seen, read: None };
        }
        let read = match root {
            Ok(root) => read(&root, tenant, seen, vocabulary),
            Err(error) if tenant.is_default() && is_missing(path, &error) => Ok(TenantFile::default()),
            Err(error) => Err(Problems::one(path, format!("the folder cannot be opened: {error}"), "")),
        };
        Look { seen, read: Some(read) }
    }
}

/// The folders in the tenants' folder; an error of the kind `NotFound` where that is not there.
pub(crate) fn named(dir: &Path) -> std::io::Result<Vec<Named>> {
    let named = |name: String| {
        let is_misnamed_tenant = TenantName::new(&name).is_err() && dir.join(&name).join(TENANT_FILE).exists();
        Named { name, is_misnamed_tenant }
    };
    let folders = folders(dir)?;
    if folders.is_empty() && is_gone(dir) {
        return Err(ErrorKind::NotFound.into());
    }
    Ok(folders.into_iter().map(named).collect())
}

// === impl Entry ===

impl Entry {
    fn built_in() -> Self {
        let file = Arc::new(TenantFile::default());
        Self { is_built_in: true, active: Some(Arc::clone(&file)), read: Some(file), ..Self::default() }
    }

    fn is_new(&self) -> bool {
        match (&self.read, &self.active) {
            (Some(read), Some(active)) => !Arc::ptr_eq(read, active),
            (Some(_), None) => true,
            (None, _) => false,
        }
    }

    /// Gives the tenant's name if this changes what is active.
    fn take(&mut self, name: &TenantName, file: Arc<TenantFile>) -> Option<TenantName> {
        let is_read = self.read.as_ref().is_some_and(|read| Arc::ptr_eq(read, &file));
        if is_read {
            (self.problem, self.lost) = (None, false);
        }
        if self.active.as_ref().is_some_and(|active| Arc::ptr_eq(active, &file)) {
            return None;
        }
        (self.active, self.is_built_in) = (Some(file), false);
        info!(tenant = name.as_str(), "tenant loaded");
        Some(name.clone())
    }

    /// Says whether that is news. At the start there is no last good one: what `default` is without a file may allow what
    /// its file would have denied.
    fn issue(&mut self, name: &TenantName, mistakes: Problems, starting: bool) -> bool {
        if starting && self.is_built_in {
            (self.active, self.is_built_in) = (None, false);
        }
        self.lost |= starting && self.active.is_none();
        let problem = Broken::new(mistakes);
        if self.problem.as_ref() == Some(&problem) {
            return false;
        }
        let outcome = match self.effect() {
            Effect::LastGoodStays => "the last good one stays",
            Effect::Denies => "calls that no other tenant matches are denied until it is mended",
            Effect::NotInForce | Effect::Remark => "it is not active",
        };
        error!(tenant = name.as_str(), problem = &*problem.text, "tenant cannot be loaded; {outcome}");
        self.problem = Some(problem);
        true
    }

    /// What comes of its being wrong.
    fn effect(&self) -> Effect {
        if self.active.is_some() {
            Effect::LastGoodStays
        } else if self.lost {
            Effect::Denies
        } else {
            Effect::NotInForce
        }
    }
}

fn read(
    root: &Root,
    tenant: &TenantName,
    seen: Option<Fingerprint>,
    vocabulary: &Vocabulary,
) -> Result<TenantFile, Problems> {
    let path = root.path(TENANT_FILE);
    if seen.is_none() && !root.has(TENANT_FILE) {
        if tenant.is_default() {
            return Ok(TenantFile::default());
        }
        let help = "it says who belongs to the tenant (to remove the tenant, remove its folder)";
        return Err(Problems::one(&path, "is not there", help));
    }
    if let Some(seen) = seen {
        check_owner(&path, seen)?;
    }
    let failed = |error: ReadError| Problems::one(&path, error.to_string(), error.help());
    let (read, bytes) = root.read(TENANT_FILE, MAX_FILE).map_err(failed)?;
    check_owner(&path, read)?;
    let not_text = |_| Problems::one(&path, "is not UTF-8 text", "save it as UTF-8");
    TenantFile::read(&path, &String::from_utf8(bytes).map_err(not_text)?, tenant, vocabulary)
}

fn check_owner(path: &Path, file: Fingerprint) -> Result<(), Problems> {
    let host = rustix::process::geteuid().as_raw();
    if file.owner() != 0 && file.owner() != host {
        let help = "`chown root` it: only the operator may say who belongs to a tenant and what it may use";
        return Err(Problems::one(path, format!("belongs to user {}", file.owner()), help));
    }
    if file.is_writable_by_others() {
        return Err(Problems::one(path, "users other than its owner can write it", "`chmod go-w` it"));
    }
    Ok(())
}

fn is_gone(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_err_and(|error| error.kind() == ErrorKind::NotFound)
}

/// Whether a path has nothing, not even a symlink that leads nowhere.
fn is_missing(path: &Path, error: &std::io::Error) -> bool {
    let is_not_found = |error: &std::io::Error| error.kind() == ErrorKind::NotFound;
    is_not_found(error) && std::fs::symlink_metadata(path).err().as_ref().is_some_and(is_not_found)
}

/// The names of the folders in a folder, hidden ones left out; of one that is not there, none. What cannot be told to be
/// a folder or not, such as a symlink that leads nowhere, counts as one: it may be a tenant's.
pub(crate) fn folders(dir: &Path) -> std::io::Result<Vec<String>> {
    let entries = match std::fs::read_dir(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // What is mounted there need not answer; a symlink may lead to a folder.
        let leads_to_folder = |path: &Path| match std::fs::metadata(path) {
            Ok(metadata) => metadata.is_dir(),
            Err(error) => !is_missing(path, &error),
        };
        let is_folder = match entry.file_type() {
            Ok(kind) if !kind.is_symlink() => kind.is_dir(),
            Ok(_) | Err(_) => leads_to_folder(&entry.path()),
        };
        if !name.starts_with('.') && is_folder {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

#[cfg(test)]
mod tests;
