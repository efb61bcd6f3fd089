//! Folders that do not answer, and what is told of them.

use std::path::Path;
use std::time::{Duration, Instant};

use super::{LOOK, Observer, Running};
use crate::issue::{Effect, LoadIssue, LoadIssues, Scope};
use crate::message::{Message, Seen};
use crate::notices::identities;
use crate::probe::{ANSWERS_WITHIN, touch};

/// From then on, reading a folder takes long, and no longer keeps others from being read.
pub(super) const SLOW: Duration = Duration::from_secs(60);
/// A file system that does not answer for this long while it is read hangs.
const HANGS: Duration = Duration::from_secs(1);
const SILENT: &str = "its file system does not answer; what was loaded stays";
const TAKES_LONG: &str = "it has been read for more than a minute: a large policy is compiled, or its disk is slow";

impl Observer {
    /// Asks a folder for what is to be known before it is read. The answer is a message; if there is none in time, it is told, and nobody
    /// waits for it. The folder is asked again when it has answered.
    pub(super) fn ask(&mut self, scope: &Scope) {
        let path = scope.as_ref().map_or_else(|| self.dir.clone(), |name| self.tenant_registry.path(name));
        let looking = scope.as_ref().and_then(|name| self.tenant_registry.looking(name));
        let Some(folder) = self.folders.get_mut(scope).filter(|folder| folder.loader.is_some()) else { return };
        folder.begin();
        let (id, seen_scope, sender) = (folder.id, scope.clone(), self.sender.clone());
        let look = move |folder: &Path| {
            touch(folder);
            let (is_there, look) = (folder.is_dir(), looking.map(|looking| looking.look()));
            Seen { scope: seen_scope, id, is_there, look, identities: identities(folder) }
        };
        // An error means that the host is stopping.
        let tell = move |seen| drop(sender.send(Message::Seen(Box::new(seen))));
        if self.probes.send(&path, look, tell).is_some() {
            self.asked.insert(scope.clone(), Instant::now());
        } else {
            self.set_due(scope, Instant::now() + LOOK);
            self.note_silence(scope);
        }
    }

    /// Reads a folder that answered.
    pub(super) fn seen(&mut self, seen: Seen) {
        let Seen { scope, id, is_there, look, identities } = seen;
        if self.folders.get(&scope).is_none_or(|folder| folder.id != id) {
            return;
        }
        self.asked.remove(&scope);
        self.answers(&scope);
        match &scope {
            // Whoever looks at the host's own folder looks which tenants there are.
            None => self.list(),
            Some(name) => {
                if !is_there {
                    self.list();
                }
                if look.is_some_and(|look| self.tenant_registry.take(name, look)) {
                    self.settle();
                }
            }
        }
        self.read(scope, identities);
    }

    fn answers(&mut self, scope: &Scope) {
        if self.silent.remove(scope) && !self.starting {
            self.tell();
        }
    }

    fn note_silence(&mut self, scope: &Scope) {
        if self.silent.insert(scope.clone()) && !self.starting {
            self.tell();
        }
    }

    /// Folders that are asked and may answer yet.
    fn asking(&self) -> impl Iterator<Item = (&Scope, Instant)> {
        let may_answer = |(scope, _): &(&Scope, &Instant)| !self.silent.contains(*scope);
        self.asked.iter().filter(may_answer).map(|(scope, since)| (scope, *since))
    }

    /// When somebody is late who was asked.
    pub(super) fn late(&self) -> Option<Instant> {
        self.asking().map(|(_, since)| since + ANSWERS_WITHIN).min()
    }

    /// Folders that are asked or read. Each that hangs has a thread of its own, and keeps nobody else from being read.
    pub(super) fn busy(&self, slow: Duration) -> usize {
        let counts = |job: &&Running| job.since.elapsed() < slow && job.pulse.waits() < ANSWERS_WITHIN;
        self.asking().count() + self.running.values().filter(counts).count()
    }

    /// Whether a folder that is read hangs.
    pub(super) fn hangs(&self, scope: &Scope) -> bool {
        self.running.values().any(|job| job.scope == *scope && job.is_hanging())
    }

    /// Tells what is not active though it lies in a folder.
    pub(super) fn tell(&self) {
        let issues = self.with_silence(self.tenant_registry.issues_over(self.issues.clone()));
        if issues != *self.live.issues() {
            self.live.tell(issues);
        }
    }

    /// Adds what does not answer, or not soon.
    fn with_silence(&self, mut issues: LoadIssues) -> LoadIssues {
        let silent = self.silent.iter().map(|scope| (scope, SILENT));
        let read = self.running.values().filter_map(|job| Some((&job.scope, job.trouble()?)));
        for (scope, problem) in silent.chain(read) {
            let issue = LoadIssue::new("folder", "", problem, Effect::LastGoodStays);
            issues.entry(scope.clone()).or_default().push(issue);
        }
        issues
    }

    /// Tells of folders that do not answer in time, or take long to read, once that is known. Nobody waits for those that do not answer.
    pub(super) fn tell_of_slow(&mut self) {
        let late = |since: Instant| since.elapsed() >= ANSWERS_WITHIN;
        let silent: Vec<_> = self.asking().filter(|(_, since)| late(*since)).map(|(scope, _)| scope.clone()).collect();
        silent.iter().for_each(|scope| self.note_silence(scope));
        let is_slow = self.running.values().any(|job| job.trouble().is_some());
        if std::mem::replace(&mut self.is_slow_told, is_slow) || is_slow {
            self.tell();
        }
        if !self.reloads.is_empty() {
            let hanging = self.running.values().filter(|job| job.is_hanging()).map(|job| &job.scope);
            let stuck: Vec<_> = self.silent.iter().chain(hanging).cloned().collect();
            stuck.iter().for_each(|scope| self.answer_reloads(scope));
        }
    }
}

// === impl Running ===

impl Running {
    fn is_hanging(&self) -> bool {
        self.pulse.waits() >= HANGS
    }

    fn trouble(&self) -> Option<&'static str> {
        if self.is_hanging() {
            return Some(SILENT);
        }
        (self.since.elapsed() > SLOW).then_some(TAKES_LONG)
    }
}
