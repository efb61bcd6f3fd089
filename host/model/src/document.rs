//! JSON that the host holds: one flat arena, no tree of allocations.
//!
//! Children of a list or object lie side by side, so an item costs one index; an object of many members carries an
//! index of its own, so that a member costs a binary search whatever the object's size.

use std::cmp::Ordering;

/// How many members an object has before it is worth an index.
const INDEXED_FROM: usize = 24;

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

/// A range of bytes in the text arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Span {
    start: u32,
    len: u32,
}

/// A value in the arena; `span` means text for numbers and strings, children for lists and objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    kind: Kind,
    truth: bool,
    span: Span,
}

#[derive(Clone, Copy, Debug)]
struct Member {
    key: Span,
    value: Node,
}

/// A read-only JSON value.
#[derive(Debug)]
pub struct Document {
    /// The source text; strings without escapes and numbers lie in it.
    text: Box<str>,
    /// What had to be unescaped; its first byte follows `text`'s last.
    unescaped: String,
    items: Vec<Node>,
    members: Vec<Member>,
    /// For each indexed object (named by its first member), its members' positions sorted by key.
    sorted: Vec<u32>,
    indexed: Vec<(u32, u32)>,
    root: Node,
}

/// One value of a [`Document`].
#[derive(Clone, Copy, Debug)]
pub struct Value<'a> {
    document: &'a Document,
    node: Node,
}
