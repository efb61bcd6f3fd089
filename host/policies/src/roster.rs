//! The tenants that there are: their folders' names, and who belongs to each.
//!
//! `tenant.toml` is the operator's, though the rest of the folder may be the tenant's: a tenant that could write it could
//! take others' callers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use portcullis_config::fs::{Fence, Fingerprint, Root};
use portcullis_config::{TENANT_FILE, TenantFile, Vocabulary};
use portcullis_model::TenantName;
use portcullis_model::tenant::{Overlap, Placement};
use portcullis_telemetry::metrics::Swaps;
use tracing::{error, info, warn};

use crate::trouble::{Trouble, Troubles};

/// A `tenant.toml` is read up to this size.
const MAX_FILE: u64 = 1 << 20;

/// Every tenant that has a folder, and the one that needs none.
#[derive(Debug)]
pub(crate) struct Roster {
    dir: PathBuf,
    vocabulary: Arc<Vocabulary>,
    entries: BTreeMap<TenantName, Entry>,
    /// Folders whose names are no tenants', and whether somebody's callers were lost with them.
    misnamed: BTreeMap<String, (Arc<str>, bool)>,
    /// Whether the host is starting: a tenant that cannot be read then may be anybody's.
    starting: bool,
    /// Why the folder of the tenants could not be read when last looked at.
    problem: Option<Arc<str>>,
    /// Whether `problem` was there at the start.
    blind: bool,
    pub(crate) swaps: Arc<Swaps>,
}

/// Asks a file system, which may not answer: then there is no answer.
pub(crate) trait Ask {
    fn names(&mut self, dir: &Path) -> Option<std::io::Result<Vec<Named>>>;

    fn look(&mut self, folder: &Path, looking: Looking) -> Option<Look>;
}

/// Asks it and waits, for questions that nobody else waits for.
#[derive(Debug)]
pub(crate) struct Waiting;

/// What is to be looked at of one tenant. It needs nothing of the roster's, and can be done elsewhere.
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
    read: Option<Result<TenantFile, String>>,
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
    in_force: Option<Arc<TenantFile>>,
    /// Whether what is in force was never read: it is what `default` is without a file.
    is_built_in: bool,
    problem: Option<Arc<str>>,
    /// Whether it could not be read at the start, and not since.
    lost: bool,
}

/// What became of the list.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) added: Vec<TenantName>,
    pub(crate) removed: Vec<TenantName>,
}

// === impl Roster ===

impl Roster {
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

    pub(crate) fn in_force(&self, tenant: &TenantName) -> Option<&Arc<TenantFile>> {
        self.entries.get(tenant)?.in_force.as_ref()
    }

    /// Reads every tenant's file for the first time; gives all names.
    pub(crate) fn first_look(&mut self, ask: &mut dyn Ask) -> Vec<TenantName> {
        match ask.names(&self.dir) {
            Some(found) => drop(self.list(found)),
            None => self.silent(),
        }
        let names: Vec<_> = self.names().cloned().collect();
        for name in &names {
            let Some(looking) = self.looking(name) else { continue };
            if let Some(look) = ask.look(&self.path(name), looking) {
                self.take(name, look);
            } else if let Some(entry) = self.entries.get_mut(name) {
                entry.read = None;
                let is_news = entry.trouble(name, "its file system does not answer".to_owned(), self.starting);
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

    /// Every tenant's file in force.
    pub(crate) fn files(&self) -> BTreeMap<TenantName, Arc<TenantFile>> {
        let file = |(name, entry): (&TenantName, &Entry)| Some((name.clone(), Arc::clone(entry.in_force.as_ref()?)));
        self.entries.iter().filter_map(file).collect()
    }

    /// Ends the start: from now on, a tenant that cannot be read takes nobody's callers.
    pub(crate) fn started(&mut self) {
        self.starting = false;
    }

    /// Why it cannot be told where those belong who belong to no tenant that is in force.
    pub(crate) fn closed(&self) -> Option<Arc<str>> {
        let lost = self.entries.values().find(|entry| entry.lost).and_then(|entry| entry.problem.clone());
        let misnamed = self.misnamed.values().find(|(_, is_lost)| *is_lost).map(|(problem, _)| Arc::clone(problem));
        lost.or(misnamed).or_else(|| self.problem.clone().filter(|_| self.blind))
    }

    /// Takes which folders there are, as [`named`] found them.
    pub(crate) fn list(&mut self, found: std::io::Result<Vec<Named>>) -> Listed {
        let names = match found {
            Ok(names) => names,
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

    /// Takes what was found of a tenant's file; says whether it changed. [`Self::settle`] puts it in force.
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
                let is_news = entry.trouble(tenant, problem, self.starting);
                self.swaps.tenants.add(0, is_news.into());
            }
        }
        true
    }

    /// Puts what was read in force, as far as no two tenants claim the same callers. Gives the tenants whose file in
    /// force is another one now.
    pub(crate) fn settle(&mut self) -> Vec<TenantName> {
        let mut taken: BTreeMap<TenantName, Arc<TenantFile>> = BTreeMap::new();
        let mut refused: BTreeMap<TenantName, Overlap> = BTreeMap::new();
        loop {
            for (name, entry) in &self.entries {
                let new = entry.read.as_ref().filter(|_| !refused.contains_key(name));
                match new.or(entry.in_force.as_ref()) {
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
                // What is in force never overlaps, so one of any two is new.
                break;
            }
        }
        for (name, overlap) in refused {
            let problem = self.describe(&overlap);
            if let Some(entry) = self.entries.get_mut(&name) {
                let is_news = entry.trouble(&name, problem, self.starting);
                self.swaps.tenants.add(0, is_news.into());
            }
        }
        let changed = self.entries.iter_mut().filter_map(|(name, entry)| entry.take(name, taken.remove(name)?));
        let changed: Vec<_> = changed.collect();
        self.swaps.tenants.add(u32::try_from(changed.len()).unwrap_or(u32::MAX), 0);
        changed
    }

    /// What is wrong with tenants' files, before what is wrong with what lies in their folders.
    pub(crate) fn troubles_over(&self, mut troubles: Troubles) -> Troubles {
        let trouble = |name: &str, problem: &Arc<str>| Trouble {
            what: "tenant",
            name: name.to_owned(),
            problem: Arc::clone(problem),
        };
        let own = self.problem.iter().map(|problem| trouble("", problem));
        let misnamed = self.misnamed.iter().map(|(name, (problem, _))| trouble(name, problem));
        troubles.entry(None).or_default().extend(own.chain(misnamed));
        for (name, entry) in &self.entries {
            if let Some(problem) = &entry.problem {
                troubles.entry(Some(name.clone())).or_default().insert(0, trouble(name.as_str(), problem));
            }
        }
        troubles.retain(|_, troubles| !troubles.is_empty());
        troubles
    }

    /// Has everything read again that was wrong.
    pub(crate) fn retry(&mut self) {
        for entry in self.entries.values_mut().filter(|entry| entry.problem.is_some()) {
            entry.is_read = false;
        }
    }

    fn describe(&self, overlap: &Overlap) -> String {
        let file = |tenant| self.path(tenant).join(TENANT_FILE);
        format!(
            "{} and {} claim the same callers: {}; every caller belongs to one tenant",
            file(&overlap.first).display(),
            file(&overlap.second).display(),
            overlap.what
        )
    }

    fn misname(&mut self, names: &[Named]) {
        let mut misnamed = BTreeMap::new();
        for (Named { name, is_misnamed_tenant }, bad) in
            names.iter().filter_map(|named| Some((named, TenantName::new(&named.name).err()?)))
        {
            let problem: Arc<str> = format!("{}: {bad}", self.dir.join(name).display()).into();
            let before = self.misnamed.get(name);
            if before.is_none() {
                error!(problem = &*problem, "tenant cannot be loaded; it is not in force");
            }
            let is_lost = before.map_or(self.starting && *is_misnamed_tenant, |(_, is_lost)| *is_lost);
            misnamed.insert(name.clone(), (problem, is_lost));
        }
        self.misnamed = misnamed;
    }

    fn unreadable(&mut self, error: &std::io::Error) {
        let problem: Arc<str> = format!("{}: the folder cannot be read: {error}", self.dir.display()).into();
        if self.problem.as_ref() != Some(&problem) {
            error!(problem = &*problem, "tenants cannot be listed; those that are in force stay");
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

    fn look(&mut self, _: &Path, looking: Looking) -> Option<Look> {
        Some(looking.look())
    }
}

// === impl Looking ===

impl Looking {
    /// Reads the tenant's file, if it changed.
    pub(crate) fn look(&self) -> Look {
        let Self { tenant, path, last, vocabulary } = self;
        let root = Root::open(path, Fence::Beneath);
        let seen = root.as_ref().ok().and_then(|root| root.fingerprint(TENANT_FILE));
        if *last == Some(seen) {
            return Look { seen, read: None };
        }
        let read = match root {
            Ok(root) => read(&root, tenant, seen, vocabulary),
            Err(error) if tenant.is_default() && is_missing(path, &error) => Ok(TenantFile::default()),
            Err(error) => Err(format!("{}: the folder cannot be opened: {error}", path.display())),
        };
        Look { seen, read: Some(read) }
    }
}

/// The folders in the tenants' folder.
pub(crate) fn named(dir: &Path) -> std::io::Result<Vec<Named>> {
    let named = |name: String| {
        let is_misnamed_tenant = TenantName::new(&name).is_err() && dir.join(&name).join(TENANT_FILE).exists();
        Named { name, is_misnamed_tenant }
    };
    Ok(folders(dir)?.into_iter().map(named).collect())
}

// === impl Entry ===

impl Entry {
    fn built_in() -> Self {
        let file = Arc::new(TenantFile::default());
        Self { is_built_in: true, in_force: Some(Arc::clone(&file)), read: Some(file), ..Self::default() }
    }

    fn is_new(&self) -> bool {
        match (&self.read, &self.in_force) {
            (Some(read), Some(in_force)) => !Arc::ptr_eq(read, in_force),
            (Some(_), None) => true,
            (None, _) => false,
        }
    }

    /// Gives the tenant's name if this changes what is in force.
    fn take(&mut self, name: &TenantName, file: Arc<TenantFile>) -> Option<TenantName> {
        let is_read = self.read.as_ref().is_some_and(|read| Arc::ptr_eq(read, &file));
        if is_read {
            (self.problem, self.lost) = (None, false);
        }
        if self.in_force.as_ref().is_some_and(|in_force| Arc::ptr_eq(in_force, &file)) {
            return None;
        }
        (self.in_force, self.is_built_in) = (Some(file), false);
        info!(tenant = name.as_str(), "tenant loaded");
        Some(name.clone())
    }

    /// Says whether that is news. At the start there is no last good one: what `default` is without a file may allow what
    /// its file would have denied.
    fn trouble(&mut self, name: &TenantName, problem: String, starting: bool) -> bool {
        if starting && self.is_built_in {
            (self.in_force, self.is_built_in) = (None, false);
        }
        self.lost |= starting && self.in_force.is_none();
        if self.problem.as_deref() == Some(problem.as_str()) {
            return false;
        }
        let outcome = if self.in_force.is_some() {
            "the last good one stays"
        } else if self.lost {
            "calls that no other tenant matches are denied until it is mended"
        } else {
            "it is not in force"
        };
        error!(tenant = name.as_str(), problem, "tenant cannot be loaded; {outcome}");
        self.problem = Some(problem.into());
        true
    }
}

fn read(
    root: &Root,
    tenant: &TenantName,
    seen: Option<Fingerprint>,
    vocabulary: &Vocabulary,
) -> Result<TenantFile, String> {
    let path = root.path(TENANT_FILE);
    if seen.is_none() && !root.has(TENANT_FILE) {
        if tenant.is_default() {
            return Ok(TenantFile::default());
        }
        return Err(format!(
            "{}: is not there; it says who belongs to the tenant (to remove the tenant, remove its folder)",
            path.display()
        ));
    }
    if let Some(seen) = seen {
        check_owner(&path, seen)?;
    }
    let (read, bytes) = root.read(TENANT_FILE, MAX_FILE).map_err(|error| format!("{}: {error}", path.display()))?;
    check_owner(&path, read)?;
    let text = String::from_utf8(bytes).map_err(|_| format!("{}: is not UTF-8 text", path.display()))?;
    TenantFile::read(&path, &text, tenant, vocabulary).map_err(|problems| problems.to_string())
}

fn check_owner(path: &Path, file: Fingerprint) -> Result<(), String> {
    let host = rustix::process::geteuid().as_raw();
    if file.owner() != 0 && file.owner() != host {
        return Err(format!(
            "{}: belongs to user {}; who belongs to a tenant, and what it may use, is the operator's to say: `chown root` it",
            path.display(),
            file.owner()
        ));
    }
    if file.is_writable_by_others() {
        return Err(format!("{}: others than its owner may write it; `chmod go-w` it", path.display()));
    }
    Ok(())
}

/// Whether a path has nothing, not even a symlink that leads nowhere.
fn is_missing(path: &Path, error: &std::io::Error) -> bool {
    let is_not_found = |error: &std::io::Error| error.kind() == std::io::ErrorKind::NotFound;
    is_not_found(error) && std::fs::symlink_metadata(path).err().as_ref().is_some_and(is_not_found)
}

/// The names of the folders in a folder, hidden ones left out; of one that is not there, none. What cannot be told to be
/// a folder or not, such as a symlink that leads nowhere, counts as one: it may be a tenant's.
pub(crate) fn folders(dir: &Path) -> std::io::Result<Vec<String>> {
    let entries = match std::fs::read_dir(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
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
