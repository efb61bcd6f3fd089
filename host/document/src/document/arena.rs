//! Values that were read together: flat, and never changed.
//!
//! Items of a list, and members of an object, lie side by side, so that an item costs one index. An object of many
//! members carries a hash index, so that a member costs the same whatever the object's size. Strings without escapes
//! lie in the source text.

use std::ops::Range;

use super::Kind;
use super::index::Index;

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
pub(super) enum Tag {
    Null,
    False,
    True,
    Number,
    Text,
    List,
    Object,
    /// An object with an index; `start` is the index's place in [`Arena::indexes`].
    IndexedObject,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Member {
    pub(super) key: Span,
    pub(super) value: Node,
}

#[derive(Debug, Default)]
pub(super) struct Arena {
    pub(super) text: String,
    /// What the source has only with escapes, and keys that were given another spelling.
    pub(super) unescaped: String,
    pub(super) items: Vec<Node>,
    pub(super) members: Vec<Member>,
    pub(super) indexes: Vec<Index>,
    /// Whether `text` is JSON of the whole document, with no space in it but at its end.
    pub(super) is_verbatim: bool,
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
    pub(super) const EMPTY_OBJECT: Self = Self { start: 0, meta: Tag::Object as u32 };

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

    pub(super) fn new(tag: Tag, start: u32, len: u32) -> Self {
        Self { start, meta: len << 3 | tag as u32 }
    }

    pub(super) fn tag(self) -> Tag {
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

    pub(super) fn len(self) -> usize {
        (self.meta >> 3) as usize
    }

    pub(super) fn span(self) -> Span {
        Span { start: self.start, len: self.meta >> 3 }
    }
}

// === impl Arena ===

impl Arena {
    /// How many bytes of memory it holds.
    pub(super) fn size(&self) -> usize {
        size_of::<Self>()
            + self.text.capacity()
            + self.unescaped.capacity()
            + self.items.capacity() * size_of::<Node>()
            + self.members.capacity() * size_of::<Member>()
            + self.indexes.iter().map(Index::size).sum::<usize>()
    }

    /// Where that lies in the source text, if it does.
    pub(super) fn place(&self, span: Span) -> Option<Range<usize>> {
        let range = span.start()..span.start() + span.len as usize;
        (range.end <= self.text.len()).then_some(range)
    }

    pub(super) fn str(&self, span: Span) -> &str {
        str_at(&self.text, &self.unescaped, span)
    }

    /// A list's items; none for anything else.
    pub(super) fn items(&self, list: Node) -> &[Node] {
        if list.tag() == Tag::List { slice_at(&self.items, list.start as usize, list.len()) } else { &[] }
    }

    /// An object's members; none for anything else.
    pub(super) fn members(&self, object: Node) -> &[Member] {
        let start = match object.tag() {
            Tag::Object => object.start as usize,
            Tag::IndexedObject => self.index(object).map_or(usize::MAX, Index::first_member),
            Tag::Null | Tag::False | Tag::True | Tag::Number | Tag::Text | Tag::List => return &[],
        };
        slice_at(&self.members, start, object.len())
    }

    /// The place of `key` in an object, and its value.
    pub(super) fn member(&self, object: Node, key: &str) -> Option<(usize, Node)> {
        let members = self.members(object);
        let position = if object.tag() == Tag::IndexedObject {
            self.index(object)?.find(key, |position| members.get(position).map(|member| self.str(member.key)))?
        } else {
            members.iter().position(|member| member.key.len as usize == key.len() && self.str(member.key) == key)?
        };
        members.get(position).map(|member| (position, member.value))
    }

    fn index(&self, object: Node) -> Option<&Index> {
        self.indexes.get(object.start as usize)
    }
}

pub(super) fn str_at<'a>(text: &'a str, unescaped: &'a str, span: Span) -> &'a str {
    let (start, len) = (span.start as usize, span.len as usize);
    let found = match start.checked_sub(text.len()) {
        Some(start) if len > 0 => unescaped.get(start..start + len),
        _ => text.get(start..start + len),
    };
    found.unwrap_or_default()
}

pub(super) fn slice_at<T>(all: &[T], start: usize, len: usize) -> &[T] {
    all.get(start..start.saturating_add(len)).unwrap_or_default()
}
