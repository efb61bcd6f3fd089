//! What is asked of folders by threads of its own, one for each that does not answer: whoever asks a file system that does not
//! (FUSE, NFS, autofs) waits for as long as it likes, and nobody else's folder may wait with it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::Duration;

use portcullis_config::{DATA, POLICIES, TENANT_FILE};

use crate::tenant_registry::{Ask, Look, Looking, Named, named};

/// A folder that takes longer is looked at again later.
pub(super) const ANSWERS_WITHIN: Duration = Duration::from_millis(250);

/// The folders that were asked and have not answered. Their threads hold the other ends.
#[derive(Debug, Default)]
pub(crate) struct Probes(HashMap<PathBuf, Receiver<()>>);

// === impl Probes ===

impl Probes {
    /// What there is to know of a folder, if it says so in time. One that did not is not asked again before it has answered.
    pub(crate) fn ask<T: Send + 'static>(
        &mut self,
        folder: &Path,
        ask: impl FnOnce(&Path) -> T + Send + 'static,
    ) -> Option<T> {
        if self.0.get(folder).is_some_and(|asked| asked.try_recv() == Err(TryRecvError::Empty)) {
            return None;
        }
        let (held, asked) = channel();
        let (answer, answered) = channel();
        let path = folder.to_owned();
        let run = move || {
            // Until it has answered.
            let _held = held;
            // An error means that nobody waits any more.
            let _ = answer.send(ask(&path));
        };
        // Without a thread, it is the same as one that does not answer: it is tried again.
        std::thread::Builder::new().name("probe".into()).spawn(run).ok()?;
        let found = answered.recv_timeout(ANSWERS_WITHIN).ok();
        if found.is_none() {
            self.0.insert(folder.to_owned(), asked);
        } else {
            self.0.remove(folder);
        }
        found
    }
}

impl Ask for Probes {
    fn names(&mut self, dir: &Path) -> Option<std::io::Result<Vec<Named>>> {
        self.ask(dir, named)
    }

    fn look(&mut self, folder: &Path, looking: Looking) -> Option<Look> {
        self.ask(folder, move |folder| {
            touch(folder);
            looking.look()
        })
    }
}

/// Has a folder do what reading it asks of it.
pub(crate) fn touch(folder: &Path) {
    for folder in [folder.to_owned(), folder.join(POLICIES), folder.join(DATA)] {
        drop(std::fs::read_dir(folder).map(|mut entries| entries.next()));
    }
    drop(std::fs::metadata(folder.join(TENANT_FILE)));
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Instant;

    use super::*;

    /// Held, and `slow` waits.
    static HUNG: Mutex<()> = Mutex::new(());

    fn slow(_: &Path) {
        drop(HUNG.lock().expect("no panic"));
    }

    #[test]
    fn a_folder_that_does_not_answer_is_asked_once() {
        let mut probes = Probes::default();
        assert_eq!(probes.ask(Path::new("/fine"), |_| 1), Some(1));
        let held = HUNG.lock().expect("no panic");
        assert_eq!(probes.ask(Path::new("/hung"), slow), None);
        for _ in 0..1000 {
            assert_eq!(probes.ask(Path::new("/hung"), |_| panic!("it is not asked again")), None::<()>);
        }
        assert_eq!(probes.ask(Path::new("/fine"), |_| 2), Some(2), "others are asked meanwhile");
        drop(held);
        let end = Instant::now() + Duration::from_secs(30);
        while probes.ask(Path::new("/hung"), |_| {}).is_none() {
            assert!(Instant::now() < end, "it answers again");
            std::thread::yield_now();
        }
        assert!(probes.0.is_empty());
    }
}
