//! Folders that do not answer, and what is told of them.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use portcullis_config::{DATA, POLICIES, TENANT_FILE, TENANTS};

use super::{LOOK, Observer};
use crate::roster;
use crate::trouble::{Scope, Trouble, Troubles};

/// From then on, reading a folder takes long, and no longer keeps others from being read.
pub(super) const SLOW: Duration = Duration::from_secs(60);
const SILENT: &str = "its file system does not answer; what was loaded stays";
const TAKES_LONG: &str =
    "it has been read for more than a minute: a large policy is compiled, or its file system does not answer";

impl Observer {
    /// Whether a scope's folder answers. If not, it is looked at again later, and nobody waits for it.
    pub(super) fn answers(&mut self, scope: &Scope) -> bool {
        let folder = scope.as_ref().map_or_else(|| self.dir.clone(), |name| self.roster.path(name));
        let answers = self.probes.answers(&folder, touch);
        self.note_silence(scope, !answers);
        if !answers {
            self.set_due(scope, Instant::now() + LOOK);
            self.answer_reloads(scope);
        }
        answers
    }

    /// Whether the folder of the tenants does.
    pub(super) fn tenants_answer(&mut self) -> bool {
        self.probes.answers(&self.dir.join(TENANTS), |folder| drop(roster::folders(folder)))
    }

    fn note_silence(&mut self, scope: &Scope, is_silent: bool) {
        let is_news = if is_silent { self.silent.insert(scope.clone()) } else { self.silent.remove(scope) };
        if is_news && !self.starting {
            self.tell();
        }
    }

    /// Tells what is not in force though it lies in a folder.
    pub(super) fn tell(&self) {
        let troubles = self.with_silence(self.roster.troubles_over(self.troubles.clone()));
        if troubles != *self.live.troubles() {
            self.live.tell(troubles);
        }
    }

    /// Adds what does not answer, or not soon.
    fn with_silence(&self, mut troubles: Troubles) -> Troubles {
        let slow = self.running.values().filter(|job| job.since.elapsed() > SLOW).map(|job| (&job.scope, TAKES_LONG));
        for (scope, problem) in self.silent.iter().map(|scope| (scope, SILENT)).chain(slow) {
            let trouble = Trouble { what: "folder", name: String::new(), problem: Arc::from(problem) };
            troubles.entry(scope.clone()).or_default().push(trouble);
        }
        troubles
    }

    /// Tells of folders that take long to read, once that is known.
    pub(super) fn tell_of_slow(&mut self) {
        if self.running.values().any(|job| job.since.elapsed() > SLOW) {
            self.tell();
        }
    }
}

/// What is asked of a folder before it is read.
pub(super) fn touch(folder: &Path) {
    for folder in [folder.to_owned(), folder.join(POLICIES), folder.join(DATA)] {
        drop(std::fs::read_dir(folder).map(|mut entries| entries.next()));
    }
    drop(std::fs::metadata(folder.join(TENANT_FILE)));
}
