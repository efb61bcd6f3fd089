//! Folders that do not answer, and what is told of them.

use std::time::{Duration, Instant};

use super::{LOOK, Observer};
use crate::issue::{Effect, LoadIssue, LoadIssues, Scope};
use crate::notices::{Identities, identities};
use crate::probe::touch;
use crate::tenant_registry::Look;

/// From then on, reading a folder takes long, and no longer keeps others from being read.
pub(super) const SLOW: Duration = Duration::from_secs(60);
const SILENT: &str = "its file system does not answer; what was loaded stays";
const TAKES_LONG: &str =
    "it has been read for more than a minute: a large policy is compiled, or its file system does not answer";

/// A folder that answered, before it is read.
pub(super) struct Seen {
    pub(super) is_there: bool,
    /// What was found of a tenant's file.
    pub(super) look: Option<Look>,
    pub(super) identities: Identities,
}

impl Observer {
    /// What is to be known of a scope's folder before it is read. If it does not answer, it is looked at again later, and nobody waits
    /// for it.
    pub(super) fn seen(&mut self, scope: &Scope) -> Option<Seen> {
        let folder = scope.as_ref().map_or_else(|| self.dir.clone(), |name| self.tenant_registry.path(name));
        let looking = scope.as_ref().and_then(|name| self.tenant_registry.looking(name));
        let seen = self.probes.ask(&folder, move |folder| {
            touch(folder);
            let (is_there, look) = (folder.is_dir(), looking.map(|looking| looking.look()));
            Seen { is_there, look, identities: identities(folder) }
        });
        self.note_silence(scope, seen.is_none());
        if seen.is_none() {
            self.set_due(scope, Instant::now() + LOOK);
            self.answer_reloads(scope);
        }
        seen
    }

    fn note_silence(&mut self, scope: &Scope, is_silent: bool) {
        let is_news = if is_silent { self.silent.insert(scope.clone()) } else { self.silent.remove(scope) };
        if is_news && !self.starting {
            self.tell();
        }
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
        let slow = self.running.values().filter(|job| job.since.elapsed() > SLOW).map(|job| (&job.scope, TAKES_LONG));
        for (scope, problem) in self.silent.iter().map(|scope| (scope, SILENT)).chain(slow) {
            let issue = LoadIssue::new("folder", "", problem, Effect::LastGoodStays);
            issues.entry(scope.clone()).or_default().push(issue);
        }
        issues
    }

    /// Tells of folders that take long to read, once that is known.
    pub(super) fn tell_of_slow(&mut self) {
        if self.running.values().any(|job| job.since.elapsed() > SLOW) {
            self.tell();
        }
    }
}
