//! The files of one kind in one folder: what did not change is kept as it is, what is broken keeps its last good one.

use std::collections::{BTreeMap, HashMap};
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use portcullis_config::Problems;
use portcullis_config::fs::{Fingerprint, ReadError, Root};
use tracing::{error, info, warn};

/// A file that is still being written after this long is not waited for any more.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(10);

/// What files of one kind are, and where they lie.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    /// For messages: of one, and of several.
    pub(crate) what: &'static str,
    pub(crate) whats: &'static str,
    pub(crate) folder: &'static str,
    /// Of several, a file may have any.
    pub(crate) extensions: &'static [&'static str],
    /// The extension of the file beside each, where there can be one.
    pub(crate) beside: Option<&'static str>,
}

/// One file of a kind, and the one beside it; paths are below the folder's root.
#[derive(Debug)]
pub(crate) struct FileEntry<'a> {
    pub(crate) name: &'a str,
    pub(crate) path: String,
    /// The file beside it, where its kind has one, whether it is there or not.
    pub(crate) beside: Option<String>,
    /// Another file of this kind and name, with another extension.
    pub(crate) twin: Option<String>,
}

/// What is known of the files of one kind.
#[derive(Debug)]
pub(crate) struct FileSet<T> {
    kind: Kind,
    /// For the log; none is the host's own.
    tenant: Option<Arc<str>>,
    slots: BTreeMap<String, Slot<T>>,
    /// Since when files are being written.
    unsettled: HashMap<String, Instant>,
    /// Why the folder could not be read when last looked at.
    unreadable: Option<Broken>,
    /// Whether it ever could.
    was_read: bool,
}

#[derive(Debug)]
struct Slot<T> {
    /// Which of its kind's extensions were there.
    extensions: Extensions,
    /// Of the file, and of the one beside it or its twin.
    seen: Seen,
    /// The last good one.
    good: Option<T>,
    /// Why what lies there now is not active.
    problem: Option<Broken>,
}

/// Why something is not active: each mistake, and all of them as one text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Broken {
    pub(crate) text: Arc<str>,
    pub(crate) mistakes: Arc<Problems>,
}

/// By name, the extensions that its files have, in their kind's order.
type Names = BTreeMap<String, Extensions>;

type Extensions = Vec<&'static str>;

type Seen = (Option<Fingerprint>, Option<Fingerprint>);

/// Why a file was not loaded.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Somebody is writing it.
    Later,
    Broken(Problems),
}

/// What a rescan came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    /// Something else is to be active.
    pub(crate) changed: bool,
    /// A file is being written: it is to be looked at again soon.
    pub(crate) unsettled: bool,
    /// Files that are active from now on, and files that could not be loaded.
    pub(crate) loaded: u32,
    pub(crate) failed: u32,
}

/// What is active of one file.
#[derive(Debug)]
pub(crate) enum Active<'a, T> {
    Good(&'a T),
    /// There never was a good one.
    Broken(&'a Arc<str>),
}

// === impl Failure ===

impl Failure {
    pub(crate) fn from_read(root: &Root, path: &str, error: ReadError) -> Self {
        match error {
            ReadError::Changing => Self::Later,
            // Deleted since the folder was listed, unless it is a symlink that leads nowhere.
            ReadError::Io(error) if error.kind() == ErrorKind::NotFound && !root.has(path) => Self::Later,
            error @ (ReadError::Io(_)
            | ReadError::NotAFile(_)
            | ReadError::Outside
            | ReadError::ForeignLink
            | ReadError::TooLarge { .. }) => Self::of_file(&root.path(path), error.to_string(), error.help()),
        }
    }

    /// One mistake of a file.
    pub(crate) fn of_file(path: &Path, what: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Broken(Problems::one(path, what, help))
    }
}

// === impl Broken ===

impl Broken {
    pub(crate) fn new(mistakes: Problems) -> Self {
        Self { text: mistakes.to_string().into(), mistakes: Arc::new(mistakes) }
    }
}

// === impl Changes ===

impl std::ops::BitOrAssign for Changes {
    fn bitor_assign(&mut self, other: Self) {
        self.changed |= other.changed;
        self.unsettled |= other.unsettled;
        self.loaded += other.loaded;
        self.failed += other.failed;
    }
}

// === impl FileSet ===

impl<T> FileSet<T> {
    pub(crate) fn new(kind: Kind, tenant: Option<Arc<str>>) -> Self {
        Self { kind, tenant, slots: BTreeMap::new(), unsettled: HashMap::new(), unreadable: None, was_read: false }
    }

    /// Looks at the folder, and loads what changed; at most `most` files and one more, which `load` may object to. `load` gets the last good one.
    pub(crate) fn rescan(
        &mut self,
        root: &Root,
        writing: &dyn Fn(&Path) -> bool,
        most: usize,
        mut load: impl FnMut(&FileEntry<'_>, Option<&T>) -> Result<T, Failure>,
    ) -> Changes {
        let names = match self.kind.names(root, most) {
            // Nobody takes everything away by removing the folder; a deployment may, for a moment.
            Ok(names)
                if names.is_empty()
                    && !self.slots.is_empty()
                    && root.folder().is_some()
                    && !root.has(self.kind.folder) =>
            {
                Err(rustix::io::Errno::NOENT.into())
            }
            names => names,
        };
        let names = match names {
            Ok(names) => names,
            Err(problem) => {
                self.unreadable(root, &problem);
                return Changes::default();
            }
        };
        self.unreadable = None;
        let is_first = !std::mem::replace(&mut self.was_read, true);
        let mut changes = Changes { changed: self.forget(&names) | is_first, ..Changes::default() };
        for (position, (name, extensions)) in names.iter().enumerate() {
            let place = self.kind.place(name, extensions);
            let seen = place.seen(root);
            if self.slots.get(name).is_some_and(|slot| slot.seen == seen && slot.extensions == *extensions) {
                continue;
            }
            let outcome = if position >= most {
                Err(self.too_many(root, most))
            } else if place.is_any(|path| writing(&root.path(path))) {
                Err(Failure::Later)
            } else {
                load(&place, self.slots.get(name).and_then(|slot| slot.good.as_ref()))
            };
            changes |= self.settle(&place, (extensions.clone(), seen), outcome, root);
        }
        changes
    }

    /// Whether every file is still the one that was read.
    pub(crate) fn is_as_seen(&self, root: &Root) -> bool {
        let is_as_seen = |name: &str, slot: &Slot<T>| slot.seen == self.kind.place(name, &slot.extensions).seen(root);
        self.unreadable.is_some() || self.slots.iter().all(|(name, slot)| is_as_seen(name, slot))
    }

    /// Forgets what was broken, so that the next rescan tries it again though it did not change.
    pub(crate) fn retry(&mut self) {
        for slot in self.slots.values_mut().filter(|slot| slot.problem.is_some()) {
            slot.seen = (None, None);
        }
    }

    /// Has everything loaded again: what it depends on has changed.
    pub(crate) fn reload(&mut self) {
        for slot in self.slots.values_mut() {
            slot.seen = (None, None);
        }
    }

    /// What is active, by name.
    pub(crate) fn active(&self) -> impl Iterator<Item = (&str, Active<'_, T>)> {
        self.slots.iter().filter_map(|(name, slot)| {
            let active = match (&slot.good, &slot.problem) {
                (Some(good), _) => Active::Good(good),
                (None, Some(problem)) => Active::Broken(&problem.text),
                (None, None) => return None,
            };
            Some((name.as_str(), active))
        })
    }

    /// Why it is not known what lies in the folder: it never could be read, so there is nothing to stay.
    pub(crate) fn unknown(&self) -> Option<&Arc<str>> {
        self.unreadable.as_ref().filter(|_| !self.was_read).map(|problem| &problem.text)
    }

    /// What lies in the folder and is not active, with the reason, and whether what was good before stays.
    pub(crate) fn problems(&self) -> impl Iterator<Item = (&str, &Broken, bool)> {
        let of_files = self.slots.iter().filter_map(|(name, slot)| {
            let problem = slot.problem.as_ref()?;
            Some((name.as_str(), problem, slot.good.is_some()))
        });
        self.unreadable.iter().map(|problem| ("", problem, self.was_read)).chain(of_files)
    }

    /// Every file that was looked at, with the one beside it.
    pub(crate) fn files(&self) -> impl Iterator<Item = (String, &Fingerprint)> {
        self.slots.iter().flat_map(|(name, slot)| {
            let FileEntry { path, beside, twin, .. } = self.kind.place(name, &slot.extensions);
            let (file, other) = &slot.seen;
            let other = other.as_ref().and_then(|other| Some((beside.or(twin)?, other)));
            file.as_ref().map(|file| (path, file)).into_iter().chain(other)
        })
    }

    pub(crate) fn good(&self) -> impl Iterator<Item = (&str, &T)> {
        self.slots.iter().filter_map(|(name, slot)| Some((name.as_str(), slot.good.as_ref()?)))
    }

    /// What was loaded stays, if anything ever was; that is said once.
    fn unreadable(&mut self, root: &Root, problem: &std::io::Error) {
        let help = if problem.kind() == ErrorKind::NotFound {
            format!("put the folder back; to remove all {}, empty it", self.kind.whats)
        } else {
            String::new()
        };
        let path = root.path(self.kind.folder);
        let broken = Broken::new(Problems::one(&path, format!("the folder cannot be read: {problem}"), help));
        if self.unreadable.as_ref() != Some(&broken) {
            let outcome = if self.was_read { "what was loaded stays" } else { "calls are denied until it is mended" };
            error!(tenant = self.tenant.as_deref(), problem = &*broken.text, "folder cannot be read; {outcome}");
            self.unreadable = Some(broken);
        }
    }

    fn too_many(&self, root: &Root, most: usize) -> Failure {
        let what = format!("holds more than {most} {}, which is what the tenant may have", self.kind.whats);
        Failure::of_file(&root.path(self.kind.folder), what, "remove some, or ask the operator for more")
    }

    /// Drops what is no longer there.
    fn forget(&mut self, names: &Names) -> bool {
        let what = self.kind.what;
        self.unsettled.retain(|name, _| names.contains_key(name.as_str()));
        let before = self.slots.len();
        let tenant = self.tenant.as_deref();
        self.slots.retain(|name, _| {
            let stays = names.contains_key(name.as_str());
            if !stays {
                warn!(tenant, name, "{what} removed: its file was deleted");
            }
            stays
        });
        self.slots.len() != before
    }

    fn settle(
        &mut self,
        place: &FileEntry<'_>,
        (extensions, seen): (Extensions, Seen),
        outcome: Result<T, Failure>,
        root: &Root,
    ) -> Changes {
        let (name, what, tenant) = (place.name, self.kind.what, self.tenant.as_deref());
        match outcome {
            Ok(good) => {
                info!(tenant, name, "{what} loaded");
                self.unsettled.remove(name);
                self.slots.insert(name.to_owned(), Slot { extensions, seen, good: Some(good), problem: None });
                Changes { changed: true, loaded: 1, ..Changes::default() }
            }
            Err(Failure::Later) => {
                let since = *self.unsettled.entry(name.to_owned()).or_insert_with(Instant::now);
                if since.elapsed() < SETTLE_TIMEOUT {
                    return Changes { unsettled: true, ..Changes::default() };
                }
                let message = self.slots.get(name).is_some_and(|slot| slot.problem.is_some());
                let problem = Problems::one(
                    &root.path(&place.path),
                    format!("has not stopped changing for {} s", SETTLE_TIMEOUT.as_secs()),
                    "write it under another name, and rename it when it is whole",
                );
                // It is looked at again, for what was seen is not what is there next time.
                let changed = if message { false } else { self.broken(name, (extensions, (None, None)), problem) };
                Changes { changed, unsettled: true, failed: u32::from(!message), ..Changes::default() }
            }
            Err(Failure::Broken(problem)) => {
                self.unsettled.remove(name);
                let changed = self.broken(name, (extensions, seen), problem);
                Changes { changed, failed: 1, ..Changes::default() }
            }
        }
    }

    /// Keeps the last good one. Says whether something else is to be active.
    fn broken(&mut self, name: &str, (extensions, seen): (Extensions, Seen), mistakes: Problems) -> bool {
        let (what, tenant) = (self.kind.what, self.tenant.as_deref());
        let good = self.slots.remove(name).and_then(|slot| slot.good);
        let kept = good.is_some();
        let outcome = if kept { "the last good one stays" } else { "calls are denied until it is mended" };
        let problem = Broken::new(mistakes);
        error!(tenant, name, problem = &*problem.text, "{what} cannot be loaded; {outcome}");
        self.slots.insert(name.to_owned(), Slot { extensions, seen, good, problem: Some(problem) });
        !kept
    }
}

// === impl Kind, FileEntry ===

impl Kind {
    /// The files of this kind, by name; at most `most` names and one more.
    fn names(&self, root: &Root, most: usize) -> std::io::Result<Names> {
        let mut names = Names::new();
        for extension in self.extensions {
            for name in root.list(self.folder, extension)? {
                names.entry(name).or_default().push(*extension);
            }
        }
        while names.len() > most.saturating_add(1) {
            names.pop_last();
        }
        Ok(names)
    }

    fn place<'a>(&self, name: &'a str, extensions: &[&str]) -> FileEntry<'a> {
        let path = |extension: &str| format!("{}/{name}.{extension}", self.folder);
        let mut paths = extensions.iter().map(|extension| path(extension));
        let first = paths.next().unwrap_or_default();
        FileEntry { name, path: first, beside: self.beside.map(path), twin: paths.next() }
    }
}

impl FileEntry<'_> {
    fn seen(&self, root: &Root) -> Seen {
        let other = self.beside.as_deref().or(self.twin.as_deref());
        (root.fingerprint(&self.path), other.and_then(|other| root.fingerprint(other)))
    }

    fn is_any(&self, is: impl Fn(&str) -> bool) -> bool {
        is(&self.path) || self.beside.as_deref().is_some_and(is)
    }
}
