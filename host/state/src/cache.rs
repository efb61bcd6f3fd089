//! Values that were read of late: whoever asks for one again waits for no disk, and no thread.
//!
//! A value is only taken where nothing was committed since before it was read, and goes before the commit that changes it is
//! answered. So nobody who was told of a change reads what was there before.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// All of it goes when it would hold more.
const MOST: usize = 8 << 20;
/// A larger value is read each time.
const LARGEST: usize = 16 << 10;
/// What an entry takes beside its key and its value.
const ENTRY: usize = 96;

#[derive(Debug, Default)]
pub(crate) struct Cache(RwLock<Held>);

#[derive(Debug, Default)]
struct Held {
    /// By space, and then by key. None for what is not there.
    values: HashMap<Arc<str>, HashMap<String, Option<Vec<u8>>>>,
    bytes: usize,
    version: Version,
}

/// How often something was changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Version(u64);

// === impl Cache ===

impl Cache {
    /// A value, or that there is none; `None` where that is not known.
    pub(crate) fn get(&self, space: &str, key: &str) -> Option<Option<Vec<u8>>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).values.get(space)?.get(key).cloned()
    }

    /// Ask for it before a value is read.
    pub(crate) fn version(&self) -> Version {
        self.0.read().unwrap_or_else(PoisonError::into_inner).version
    }

    /// Takes what was read, if nothing changed since `version`.
    pub(crate) fn put(&self, version: Version, space: &Arc<str>, key: &str, value: Option<&[u8]>) {
        let size = ENTRY + space.len() + key.len() + value.map_or(0, <[u8]>::len);
        if size > LARGEST {
            return;
        }
        self.change(|held| {
            if held.version != version {
                return;
            }
            if held.bytes + size > MOST {
                (held.values, held.bytes) = (HashMap::new(), 0);
            }
            let values = held.values.entry(Arc::clone(space)).or_default();
            if values.insert(key.to_owned(), value.map(<[u8]>::to_vec)).is_none() {
                held.bytes += size;
            }
        });
    }

    /// Something was committed, or may have been.
    pub(crate) fn forget<'a>(&self, changed: impl Iterator<Item = (&'a str, &'a str)>) {
        self.change(|held| {
            held.version.0 += 1;
            for (space, key) in changed {
                let Some(values) = held.values.get_mut(space) else { continue };
                if let Some(gone) = values.remove(key) {
                    held.bytes -= ENTRY + space.len() + key.len() + gone.map_or(0, |value| value.len());
                }
                if values.is_empty() {
                    held.values.remove(space);
                }
            }
        });
    }

    /// Anything may be otherwise by now.
    pub(crate) fn clear(&self) {
        self.change(|held| *held = Held { version: Version(held.version.0 + 1), ..Held::default() });
    }

    fn change(&self, change: impl FnOnce(&mut Held)) {
        // Nothing panics while it is held.
        change(&mut self.0.write().unwrap_or_else(PoisonError::into_inner));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn space(name: &str) -> Arc<str> {
        name.into()
    }

    fn held(cache: &Cache) -> usize {
        cache.0.read().expect("no panic").bytes
    }

    #[test]
    fn what_was_read_before_a_change_is_not_taken_after_it() {
        let (cache, space) = (Cache::default(), space("a/p"));
        let before = cache.version();
        cache.put(before, &space, "k", Some(b"old"));
        assert_eq!(cache.get("a/p", "k"), Some(Some(b"old".to_vec())));
        cache.forget([("a/p", "k"), ("a/p", "other"), ("b/p", "k")].into_iter());
        assert_eq!((cache.get("a/p", "k"), held(&cache)), (None, 0));
        cache.put(before, &space, "k", Some(b"old"));
        assert_eq!(cache.get("a/p", "k"), None, "it was read before");
        cache.put(cache.version(), &space, "k", None);
        assert_eq!(cache.get("a/p", "k"), Some(None), "that there is none is known, too");
        cache.clear();
        assert_eq!((cache.get("a/p", "k"), held(&cache)), (None, 0));
    }

    #[test]
    fn it_holds_no_more_than_it_may() {
        let (cache, space, value) = (Cache::default(), space("a/p"), vec![0; 8 << 10]);
        for number in 0..2000 {
            cache.put(cache.version(), &space, &number.to_string(), Some(&value));
            assert!(held(&cache) <= MOST);
            assert!(cache.get("a/p", &number.to_string()).is_some());
        }
        cache.put(cache.version(), &space, "large", Some(&[0; LARGEST]));
        assert_eq!(cache.get("a/p", "large"), None);
    }
}
