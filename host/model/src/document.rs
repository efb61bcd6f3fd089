//! JSON that the host holds: one flat arena, no tree of allocations.
//!
//! Items of a list, and members of an object, lie side by side, so that an item costs one index. An object of many
//! members carries a hash index, so that a member costs the same whatever the object's size. Strings without escapes
//! lie in the source text. [`Builder`] is how a reader makes one, from the leaves up; [`Value`] is how it is read.

mod builder;
mod index;
mod number;
mod pointer;
mod value;
mod write;

#[cfg(test)]
mod tests;

use self::index::Index;

pub use self::builder::{Builder, Duplicate, MAX_TEXT, Mark};
pub use self::value::Value;
pub(crate) use self::{pointer::split_first, write::text as write_text};

/// The type of a JSON value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Null,
    Boolean,
    Number,
    Text,
    List,
    Object,
}

/// A range of bytes: in the source text, or, past its end, in what had to be unescaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Span {
    start: u32,
    len: u32,
}

/// A value in the arena, in eight bytes. What `start` and the length mean depends on the tag: bytes for numbers and
/// texts, items or members for lists and objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    start: u32,
    /// The tag in the lowest three bits, the length above.
    meta: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tag {
    Null,
    False,
    True,
    Number,
    Text,
    List,
    Object,
    /// An object with an index; `start` is the index's place in [`Document::indexes`].
    IndexedObject,
}

#[derive(Clone, Copy, Debug)]
struct Member {
    key: Span,
    value: Node,
}

/// A read-only JSON value.
#[derive(Debug)]
pub struct Document {
    text: String,
    /// What the source has only with escapes, and keys that were given another spelling.
    unescaped: String,
    items: Vec<Node>,
    members: Vec<Member>,
    indexes: Vec<Index>,
    root: Node,
}

// === impl Span ===

impl Span {
    /// `len` bytes from `start` of the source text. Nothing is read where that is not a piece of it.
    pub fn new(start: usize, len: usize) -> Self {
        match (u32::try_from(start), u32::try_from(len)) {
            (Ok(start), Ok(len)) => Self { start, len },
            _ => Self::default(),
        }
    }

    pub fn start(self) -> usize {
        self.start as usize
    }
}

// === impl Node ===

impl Node {
    pub const NULL: Self = Self { start: 0, meta: Tag::Null as u32 };

    pub fn boolean(value: bool) -> Self {
        Self::new(if value { Tag::True } else { Tag::False }, 0, 0)
    }

    /// A number as it is spelt; the reader answers for its grammar.
    pub fn number(span: Span) -> Self {
        Self::new(Tag::Number, span.start, span.len)
    }

    pub fn text(span: Span) -> Self {
        Self::new(Tag::Text, span.start, span.len)
    }

    pub fn kind(self) -> Kind {
        match self.tag() {
            Tag::Null => Kind::Null,
            Tag::False | Tag::True => Kind::Boolean,
            Tag::Number => Kind::Number,
            Tag::Text => Kind::Text,
            Tag::List => Kind::List,
            Tag::Object | Tag::IndexedObject => Kind::Object,
        }
    }

    fn new(tag: Tag, start: u32, len: u32) -> Self {
        Self { start, meta: len << 3 | tag as u32 }
    }

    fn tag(self) -> Tag {
        match self.meta & 7 {
            0 => Tag::Null,
            1 => Tag::False,
            2 => Tag::True,
            3 => Tag::Number,
            4 => Tag::Text,
            5 => Tag::List,
            6 => Tag::Object,
            _ => Tag::IndexedObject,
        }
    }

    fn len(self) -> usize {
        (self.meta >> 3) as usize
    }

    fn span(self) -> Span {
        Span { start: self.start, len: self.meta >> 3 }
    }
}

// === impl Document ===

impl Document {
    pub fn root(&self) -> Value<'_> {
        Value::new(self, self.root)
    }

    /// The value at an RFC 6901 pointer: `""` is the root. None where the pointer is none, or nothing is there.
    pub fn pointer(&self, pointer: &str) -> Option<Value<'_>> {
        self.root().pointer(pointer)
    }

    /// How many bytes of memory it holds.
    pub fn size(&self) -> usize {
        size_of::<Self>()
            + self.text.capacity()
            + self.unescaped.capacity()
            + self.items.capacity() * size_of::<Node>()
            + self.members.capacity() * size_of::<Member>()
            + self.indexes.iter().map(Index::size).sum::<usize>()
    }

    fn str(&self, span: Span) -> &str {
        str_at(&self.text, &self.unescaped, span)
    }

    fn items(&self, list: Node) -> &[Node] {
        slice_at(&self.items, list.start as usize, list.len())
    }

    fn members(&self, object: Node) -> &[Member] {
        let start = if object.tag() == Tag::IndexedObject {
            self.indexes.get(object.start as usize).map_or(usize::MAX, Index::first_member)
        } else {
            object.start as usize
        };
        slice_at(&self.members, start, object.len())
    }

    fn member(&self, object: Node, key: &str) -> Option<Node> {
        let members = self.members(object);
        if object.tag() == Tag::IndexedObject {
            let index = self.indexes.get(object.start as usize)?;
            let position = index.find(key, |position| members.get(position).map(|member| self.str(member.key)))?;
            return members.get(position).map(|member| member.value);
        }
        members
            .iter()
            .find(|member| member.key.len as usize == key.len() && self.str(member.key) == key)
            .map(|member| member.value)
    }
}

impl Default for Document {
    /// An empty object.
    fn default() -> Self {
        let mut builder = Builder::new(0);
        let mark = builder.mark();
        let root = builder.close_distinct_object("", mark);
        builder.finish(String::new(), root)
    }
}

fn str_at<'a>(text: &'a str, unescaped: &'a str, span: Span) -> &'a str {
    let (start, len) = (span.start as usize, span.len as usize);
    let found = match start.checked_sub(text.len()) {
        Some(start) if len > 0 => unescaped.get(start..start + len),
        _ => text.get(start..start + len),
    };
    found.unwrap_or_default()
}

fn slice_at<T>(all: &[T], start: usize, len: usize) -> &[T] {
    all.get(start..start.saturating_add(len)).unwrap_or_default()
}
