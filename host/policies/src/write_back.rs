//! Documents that the host itself has just written: whoever reads the folder takes them from memory instead of reading
//! them again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use portcullis_config::fs::Fingerprint;
use portcullis_document::Document;

use crate::issue::Scope;

/// What is offered for files of documents, by folder and name. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct WriteBackCache(Arc<Mutex<HashMap<Scope, ByFile>>>);

type ByFile = HashMap<String, Written>;

/// What is known of a file that the host writes.
#[derive(Clone, Debug)]
pub enum Written {
    /// It is being written: what lies there is known in a moment.
    Coming,
    /// It holds this, as long as its fingerprint is this one.
    Document(Arc<Document>, Fingerprint),
}

/// A file that is being written. It is not waited for any longer when this is dropped.
#[derive(Debug)]
pub struct Coming<'o> {
    write_back: &'o WriteBackCache,
    scope: &'o Scope,
    file: &'o str,
}

// === impl WriteBackCache ===

impl WriteBackCache {
    /// A file will be written.
    pub fn coming<'o>(&'o self, scope: &'o Scope, file: &'o str) -> Coming<'o> {
        self.put(scope, file, Written::Coming);
        Coming { write_back: self, scope, file }
    }

    fn put(&self, scope: &Scope, file: &str, written: Written) {
        self.lock().entry(scope.clone()).or_default().insert(file.to_owned(), written);
    }

    /// What is offered for a file; `None` if nothing is.
    pub fn get(&self, scope: &Scope, file: &str) -> Option<Written> {
        self.lock().get(scope)?.get(file).cloned()
    }

    /// Nobody needs it any more: the document is active, or will not be.
    pub fn withdraw(&self, scope: &Scope, file: &str) {
        let mut write_back = self.lock();
        if let Some(files) = write_back.get_mut(scope) {
            files.remove(file);
            if files.is_empty() {
                write_back.remove(scope);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Scope, ByFile>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Coming ===

impl Coming<'_> {
    /// The file is there. What is offered stays until it is withdrawn.
    pub fn arrived(self, document: Arc<Document>, file: Fingerprint) {
        self.write_back.put(self.scope, self.file, Written::Document(document, file));
    }
}

impl Drop for Coming<'_> {
    fn drop(&mut self) {
        if matches!(self.write_back.get(self.scope, self.file), Some(Written::Coming)) {
            self.write_back.withdraw(self.scope, self.file);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use portcullis_config::fs::{Containment, Root};

    #[test]
    fn what_was_not_written_is_not_waited_for() {
        let dir = tempfile::tempdir().expect("a folder");
        let root = Root::open(dir.path(), Containment::Open).expect("open");
        let file = root.fingerprint(".").expect("is there");
        let (write_back, scope) = (WriteBackCache::default(), None);
        let coming = write_back.coming(&scope, "a.json");
        assert!(matches!(write_back.get(&scope, "a.json"), Some(Written::Coming)));
        drop(coming);
        assert!(write_back.get(&scope, "a.json").is_none());
        write_back.coming(&scope, "a.json").arrived(Arc::default(), file);
        assert!(matches!(write_back.get(&scope, "a.json"), Some(Written::Document(_, seen)) if seen == file));
        assert!(write_back.get(&scope, "b.json").is_none());
        write_back.withdraw(&scope, "a.json");
        assert!(write_back.lock().is_empty());
    }
}
