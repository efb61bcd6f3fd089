//! Notices that folders changed, and has each one read when it is quiet, on a thread of its own: what one tenant ships
//! delays nobody else's swap.
//!
//! The kernel's notices are the fast way. They can be lost (a queue that runs over, a symlink's target elsewhere, a
//! folder that was replaced), so every folder is also looked at every now and then.

mod folder;
mod silence;
mod start;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use notify::Event;
use portcullis_config::fs::Pulse;
use portcullis_config::{Quota, TENANTS};
use portcullis_engine::{LARGE_ANSWERS, When};
use portcullis_model::TenantName;
use tokio::sync::oneshot;
use tracing::{error, info, warn};

use self::folder::Folder;
use self::silence::SLOW;
use crate::issue::{Effect, LoadIssue, LoadIssues, Scope};
use crate::job::{Job, Spawn};
use crate::layer::{Layer, LayerLoader, LoadContext};
use crate::message::{Finished, Message};
use crate::notices::{Identities, Notices, Watched};
use crate::probe::Probes;
use crate::registry::Registry;
use crate::snapshot::{Live, Snapshot};
use crate::tenant_registry::{TenantRegistry, named};

/// A folder is read when nothing happened in it for this long …
const QUIET: Duration = Duration::from_millis(10);
/// … or this long after the first change, whatever happens.
const AT_MOST: Duration = Duration::from_millis(50);
/// How often folders are looked at without notice, however few there are; and the time that each one adds.
const LOOK: Duration = Duration::from_secs(2);
const LOOK_EACH: Duration = Duration::from_millis(10);
/// How soon a folder is looked at again that is changing; twice as late each time, up to `LOOK`.
const LOOK_UNSETTLED: Duration = Duration::from_millis(20);
/// How soon it is looked whether calls are still decided by what was active before.
const LET_GO: Duration = Duration::from_millis(100);
/// Folders that are read at once, those that hang left out. Reading one can mean compiling for seconds, and those that are compiled
/// share the processor.
const JOBS: usize = 64;
/// With those that hang: each has a thread until its file system answers.
const THREADS: usize = 1024;
/// At the start, as many are read at once as there are processors, but one that takes longer than this does not count.
const SHORT: Duration = Duration::from_secs(1);
/// The host starts when every folder was read once, or when none more was for this long: until it is read, a tenant's
/// calls are denied.
const STALLED: Duration = Duration::from_secs(20);

/// Decides when which folder is read, and activates what was found.
pub(crate) struct Observer {
    dir: PathBuf,
    context: LoadContext,
    tenant_registry: TenantRegistry,
    registry: Registry,
    live: Arc<Live>,
    issues: LoadIssues,
    notices: Notices,
    folders: BTreeMap<Scope, Folder>,
    /// When each folder is to be looked at.
    due: BTreeSet<(Instant, Scope)>,
    /// Since when there are active tenants that have no layer yet.
    coming: Option<Instant>,
    /// Whether every folder is still to be read once.
    starting: bool,
    running: BTreeMap<u64, Running>,
    spawn: Spawn,
    probes: Probes,
    /// Folders that were asked and have not answered, and since when.
    asked: BTreeMap<Scope, Instant>,
    /// Folders that do not answer.
    silent: BTreeSet<Scope>,
    /// Whether it was told that reading a folder hangs or takes long.
    is_slow_told: bool,
    last_job: u64,
    /// Of the folder that was added last.
    last_id: u64,
    reloads: Vec<Reload>,
    /// What was active before, for calls that are still being decided.
    retired: Vec<Arc<Snapshot>>,
    sender: Sender<Message>,
    messages: Receiver<Message>,
}

/// A job that is under way.
#[derive(Debug)]
struct Running {
    scope: Scope,
    since: Instant,
    /// Whether the file system answers.
    pulse: Pulse,
}

/// Who waits for folders to be read.
#[derive(Debug)]
struct Reload {
    left: BTreeSet<Scope>,
    /// Whether everything is waited for, also what comes of it that other callers belong to a tenant.
    is_whole: bool,
    done: oneshot::Sender<()>,
}

// === impl Observer ===

impl Observer {
    pub(crate) fn live(&self) -> &Arc<Live> {
        &self.live
    }

    pub(crate) fn run(mut self) {
        loop {
            let first = match self.messages.recv_timeout(self.wait()) {
                Ok(message) => Some(message),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            // What is there already is taken together.
            let mut next = first;
            while let Some(message) = next {
                if self.take(message).is_break() {
                    return;
                }
                next = self.messages.try_recv().ok();
            }
            self.look();
            self.tell_of_slow();
            self.let_go();
        }
    }

    /// Until something is due that can be read.
    fn wait(&self) -> Duration {
        let patience = if self.retired.is_empty() { LOOK } else { LET_GO };
        // Whoever hangs makes room for others by that.
        let due = if self.has_room() { self.due.first().map(|(due, _)| *due) } else { Some(Instant::now() + LET_GO) };
        let next = due.into_iter().chain(self.late()).min();
        next.map_or(patience, |next| next.saturating_duration_since(Instant::now()).min(patience))
    }

    /// Whether one more folder can be read now.
    fn has_room(&self) -> bool {
        let processors = || std::thread::available_parallelism().map_or(1, usize::from);
        let is_short = !self.starting || self.busy(SHORT) < processors();
        is_short && self.busy(SLOW) < JOBS && self.running.len() + self.asked.len() < THREADS
    }

    fn take(&mut self, message: Message) -> ControlFlow<()> {
        match message {
            Message::Noticed(Ok(event)) => self.note(event),
            Message::Noticed(Err(error)) => {
                warn!(%error, "changes may have gone unnoticed");
                self.all_changed();
            }
            Message::Seen(seen) => self.seen(*seen),
            Message::Done(finished) => self.finish(*finished),
            Message::Reload(default, done) => {
                if let Some(default) = default {
                    self.registry.set_default(default);
                    self.publish(None);
                }
                self.list();
                self.tenant_registry.retry();
                let left = self.folders.keys().cloned().collect();
                self.folders.values_mut().for_each(|folder| folder.retry = true);
                self.reloads.push(Reload { left, is_whole: true, done });
                self.all_due(Instant::now());
            }
            Message::Look(scope, done) => self.look_at(scope, done),
            Message::Stop => return ControlFlow::Break(()),
        }
        ControlFlow::Continue(())
    }

    /// Has a folder read now, or again where it is being read: that may have begun before it was written.
    fn look_at(&mut self, scope: Scope, done: oneshot::Sender<()>) {
        if !self.folders.contains_key(&scope) {
            // It may have been made just now.
            self.list();
        }
        let Some(folder) = self.folders.get_mut(&scope) else {
            // An error means that nobody waits any more.
            let _ = done.send(());
            return;
        };
        let now = Instant::now();
        folder.changed.get_or_insert(now);
        self.reloads.push(Reload { left: BTreeSet::from([scope.clone()]), is_whole: false, done });
        self.set_due(&scope, now);
    }

    fn note(&mut self, event: Event) {
        if event.need_rescan() {
            warn!("changes came faster than they could be noticed; every folder is looked at");
            return self.all_changed();
        }
        let scopes: BTreeSet<_> = event.paths.iter().filter_map(|path| self.scope_of(path)).collect();
        for scope in scopes {
            if scope.is_some() && !self.folders.contains_key(&scope) {
                self.list();
            }
            let Some(folder) = self.folders.get_mut(&scope) else { continue };
            folder.watched.note(event.clone(), &mut self.notices);
            self.changed(&scope);
        }
    }

    /// Whose a path is; none where it is nobody's.
    fn scope_of(&self, path: &Path) -> Option<Scope> {
        let below = path.strip_prefix(&self.dir).ok()?;
        match below.strip_prefix(TENANTS) {
            Ok(below) => {
                let name = below.components().next()?.as_os_str().to_str()?;
                TenantName::new(name).ok().map(Some)
            }
            Err(_) => Some(None),
        }
    }

    /// Something changed: it is read when it is quiet.
    fn changed(&mut self, scope: &Scope) {
        let now = Instant::now();
        let Some(folder) = self.folders.get_mut(scope) else { return };
        let first = *folder.changed.get_or_insert(now);
        let due = (now + QUIET).min(first + AT_MOST);
        self.set_due(scope, due);
    }

    fn all_changed(&mut self) {
        self.list();
        for scope in self.folders.keys().cloned().collect::<Vec<_>>() {
            self.changed(&scope);
        }
    }

    fn all_due(&mut self, at: Instant) {
        for scope in self.folders.keys().cloned().collect::<Vec<_>>() {
            self.set_due(&scope, at);
        }
    }

    /// While it is asked or read it is not due; [`Self::finish`] sees that it changed.
    fn set_due(&mut self, scope: &Scope, at: Instant) {
        let Some(folder) = self.folders.get_mut(scope) else { return };
        self.due.remove(&(folder.due, scope.clone()));
        folder.due = at;
        if folder.loader.is_some() && !self.asked.contains_key(scope) {
            self.due.insert((at, scope.clone()));
        }
    }

    /// Asks what is due, and what answers is read.
    fn look(&mut self) {
        let now = Instant::now();
        while self.has_room() {
            match self.due.first() {
                Some((due, _)) if *due <= now => {}
                _ => return,
            }
            let Some((_, scope)) = self.due.pop_first() else { return };
            self.ask(&scope);
        }
    }

    /// Reads a folder on a thread of its own.
    fn read(&mut self, scope: Scope, identities: Identities) {
        let quota = scope.as_ref().and_then(|name| self.tenant_registry.active(name)).map(|file| file.quota());
        let Some(folder) = self.folders.get_mut(&scope) else { return };
        let Some(loader) = folder.loader.take() else { return };
        folder.watched.refresh(identities, &mut self.notices);
        let writing = folder.watched.writing();
        let (retry, id) = (std::mem::take(&mut folder.retries), folder.id);
        if scope.is_some() && quota.is_none() {
            // Nobody belongs to it yet.
            folder.loader = Some(loader);
            return self.finished(&scope, false);
        }
        self.last_job += 1;
        let job = Job { scope: scope.clone(), id, number: self.last_job, quota, retry, writing };
        let running = Running { scope: scope.clone(), since: Instant::now(), pulse: loader.pulse().clone() };
        match job.start(loader, self.sender.clone(), self.spawn) {
            Ok(()) => drop(self.running.insert(self.last_job, running)),
            Err(error) => {
                let tenant = scope.as_ref().map(TenantName::as_str);
                error!(%error, tenant, "no thread to read a folder; it is read again");
                self.unread(&scope, &error);
                self.forget(&scope);
            }
        }
    }

    /// What lies in the folder is not known while there is no thread to read it.
    fn unread(&mut self, scope: &Scope, error: &std::io::Error) {
        let path = scope.as_ref().map_or_else(|| self.dir.clone(), |name| self.tenant_registry.path(name));
        let problem = format!(
            "{}: there is no thread to read the folder: {error}; what was loaded stays. Raise the limit of processes \
             (`ulimit -u`, `TasksMax=`)",
            path.display()
        );
        let issue = LoadIssue::new("folder", "", problem, Effect::LastGoodStays);
        let issues = self.issues.entry(scope.clone()).or_default();
        issues.retain(|known| known.what != issue.what);
        issues.insert(0, issue);
        self.tell();
    }

    /// What the loader knew went with its thread: the folder is read anew.
    fn forget(&mut self, scope: &Scope) {
        let loader = self.loader(scope);
        if let Some(folder) = self.folders.get_mut(scope) {
            folder.loader = Some(loader);
        }
        self.set_due(scope, Instant::now() + LOOK);
    }

    fn finish(&mut self, finished: Finished) {
        let Finished { scope, id, number, read } = finished;
        self.running.remove(&number);
        let Some(folder) = self.folders.get_mut(&scope).filter(|folder| folder.id == id) else { return };
        let Some((mut loader, rescan, issues)) = read else {
            let tenant = scope.as_ref().map(TenantName::as_str);
            error!(tenant, "the host panicked while it read a folder; what was loaded stays");
            return self.forget(&scope);
        };
        if !self.starting {
            loader.started();
        }
        folder.loader = Some(loader);
        let is_layer = rescan.layer.is_some();
        let noticed = folder.noticed.take_if(|_| is_layer || !rescan.unsettled).filter(|_| is_layer);
        let is_news = self.issues.get(&scope).map(Vec::as_slice).unwrap_or_default() != issues;
        if issues.is_empty() {
            self.issues.remove(&scope);
        } else {
            self.issues.insert(scope.clone(), issues);
        }
        if let Some(layer) = rescan.layer {
            match &scope {
                None => self.registry.set_host(layer),
                Some(name) => {
                    if let Some(file) = self.tenant_registry.active(name) {
                        self.registry.set_layer(name, file, layer);
                    }
                    // Otherwise all callers are placed as they should be.
                    if self.coming.is_some() {
                        self.place();
                    }
                }
            }
        }
        if !self.starting {
            self.publish(scope.as_ref());
            if let Some(noticed) = noticed {
                self.context.swaps.publish_time.observe(noticed.elapsed());
            }
            if is_news {
                self.tell();
            }
        }
        self.finished(&scope, rescan.unsettled);
    }

    /// Says when a folder is to be looked at next.
    fn finished(&mut self, scope: &Scope, unsettled: bool) {
        let now = Instant::now();
        let look = LOOK + LOOK_EACH * u32::try_from(self.folders.len()).unwrap_or(u32::MAX);
        let Some(folder) = self.folders.get_mut(scope) else { return };
        folder.unsettled = if unsettled { (folder.unsettled * 2).clamp(LOOK_UNSETTLED, LOOK) } else { Duration::ZERO };
        let is_pending = folder.retry || folder.changed.is_some();
        let due = match (folder.changed, unsettled) {
            _ if folder.retry => now,
            (Some(first), _) => (now + QUIET).min(first + AT_MOST),
            (None, true) => now + folder.unsettled,
            (None, false) => now + look,
        };
        self.set_due(scope, due);
        if !is_pending && !unsettled {
            self.answer_reloads(scope);
        }
    }

    fn answer_reloads(&mut self, scope: &Scope) {
        for reload in &mut self.reloads {
            reload.left.remove(scope);
        }
        let folders = &self.folders;
        self.reloads.iter_mut().for_each(|reload| reload.left.retain(|scope| folders.contains_key(scope)));
        for reload in self.reloads.extract_if(.., |reload| reload.left.is_empty()) {
            // An error means that nobody waits any more.
            let _ = reload.done.send(());
        }
    }

    /// Has a tenant's folder watched, and read when it is quiet.
    fn add(&mut self, name: &TenantName) {
        let scope = Some(name.clone());
        // It is watched when it is first read, if it answers.
        let watched = Watched::unseen(self.tenant_registry.path(name));
        let loader = self.loader(&scope);
        self.last_id += 1;
        let (now, quiet) = (Instant::now(), if self.starting { Duration::ZERO } else { QUIET });
        self.folders.insert(scope.clone(), Folder::new(self.last_id, watched, loader, now));
        self.set_due(&scope, now + quiet);
    }

    /// Takes in tenants that are new, and lets go of those that are not there any more.
    fn list(&mut self) {
        let Some(found) = self.probes.ask(&self.dir.join(TENANTS), named) else {
            self.tenant_registry.silent();
            return self.tell();
        };
        let listed = self.tenant_registry.list(found);
        listed.added.iter().for_each(|name| self.add(name));
        for name in &listed.removed {
            let scope = Some(name.clone());
            if let Some(folder) = self.folders.remove(&scope) {
                self.due.remove(&(folder.due, scope.clone()));
                folder.watched.forget(&mut self.notices);
            }
            self.issues.remove(&scope);
            self.asked.remove(&scope);
            self.silent.remove(&scope);
            self.registry.remove(name);
        }
        if !listed.removed.is_empty() {
            // What the removed ones claimed, others may claim now.
            self.settle();
        }
        if self.coming.is_some() {
            self.place();
            self.publish(None);
        }
        // It may be another folder of that name by now.
        self.notices.watch(&self.dir.join(TENANTS));
        self.tell();
    }

    /// Activates who belongs where; what policies may have follows when their folder is read.
    fn settle(&mut self) {
        let before = self.live.load().rest.is_err();
        let changed = self.tenant_registry.settle();
        for name in &changed {
            if let Some(file) = self.tenant_registry.active(name) {
                self.registry.set_file(name, file);
            }
            let scope = Some(name.clone());
            self.set_due(&scope, Instant::now());
            for reload in self.reloads.iter_mut().filter(|reload| reload.is_whole) {
                reload.left.insert(scope.clone());
            }
        }
        self.place();
        if before != self.tenant_registry.closed().is_some() {
            self.registry.touch();
        }
        self.publish(changed.first());
        self.tell();
    }

    /// Activates who belongs where, when every tenant has a layer: all at once, so that a caller who is given from one tenant to a new
    /// one is nobody else's in between. A tenant whose folder takes long to read holds that up for a while only.
    fn place(&mut self) {
        let files = self.tenant_registry.files();
        let coming: Vec<_> = files.iter().filter(|(name, _)| !self.registry.has(name)).collect();
        if coming.is_empty() {
            self.coming = None;
            return self.registry.place(files);
        }
        if self.coming.get_or_insert_with(Instant::now).elapsed() > STALLED {
            for (name, file) in coming {
                warn!(tenant = name.as_str(), "not loaded yet; its calls are denied until it is");
                self.registry.set_layer(name, file, Layer::unread());
            }
            self.coming = None;
            self.registry.place(files);
        }
    }

    fn publish(&mut self, tenant: Option<&TenantName>) {
        if let Some(snapshot) = self.registry.snapshot(&self.tenant_registry) {
            self.retired.push(self.live.publish(snapshot));
            self.announce(tenant);
        }
    }

    /// Lets go of what is not active any more, when the last call is decided that it was for: a hundred megabytes of data are not
    /// given back where the next call waits.
    fn let_go(&mut self) {
        let now = self.live.load();
        for retired in self.retired.extract_if(.., |retired| Snapshot::is_retired(retired, &now)) {
            LARGE_ANSWERS.discard("policies", retired);
        }
    }

    fn loader(&self, scope: &Scope) -> LayerLoader {
        let (path, quota) = match scope {
            None => (self.dir.clone(), Quota::of_host()),
            Some(name) => {
                let quota = self.tenant_registry.active(name).map(|file| file.quota());
                (self.tenant_registry.path(name), quota.unwrap_or_else(Quota::of_nobody))
            }
        };
        let when = if self.starting { When::Start } else { When::Swap };
        LayerLoader::new(path, scope.clone(), quota, self.context.clone(), when)
    }

    fn announce(&self, tenant: Option<&TenantName>) {
        for (listener, name) in self.registry.unbound() {
            error!(listener, tenant = name.as_str(), "the tenant of this listener is not there; its calls are denied");
        }
        let snapshot = self.live.load();
        let (tenants, generation) = (snapshot.tenants.len(), snapshot.generation.0);
        let Some(name) = tenant else {
            let (policies, broken, documents) = self.registry.host_counts();
            return info!(generation, tenants, policies, broken, documents, "generation published");
        };
        info!(tenant = name.as_str(), generation, tenants, "generation published");
    }
}

#[cfg(test)]
mod tests;
