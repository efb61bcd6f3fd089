//! Whether folders answer. Whoever asks a file system that does not (FUSE, NFS, autofs) waits for as long as it likes: so a
//! thread of its own asks each folder first, one for each that does not answer.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

/// A folder that takes longer is looked at again later.
const ANSWERS_WITHIN: Duration = Duration::from_millis(250);

/// The folders that were asked and have not answered.
#[derive(Debug, Default)]
pub(crate) struct Probes(HashMap<PathBuf, Receiver<()>>);

// === impl Probes ===

impl Probes {
    /// Whether a folder answers when `touch` does with it what will be done. A folder that did not is not asked again before it has
    /// answered: then nobody waits for it, here or there.
    pub(crate) fn answers(&mut self, folder: &Path, touch: fn(&Path)) -> bool {
        let (asked, patience) = match self.0.remove(folder) {
            Some(asked) => (asked, Duration::ZERO),
            None => match ask(folder.to_owned(), touch) {
                Ok(asked) => (asked, ANSWERS_WITHIN),
                // The same as one that does not answer: it is tried again.
                Err(_) => return false,
            },
        };
        match asked.recv_timeout(patience) {
            Ok(()) | Err(RecvTimeoutError::Disconnected) => true,
            Err(RecvTimeoutError::Timeout) => {
                self.0.insert(folder.to_owned(), asked);
                false
            }
        }
    }
}

fn ask(folder: PathBuf, touch: fn(&Path)) -> std::io::Result<Receiver<()>> {
    let (answered, asked) = channel();
    let ask = move || {
        touch(&folder);
        // An error means that nobody waits any more.
        let _ = answered.send(());
    };
    std::thread::Builder::new().name("probe".into()).spawn(ask).map(|_| asked)
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
        assert!(probes.answers(Path::new("/fine"), |_| {}));
        let held = HUNG.lock().expect("no panic");
        assert!(!probes.answers(Path::new("/hung"), slow));
        for _ in 0..1000 {
            assert!(!probes.answers(Path::new("/hung"), |_| panic!("it is not asked again")));
        }
        assert!(probes.answers(Path::new("/fine"), |_| {}), "others are asked meanwhile");
        drop(held);
        let end = Instant::now() + Duration::from_secs(30);
        while !probes.answers(Path::new("/hung"), |_| {}) {
            assert!(Instant::now() < end, "it answers again");
            std::thread::yield_now();
        }
    }
}
