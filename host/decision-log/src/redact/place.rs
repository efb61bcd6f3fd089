//! Where in a call something is.

use std::borrow::Cow;

use portcullis_document::write_text;

/// So many bytes of pointers are expected.
const EXPECTED: usize = 512;

/// One step of the way to a value in a body.
#[derive(Clone, Copy, Debug)]
pub(super) enum Key<'v> {
    Member(&'v str),
    Item(usize),
}

/// JSON pointers into a [`RequestRecord`](crate::record::RequestRecord) to what was taken out, as the texts
/// of a JSON list.
#[derive(Debug, Default)]
pub(super) struct Redacted(String);

// === impl Redacted ===

impl Redacted {
    pub(super) fn push(&mut self, pointer: &str) {
        self.begin();
        write_text(pointer, &mut self.0);
    }

    /// A value in the body.
    pub(super) fn push_body(&mut self, keys: &[Key<'_>]) {
        if keys.iter().any(|key| matches!(key, Key::Member(name) if !name.bytes().all(is_plain))) {
            let escaped = |key: &Key<'_>| key.text().replace('~', "~0").replace('/', "~1");
            let pointer: String = keys.iter().flat_map(|key| ["/".to_owned(), escaped(key)]).collect();
            return self.push(&format!("/body{pointer}"));
        }
        self.begin();
        self.0.push_str("\"/body");
        for key in keys {
            self.0.push('/');
            match key {
                Key::Member(name) => self.0.push_str(name),
                Key::Item(at) => self.0.push_str(itoa::Buffer::new().format(*at)),
            }
        }
        self.0.push('"');
    }

    /// The texts, with commas between them.
    pub(super) fn json(&self) -> &str {
        &self.0
    }

    /// Leaves only what the texts were then.
    pub(super) fn truncate(&mut self, len: usize) {
        self.0.truncate(len);
    }

    fn begin(&mut self) {
        if self.0.is_empty() {
            self.0.reserve(EXPECTED);
        } else {
            self.0.push(',');
        }
    }
}

/// Whether it stands in a JSON pointer, and in a JSON text, as it is.
fn is_plain(byte: u8) -> bool {
    byte >= b' ' && !matches!(byte, b'"' | b'\\' | b'~' | b'/')
}

// === impl Key ===

impl<'v> Key<'v> {
    pub(super) fn text(self) -> Cow<'v, str> {
        match self {
            Self::Member(name) => name.into(),
            Self::Item(at) => at.to_string().into(),
        }
    }
}
