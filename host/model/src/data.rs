//! The operator's documents, by name.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use portcullis_document::{Document, Kind, Value, split_first, write_text};

/// All documents that a policy may read: `data/users.json` is `/users`, and `""` is all of them as one object.
#[derive(Clone, Debug, Default)]
pub struct Data {
    documents: BTreeMap<String, Arc<Document>>,
}

/// What a pointer into [`Data`] leads to. It answers the same questions as a [`Value`].
#[derive(Clone, Copy, Debug)]
pub enum Found<'a> {
    /// All documents.
    Root(&'a Data),
    Value(Value<'a>),
}

// === impl Data ===

impl Data {
    /// Where two have one name, the later one stays.
    pub fn new(documents: impl IntoIterator<Item = (String, Arc<Document>)>) -> Self {
        Self { documents: documents.into_iter().collect() }
    }

    /// These documents, and of the others those whose names these do not have.
    pub fn over(&self, others: &Self) -> Self {
        let mut documents = others.documents.clone();
        documents.extend(self.documents.clone());
        Self { documents }
    }

    pub fn is_empty(&self) -> bool {
        self.documents.is_empty()
    }

    /// Sorted.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.documents.keys().map(String::as_str)
    }

    pub fn get(&self, name: &str) -> Option<&Arc<Document>> {
        self.documents.get(name)
    }

    /// What is at an RFC 6901 pointer.
    pub fn lookup(&self, pointer: &str) -> Option<Found<'_>> {
        match split_first(pointer)? {
            None => Some(Found::Root(self)),
            Some((name, rest)) => self.get(&name)?.pointer(rest).map(Found::Value),
        }
    }

    fn write_to(&self, out: &mut impl io::Write) -> io::Result<()> {
        let mut before = String::from("{");
        for (name, document) in &self.documents {
            write_text(name, &mut before);
            before.push(':');
            out.write_all(before.as_bytes())?;
            document.root().write_to(out)?;
            before.replace_range(.., ",");
        }
        out.write_all(if self.is_empty() { b"{}" } else { b"}" })
    }

    fn to_json(&self) -> String {
        let mut out = String::from("{");
        for (name, document) in &self.documents {
            if out.len() > 1 {
                out.push(',');
            }
            write_text(name, &mut out);
            out.push(':');
            document.root().write_json(&mut out);
        }
        out.push('}');
        out
    }
}

// === impl Found ===

impl<'a> Found<'a> {
    /// The value, unless it is all documents together.
    pub fn value(self) -> Option<Value<'a>> {
        match self {
            Self::Root(_) => None,
            Self::Value(value) => Some(value),
        }
    }

    pub fn kind(self) -> Kind {
        self.value().map_or(Kind::Object, Value::kind)
    }

    pub fn as_str(self) -> Option<&'a str> {
        self.value()?.as_str()
    }

    pub fn as_bool(self) -> Option<bool> {
        self.value()?.as_bool()
    }

    pub fn as_i64(self) -> Option<i64> {
        self.value()?.as_i64()
    }

    pub fn as_f64(self) -> Option<f64> {
        self.value()?.as_f64()
    }

    pub fn texts(self) -> Option<Vec<&'a str>> {
        self.value()?.texts()
    }

    #[expect(clippy::len_without_is_empty, reason = "most values have no length, so none is empty or not")]
    pub fn len(self) -> Option<usize> {
        match self {
            Self::Root(data) => Some(data.documents.len()),
            Self::Value(value) => value.len(),
        }
    }

    pub fn keys(self) -> Option<Vec<&'a str>> {
        match self {
            Self::Root(data) => Some(data.names().collect()),
            Self::Value(value) => value.keys(),
        }
    }

    pub fn to_json(self) -> String {
        match self {
            Self::Root(data) => data.to_json(),
            Self::Value(value) => value.to_json(),
        }
    }
}

impl Found<'_> {
    /// As [`Value::write_to`].
    pub fn write_to(self, out: &mut impl io::Write) -> io::Result<()> {
        match self {
            Self::Root(data) => data.write_to(out),
            Self::Value(value) => value.write_to(out),
        }
    }
}

impl<'a> From<Value<'a>> for Found<'a> {
    fn from(value: Value<'a>) -> Self {
        Self::Value(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use portcullis_document::{Builder, Node, Span};

    fn document(text: &str) -> Arc<Document> {
        let root = Node::text(Span::new(0, text.len()));
        Arc::new(Builder::new(text.len()).finish(text.to_owned(), root))
    }

    fn data() -> Data {
        Data::new([
            ("users".to_owned(), document("alice")),
            ("a/b".to_owned(), document("x")),
            ("e".to_owned(), Arc::default()),
        ])
    }

    #[test]
    fn documents_are_members_of_one_object() {
        let data = data();
        for (pointer, expected) in [
            ("", Some(r#"{"a/b":"x","e":{},"users":"alice"}"#)),
            ("/users", Some(r#""alice""#)),
            ("/a~1b", Some(r#""x""#)),
            ("/a/b", None),
            ("/users/0", None),
            ("users", None),
            ("/e", Some("{}")),
            ("/", None),
        ] {
            assert_eq!(data.lookup(pointer).map(Found::to_json).as_deref(), expected, "{pointer}");
            let mut written = Vec::new();
            let found = data.lookup(pointer).map(|found| found.write_to(&mut written).expect("is written"));
            assert_eq!(found.map(|()| written.as_slice()), expected.map(str::as_bytes), "{pointer}");
        }
        assert_eq!(Data::default().lookup("").map(Found::to_json).as_deref(), Some("{}"));
        let mut written = Vec::new();
        Data::default().lookup("").expect("is there").write_to(&mut written).expect("is written");
        assert_eq!(written, b"{}");
    }

    #[test]
    fn documents_lie_over_others_whole() {
        let own = Data::new([("users".to_owned(), document("bob")), ("own".to_owned(), document("y"))]);
        let over = own.over(&data());
        assert_eq!(
            over.lookup("").map(Found::to_json).as_deref(),
            Some(r#"{"a/b":"x","e":{},"own":"y","users":"bob"}"#)
        );
        assert!(Data::default().is_empty() && !over.is_empty());
    }

    #[test]
    fn all_documents_answer_as_an_object() {
        let data = data();
        let root = data.lookup("").expect("is there");
        assert_eq!((root.kind(), root.len(), root.keys()), (Kind::Object, Some(3), Some(vec!["a/b", "e", "users"])));
        assert_eq!((root.as_str(), root.texts()), (None, None));
        assert_eq!(data.lookup("/users").and_then(Found::as_str), Some("alice"));
    }
}
