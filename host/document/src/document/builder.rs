//! How a reader makes a document, from the leaves up.
//!
//! What is not yet closed lies on two stacks; closing a list or an object moves its children to the arena in one piece.

use super::Document;
use super::arena::{Arena, Member, Node, Span, Tag, slice_at, str_at};
use super::index::Index;

/// An object of more members than this has an index. Up to here, looking at each member's length is as fast.
const INDEXED_OVER: usize = 64;

/// Where an open list or object begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    items: u32,
    members: u32,
}

/// The same key twice in one object: the place of the second one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Duplicate {
    pub key: Span,
}

/// A document that is being made. It does not hold the source text, which [`Builder::finish`] takes.
#[derive(Debug, Default)]
pub struct Builder {
    text_len: usize,
    is_verbatim: bool,
    unescaped: String,
    items: Vec<Node>,
    members: Vec<Member>,
    indexes: Vec<Index>,
    open_items: Vec<Node>,
    open_members: Vec<Member>,
}

// === impl Builder ===

impl Builder {
    /// For a source text of `text_len` bytes, at most [`MAX_TEXT`](super::MAX_TEXT).
    pub fn new(text_len: usize) -> Self {
        let expected = (text_len / 32).min(1 << 16);
        Self {
            text_len,
            items: Vec::with_capacity(expected / 4),
            members: Vec::with_capacity(expected),
            open_items: Vec::with_capacity(expected / 8),
            open_members: Vec::with_capacity(expected),
            ..Self::default()
        }
    }

    /// Keeps a text that the source has not as it is.
    pub fn unescaped(&mut self, text: &str) -> Span {
        let start = self.unescaped_len();
        self.unescaped.push_str(text);
        self.unescaped_since(start)
    }

    /// The source text is the document's JSON with no space in it but at its end; see [`Document::verbatim`].
    pub fn set_verbatim(&mut self) {
        self.is_verbatim = true;
    }

    /// For texts that are put together piece by piece: [`Self::unescaped_len`], then pushes here, then
    /// [`Self::unescaped_since`].
    pub fn unescaped_mut(&mut self) -> &mut String {
        &mut self.unescaped
    }

    pub fn unescaped_len(&self) -> usize {
        self.unescaped.len()
    }

    pub fn unescaped_since(&self, start: usize) -> Span {
        Span::new(self.text_len + start, self.unescaped.len().saturating_sub(start))
    }

    /// Call it where a list or object opens; its items or members come next.
    pub fn mark(&self) -> Mark {
        Mark { items: self.open_items.len() as u32, members: self.open_members.len() as u32 }
    }

    pub fn item(&mut self, value: Node) {
        self.open_items.push(value);
    }

    pub fn member(&mut self, key: Span, value: Node) {
        self.open_members.push(Member { key, value });
    }

    /// How many items the list that opened last has so far.
    pub fn open_items(&self, mark: Mark) -> usize {
        self.open_items.len().saturating_sub(mark.items as usize)
    }

    /// The keys so far of the object of `text` that opened last.
    pub fn open_keys<'a>(&'a self, text: &'a str, mark: Mark) -> impl ExactSizeIterator<Item = &'a str> {
        let opened = self.open_members.get(mark.members as usize..).unwrap_or_default();
        opened.iter().map(move |member| self.str(text, member.key))
    }

    pub fn close_list(&mut self, mark: Mark) -> Node {
        let opened = self.open_items.get(mark.items as usize..).unwrap_or_default();
        let node = Node::new(Tag::List, self.items.len() as u32, opened.len() as u32);
        self.items.extend_from_slice(opened);
        self.open_items.truncate(mark.items as usize);
        node
    }

    /// Closes an object of `text`; the same key twice is an error.
    pub fn close_object(&mut self, text: &str, mark: Mark) -> Result<Node, Duplicate> {
        let opened = self.open_members.get(mark.members as usize..).unwrap_or_default();
        if opened.len() > INDEXED_OVER {
            return self.close_indexed(text, mark);
        }
        match first_repeated(opened, |span| str_at(text, &self.unescaped, span)) {
            Some(member) => Err(Duplicate { key: member.key }),
            None => Ok(self.move_members(mark)),
        }
    }

    /// Closes an object of `text` whose keys the reader knows to differ.
    pub fn close_distinct_object(&mut self, text: &str, mark: Mark) -> Node {
        let opened = self.open_members.len().saturating_sub(mark.members as usize);
        if opened > 2 * INDEXED_OVER
            && let Ok(node) = self.close_indexed(text, mark)
        {
            return node;
        }
        self.move_members(mark)
    }

    /// A key's or a text's characters, while the document is being made from `text`.
    pub fn str<'a>(&'a self, text: &'a str, span: Span) -> &'a str {
        str_at(text, &self.unescaped, span)
    }

    /// The document, whose source text is `text`.
    pub fn finish(self, text: String, root: Node) -> Document {
        let Self { is_verbatim, mut unescaped, mut items, mut members, mut indexes, .. } = self;
        let mut text = text;
        give_back(&mut items);
        give_back(&mut members);
        give_back(&mut indexes);
        if is_worth_a_copy(text.capacity() - text.len()) {
            text.shrink_to_fit();
        }
        if is_worth_a_copy(unescaped.capacity() - unescaped.len()) {
            unescaped.shrink_to_fit();
        }
        Document::flat(Arena { text, unescaped, items, members, indexes, is_verbatim }, root)
    }

    /// What was made of no source text. Nothing is set aside, for it may be one of many small ones.
    pub(super) fn finish_arena(self) -> Arena {
        let Self { mut unescaped, mut items, mut members, mut indexes, .. } = self;
        unescaped.shrink_to_fit();
        items.shrink_to_fit();
        members.shrink_to_fit();
        indexes.shrink_to_fit();
        Arena { text: String::new(), unescaped, items, members, indexes, is_verbatim: false }
    }

    fn close_indexed(&mut self, text: &str, mark: Mark) -> Result<Node, Duplicate> {
        let opened = self.open_members.get(mark.members as usize..).unwrap_or_default();
        let key_at = |position| opened.get(position).map(|member: &Member| str_at(text, &self.unescaped, member.key));
        let index = Index::build(self.members.len(), opened.len(), key_at)
            .map_err(|position| Duplicate { key: opened.get(position).map(|member| member.key).unwrap_or_default() })?;
        let node = Node::new(Tag::IndexedObject, self.indexes.len() as u32, opened.len() as u32);
        self.indexes.push(index);
        self.move_members(mark);
        Ok(node)
    }

    fn move_members(&mut self, mark: Mark) -> Node {
        let opened = self.open_members.get(mark.members as usize..).unwrap_or_default();
        let node = Node::new(Tag::Object, self.members.len() as u32, opened.len() as u32);
        self.members.extend_from_slice(opened);
        self.open_members.truncate(mark.members as usize);
        node
    }
}

/// The first member whose key came before. A few bits tell most keys apart without comparing them.
fn first_repeated<'a>(members: &[Member], str: impl Fn(Span) -> &'a str) -> Option<&Member> {
    let mut seen = 0_u64;
    members.iter().enumerate().find_map(|(position, member)| {
        let key = str(member.key);
        let bit = sketch(key.as_bytes());
        let maybe = seen & bit != 0;
        seen |= bit;
        (maybe && slice_at(members, 0, position).iter().any(|other| str(other.key) == key)).then_some(member)
    })
}

/// One of 64 bits, from a key's length and edges.
fn sketch(key: &[u8]) -> u64 {
    let edge = |byte: Option<&u8>| usize::from(byte.copied().unwrap_or_default());
    1 << ((key.len() * 29 + edge(key.first()) * 5 + edge(key.last()) * 11) % 64)
}

/// Returns what was set aside and not used.
fn give_back<T>(all: &mut Vec<T>) {
    if is_worth_a_copy((all.capacity() - all.len()) * size_of::<T>()) {
        all.shrink_to_fit();
    }
}

fn is_worth_a_copy(unused_bytes: usize) -> bool {
    unused_bytes > 64 << 10
}
