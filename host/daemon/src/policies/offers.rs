//! Documents that the host itself has just written: whoever reads the folder takes them from memory instead of reading
//! them again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use portcullis_model::Document;

use crate::policies::root::Fingerprint;
use crate::policies::watch::Scope;

/// What is offered for files of documents, by folder and name. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Offers(Arc<Mutex<HashMap<Scope, ByFile>>>);

type ByFile = HashMap<String, Offer>;

/// What is known of a file that the host writes.
#[derive(Clone, Debug)]
pub(crate) enum Offer {
    /// It is being written: what lies there is known in a moment.
    Coming,
    /// It holds this, as long as its fingerprint is this one.
    Document(Arc<Document>, Fingerprint),
}

// === impl Offers ===

impl Offers {
    pub(crate) fn put(&self, scope: &Scope, file: &str, offer: Offer) {
        self.lock().entry(scope.clone()).or_default().insert(file.to_owned(), offer);
    }

    pub(crate) fn get(&self, scope: &Scope, file: &str) -> Option<Offer> {
        self.lock().get(scope)?.get(file).cloned()
    }

    /// Nobody needs it any more: the document is in force, or will not be.
    pub(crate) fn withdraw(&self, scope: &Scope, file: &str) {
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
