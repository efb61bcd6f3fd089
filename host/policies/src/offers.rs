//! Documents that the host itself has just written: whoever reads the folder takes them from memory instead of reading
//! them again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use portcullis_config::fs::Fingerprint;
use portcullis_document::Document;

use crate::trouble::Scope;

/// What is offered for files of documents, by folder and name. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Offers(Arc<Mutex<HashMap<Scope, ByFile>>>);

type ByFile = HashMap<String, Offer>;

/// What is known of a file that the host writes.
#[derive(Clone, Debug)]
pub enum Offer {
    /// It is being written: what lies there is known in a moment.
    Coming,
    /// It holds this, as long as its fingerprint is this one.
    Document(Arc<Document>, Fingerprint),
}

/// A file that is being written. It is not waited for any longer when this is dropped.
#[derive(Debug)]
pub struct Coming<'o> {
    offers: &'o Offers,
    scope: &'o Scope,
    file: &'o str,
}

// === impl Offers ===

impl Offers {
    /// A file will be written.
    pub fn coming<'o>(&'o self, scope: &'o Scope, file: &'o str) -> Coming<'o> {
        self.put(scope, file, Offer::Coming);
        Coming { offers: self, scope, file }
    }

    fn put(&self, scope: &Scope, file: &str, offer: Offer) {
        self.lock().entry(scope.clone()).or_default().insert(file.to_owned(), offer);
    }

    /// What is offered for a file; `None` if nothing is.
    pub fn get(&self, scope: &Scope, file: &str) -> Option<Offer> {
        self.lock().get(scope)?.get(file).cloned()
    }

    /// Nobody needs it any more: the document is in force, or will not be.
    pub fn withdraw(&self, scope: &Scope, file: &str) {
        let mut offers = self.lock();
        if let Some(files) = offers.get_mut(scope) {
            files.remove(file);
            if files.is_empty() {
                offers.remove(scope);
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
        self.offers.put(self.scope, self.file, Offer::Document(document, file));
    }
}

impl Drop for Coming<'_> {
    fn drop(&mut self) {
        if matches!(self.offers.get(self.scope, self.file), Some(Offer::Coming)) {
            self.offers.withdraw(self.scope, self.file);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use portcullis_config::fs::{Fence, Root};

    #[test]
    fn what_was_not_written_is_not_waited_for() {
        let dir = tempfile::tempdir().expect("a folder");
        let root = Root::open(dir.path(), Fence::Open).expect("open");
        let file = root.fingerprint(".").expect("is there");
        let (offers, scope) = (Offers::default(), None);
        let coming = offers.coming(&scope, "a.json");
        assert!(matches!(offers.get(&scope, "a.json"), Some(Offer::Coming)));
        drop(coming);
        assert!(offers.get(&scope, "a.json").is_none());
        offers.coming(&scope, "a.json").arrived(Arc::default(), file);
        assert!(matches!(offers.get(&scope, "a.json"), Some(Offer::Document(_, seen)) if seen == file));
        assert!(offers.get(&scope, "b.json").is_none());
        offers.withdraw(&scope, "a.json");
        assert!(offers.lock().is_empty());
    }
}
