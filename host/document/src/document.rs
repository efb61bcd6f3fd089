//! JSON that the host holds, and never changes.
//!
//! What is read lies in one flat arena, with no tree of allocations. [`Builder`] is how a reader makes one,
//! from the leaves up; [`Value`] is how it is read. A change ([`Document::set`], [`patch`](crate::patch)) makes another
//! document, which shares with the old one all that was not changed. [`Document::compacted`] makes a changed
//! document flat again.

mod arena;
mod bounds;
mod builder;
mod change;
mod equal;
mod flatten;
mod index;
mod number;
mod pattern;
mod pointer;
mod seq;
mod size;
mod tree;
mod value;
mod walk;
mod write;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use self::arena::Arena;
use self::size::Sizes;
use self::tree::Tree;

pub use self::arena::{Node, Span};
pub use self::bounds::Bounds;
pub use self::builder::{Builder, Duplicate, Mark};
pub use self::change::{Change, ChangeError, Why};
pub(crate) use self::change::{Draft, Graft, Way};
pub use self::pattern::{Pattern, fits};
pub use self::pointer::split_first;
pub use self::value::Value;
pub use self::write::text as write_text;

/// A document of more bytes than this is not read and not made: a longer text does not fit a [`Node`]'s length.
pub const MAX_TEXT: usize = (1 << 29) - 1;

/// So many lists and objects may be open at once: Go's limit.
pub const MAX_DEPTH: usize = 10_000;

/// A document that was changed less often than this is not worth compacting, and neither is one of which fewer bytes
/// were dropped.
const FEW_CHANGES: usize = 1024;
const FEW_BYTES: usize = 1 << 20;

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

/// A read-only JSON value. A clone shares everything.
#[derive(Clone)]
pub struct Document {
    root: Tree,
    change_count: ChangeCount,
}

/// What became of a document since it was flat.
#[derive(Clone, Copy, Debug)]
struct ChangeCount {
    /// The length of its JSON, at most.
    bytes: usize,
    /// How many items and members it was read with.
    children: usize,
    changes: usize,
    /// Of the values that were removed or replaced, and that the arena still holds.
    dropped_bytes: usize,
}

// === impl Kind ===

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "null",
            Self::Boolean => "true or false",
            Self::Number => "a number",
            Self::Text => "a text",
            Self::List => "a list",
            Self::Object => "an object",
        })
    }
}

// === impl Document ===

impl Document {
    pub fn root(&self) -> Value<'_> {
        self.root.value()
    }

    /// The value at an RFC 6901 pointer: `""` is the root. None where the pointer is none, or nothing is there.
    pub fn pointer(&self, pointer: &str) -> Option<Value<'_>> {
        self.root().pointer(pointer)
    }

    /// Its source text, where that is its JSON with no space in it but at its end, where it is left out. Escapes are as
    /// they were written, and none stands for half a surrogate pair.
    pub fn verbatim(&self) -> Option<&str> {
        let (arena, _) = self.root().as_flat()?;
        let is_verbatim = arena.is_verbatim && self.change_count.changes == 0;
        is_verbatim.then(|| arena.text.trim_end_matches([' ', '\n', '\r', '\t']))
    }

    /// Whether a key or a text has this in it and is written with escapes in the source text, or otherwise.
    pub fn has_escaped(&self, byte: u8) -> bool {
        self.root().as_flat().is_none_or(|(arena, _)| arena.unescaped.as_bytes().contains(&byte))
    }

    /// How long its JSON is, at most, but for what escapes add. It costs nothing to ask.
    pub fn json_len(&self) -> usize {
        self.change_count.bytes
    }

    /// How many bytes of memory it holds, also those that it shares with others.
    pub fn size(&self) -> usize {
        self.size_beside(&[])
    }

    /// How many bytes of memory it holds that none of `others` holds.
    pub fn size_beside(&self, others: &[&Self]) -> usize {
        let mut sizes = Sizes::default();
        others.iter().for_each(|other| sizes.add(&other.root));
        let shared = sizes.bytes;
        sizes.add(&self.root);
        size_of::<Self>() + sizes.bytes - shared
    }

    /// Whether so much was changed that [`Self::compacted`] is worth its time: more than a quarter of the members and
    /// items, or half of the bytes.
    pub fn needs_compaction(&self) -> bool {
        let ChangeCount { bytes, children, changes, dropped_bytes } = self.change_count;
        changes > FEW_CHANGES.max(children / 4) || dropped_bytes > FEW_BYTES.max(bytes)
    }

    /// The same document, flat, and sharing nothing with any other. It takes a time of its whole size.
    pub fn compacted(&self) -> Self {
        if self.change_count.changes == 0 {
            return self.clone();
        }
        let (arena, root) = flatten::copy(self.root());
        Self::flat(arena, root)
    }

    fn flat(arena: Arena, root: Node) -> Self {
        let change_count = ChangeCount {
            bytes: arena.text.len() + arena.unescaped.len(),
            children: arena.items.len() + arena.members.len(),
            changes: 0,
            dropped_bytes: 0,
        };
        Self { root: Tree::Flat(Arc::new(arena), root), change_count }
    }
}

impl Default for Document {
    /// An empty object.
    fn default() -> Self {
        Self::flat(Arena::default(), Node::EMPTY_OBJECT)
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.root().fmt(f)
    }
}

impl PartialEq for Document {
    fn eq(&self, other: &Self) -> bool {
        self.root() == other.root()
    }
}
