//! What is asked of folders by threads of its own, one for each that does not answer: whoever asks a file system that does not
//! (FUSE, NFS, autofs) waits for as long as it likes, and nobody else's folder may wait with it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::time::Duration;

use portcullis_config::{DATA, POLICIES, TENANT_FILE};

use crate::tenant_registry::{Ask, Look, Looking, Named, named};

/// A folder that takes longer is looked at again later.
pub(super) const ANSWERS_WITHIN: Duration = Duration::from_millis(250);
/// Folders that may hang at once, each with a thread; beyond that, none is asked.
const MOST: usize = 1024;
/// Folders that are asked at once when many are.
const TOGETHER: usize = 64;

/// The folders that were asked and have not answered. Their threads hold the other ends.
#[derive(Debug, Default)]
pub(crate) struct Probes(HashMap<PathBuf, Receiver<()>>);

// === impl Probes ===

impl Probes {
    /// Asks what there is to know of a folder; `tell` gets the answer, on another thread, if there ever is one. None where the folder
    /// is not asked: it has not answered before, or there is no thread.
    pub(crate) fn send<T>(
        &mut self,
        folder: &Path,
        ask: impl FnOnce(&Path) -> T + Send + 'static,
        tell: impl FnOnce(T) + Send + 'static,
    ) -> Option<()> {
        if self.0.len() >= MOST {
            self.0.retain(|_, asked| hangs(asked));
        }
        if self.0.get(folder).is_some_and(hangs) || self.0.len() >= MOST {
            return None;
        }
        let (held, asked) = channel();
        let path = folder.to_owned();
        let run = move || {
            let answer = ask(&path);
            // It may be asked again as soon as somebody knows the answer.
            drop::<Sender<()>>(held);
            tell(answer);
        };
        std::thread::Builder::new().name("probe".into()).spawn(run).ok()?;
        self.0.insert(folder.to_owned(), asked);
        Some(())
    }

    /// What there is to know of a folder, if it says so in time. One that did not is not asked again before it has answered.
    pub(crate) fn ask<T: Send + 'static>(
        &mut self,
        folder: &Path,
        ask: impl FnOnce(&Path) -> T + Send + 'static,
    ) -> Option<T> {
        let (answer, answered) = channel();
        // An error means that nobody waits any more.
        self.send(folder, ask, move |found| drop(answer.send(found)))?;
        answered.recv_timeout(ANSWERS_WITHIN).ok()
    }

    /// The same of many, in their order: however many hang, it takes little longer than for one.
    fn ask_all<T, A>(&mut self, folders: Vec<(PathBuf, A)>) -> Vec<Option<T>>
    where
        T: Send + 'static,
        A: FnOnce(&Path) -> T + Send + 'static,
    {
        let count = folders.len();
        let mut found = Vec::with_capacity(count);
        let mut folders = folders.into_iter();
        while found.len() < count {
            let (answer, answered) = channel();
            let first = found.len();
            for (number, (folder, ask)) in folders.by_ref().take(TOGETHER).enumerate() {
                let answer = answer.clone();
                // If it is not asked, the answer is not missed: nobody holds its sender.
                let _ = self.send(&folder, ask, move |told| drop(answer.send((number, told))));
                found.push(None);
            }
            drop(answer);
            while let Ok((number, told)) = answered.recv_timeout(ANSWERS_WITHIN) {
                if let Some(place) = found.get_mut(first + number) {
                    *place = Some(told);
                }
            }
        }
        found
    }
}

fn hangs(asked: &Receiver<()>) -> bool {
    asked.try_recv() == Err(TryRecvError::Empty)
}

impl Ask for Probes {
    fn names(&mut self, dir: &Path) -> Option<std::io::Result<Vec<Named>>> {
        self.ask(dir, named)
    }

    fn looks(&mut self, folders: Vec<Looking>) -> Vec<Option<Look>> {
        let ask = |looking: Looking| {
            let folder = looking.folder().to_owned();
            let ask = move |folder: &Path| {
                touch(folder);
                looking.look()
            };
            (folder, ask)
        };
        self.ask_all(folders.into_iter().map(ask).collect())
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
    fn many_that_do_not_answer_take_little_longer_than_one() {
        static HELD: Mutex<()> = Mutex::new(());
        let held = HELD.lock().expect("no panic");
        let folder = |number: usize| {
            let ask = move |_: &Path| {
                if number.is_multiple_of(2) {
                    drop(HELD.lock().expect("no panic"));
                }
                number
            };
            (PathBuf::from(number.to_string()), ask)
        };
        let start = Instant::now();
        let found = Probes::default().ask_all((0..200).map(folder).collect());
        assert!(start.elapsed() < ANSWERS_WITHIN * 100 / 4, "{:?}", start.elapsed());
        for (number, found) in found.into_iter().enumerate() {
            assert!(if number % 2 == 0 { found.is_none() } else { found == Some(number) }, "{number}: {found:?}");
        }
        drop(held);
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
        assert!(probes.0.values().all(|asked| !hangs(asked)));
    }
}
