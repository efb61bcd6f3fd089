//! Reading a document.

use std::fmt;

use super::{Document, Kind, Node, Tag, number, pointer, write};

/// One value of a [`Document`].
#[derive(Clone, Copy)]
pub struct Value<'a> {
    document: &'a Document,
    node: Node,
}

// === impl Value ===

impl<'a> Value<'a> {
    pub(super) fn new(document: &'a Document, node: Node) -> Self {
        Self { document, node }
    }

    pub fn kind(self) -> Kind {
        self.node.kind()
    }

    pub fn as_str(self) -> Option<&'a str> {
        (self.node.tag() == Tag::Text).then(|| self.document.str(self.node.span()))
    }

    pub fn as_bool(self) -> Option<bool> {
        (self.kind() == Kind::Boolean).then(|| self.node.tag() == Tag::True)
    }

    /// A whole number of this range, however it is spelt: `1000`, `1e3`, `1000.0`.
    pub fn as_i64(self) -> Option<i64> {
        self.number_text().and_then(number::whole)
    }

    /// Any number as the nearest double; infinite where it is beyond all of them, so that a limit still holds.
    pub fn as_f64(self) -> Option<f64> {
        self.number_text().and_then(|text| text.parse().ok())
    }

    /// A number as it was spelt.
    pub fn number_text(self) -> Option<&'a str> {
        (self.node.tag() == Tag::Number).then(|| self.document.str(self.node.span()))
    }

    /// How many items a list has, or members an object.
    #[expect(clippy::len_without_is_empty, reason = "most values have no length, so none is empty or not")]
    pub fn len(self) -> Option<usize> {
        matches!(self.kind(), Kind::List | Kind::Object).then(|| self.node.len())
    }

    /// An object's member.
    pub fn get(self, key: &str) -> Option<Value<'a>> {
        if self.kind() != Kind::Object {
            return None;
        }
        self.document.member(self.node, key).map(|node| Self::new(self.document, node))
    }

    /// A list's item.
    pub fn at(self, index: usize) -> Option<Value<'a>> {
        self.list().get(index).map(|node| Self::new(self.document, *node))
    }

    /// The value at an RFC 6901 pointer from here.
    pub fn pointer(self, pointer: &str) -> Option<Value<'a>> {
        pointer::follow(self, pointer)
    }

    /// A list's items; none for anything else.
    pub fn items(self) -> impl ExactSizeIterator<Item = Value<'a>> + use<'a> {
        self.list().iter().map(move |node| Self::new(self.document, *node))
    }

    /// An object's members in the order of the document; none for anything else.
    pub fn members(self) -> impl ExactSizeIterator<Item = (&'a str, Value<'a>)> + use<'a> {
        let members = if self.kind() == Kind::Object { self.document.members(self.node) } else { &[] };
        members.iter().map(move |member| (self.document.str(member.key), Self::new(self.document, member.value)))
    }

    /// The names of an object's members in the order of the document.
    pub fn keys(self) -> Option<Vec<&'a str>> {
        (self.kind() == Kind::Object).then(|| self.members().map(|(key, _)| key).collect())
    }

    /// The texts of a list that has nothing else but nulls, which count as empty, as the daemon reads them.
    pub fn texts(self) -> Option<Vec<&'a str>> {
        if self.kind() != Kind::List {
            return None;
        }
        self.items().map(|item| if item.kind() == Kind::Null { Some("") } else { item.as_str() }).collect()
    }

    /// Appends the value as JSON with no space in it.
    pub fn write_json(self, out: &mut String) {
        write::value(self.document, self.node, out);
    }

    /// The value as JSON with no space in it.
    pub fn to_json(self) -> String {
        let mut out = String::new();
        self.write_json(&mut out);
        out
    }

    fn list(self) -> &'a [Node] {
        if self.node.tag() == Tag::List { self.document.items(self.node) } else { &[] }
    }
}

impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_json())
    }
}
