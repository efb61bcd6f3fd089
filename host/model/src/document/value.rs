//! Reading a document.

use std::{fmt, io, slice};

use super::arena::{Arena, Member, Node, Tag};
use super::tree::{Added, List, Object, Piece, Slot};
use super::{Kind, equal, number, pointer, seq, write};

/// One value of a [`Document`](super::Document).
#[derive(Clone, Copy)]
pub struct Value<'a>(Place<'a>);

#[derive(Clone, Copy)]
enum Place<'a> {
    Flat(&'a Arena, Node),
    Object(&'a Object),
    List(&'a List),
}

/// A list's items.
#[derive(Default)]
pub(super) struct Items<'a> {
    run: Option<(&'a Arena, slice::Iter<'a, Node>)>,
    pieces: seq::Iter<'a, Piece>,
    len: usize,
}

/// An object's members, in the order of the document.
#[derive(Default)]
pub(super) struct Members<'a> {
    /// As they were read, from this position on.
    read: Option<(&'a Arena, slice::Iter<'a, Member>)>,
    position: u32,
    /// The next one that was changed, and the others.
    slot: Option<&'a Slot>,
    slots: seq::Iter<'a, Slot>,
    added: seq::Iter<'a, Added>,
    len: usize,
}

// === impl Value ===

impl<'a> Value<'a> {
    pub(super) fn flat(arena: &'a Arena, node: Node) -> Self {
        Self(Place::Flat(arena, node))
    }

    pub(super) fn object(object: &'a Object) -> Self {
        Self(Place::Object(object))
    }

    pub(super) fn list(list: &'a List) -> Self {
        Self(Place::List(list))
    }

    pub fn kind(self) -> Kind {
        match self.0 {
            Place::Flat(_, node) => node.kind(),
            Place::Object(_) => Kind::Object,
            Place::List(_) => Kind::List,
        }
    }

    pub fn as_str(self) -> Option<&'a str> {
        self.characters(Tag::Text)
    }

    pub fn as_bool(self) -> Option<bool> {
        match self.as_flat()?.1.tag() {
            Tag::True => Some(true),
            Tag::False => Some(false),
            Tag::Null | Tag::Number | Tag::Text | Tag::List | Tag::Object | Tag::IndexedObject => None,
        }
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
        self.characters(Tag::Number)
    }

    /// How many items a list has, or members an object.
    #[expect(clippy::len_without_is_empty, reason = "most values have no length, so none is empty or not")]
    pub fn len(self) -> Option<usize> {
        match self.0 {
            Place::Flat(_, node) => matches!(node.kind(), Kind::List | Kind::Object).then(|| node.len()),
            Place::Object(object) => Some(object.len()),
            Place::List(list) => Some(list.len()),
        }
    }

    /// An object's member.
    pub fn get(self, key: &str) -> Option<Value<'a>> {
        match self.0 {
            Place::Flat(arena, node) => arena.member(node, key).map(|(_, node)| Self::flat(arena, node)),
            Place::Object(object) => object.get(key),
            Place::List(_) => None,
        }
    }

    /// A list's item.
    pub fn at(self, index: usize) -> Option<Value<'a>> {
        match self.0 {
            Place::Flat(arena, node) => arena.items(node).get(index).map(|node| Self::flat(arena, *node)),
            Place::List(list) => list.get(index),
            Place::Object(_) => None,
        }
    }

    /// The value at an RFC 6901 pointer from here.
    pub fn pointer(self, pointer: &str) -> Option<Value<'a>> {
        pointer::follow(self, pointer)
    }

    /// A list's items; none for anything else.
    pub fn items(self) -> impl ExactSizeIterator<Item = Value<'a>> + use<'a> {
        Items::of(self)
    }

    /// An object's members in the order of the document; none for anything else.
    pub fn members(self) -> impl ExactSizeIterator<Item = (&'a str, Value<'a>)> + use<'a> {
        Members::of(self)
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
        // A `String` takes everything.
        _ = write::value(self, out);
    }

    /// Writes the value as JSON with no space in it, piece by piece: nothing of its size is held.
    pub fn write_to(self, out: impl io::Write) -> io::Result<()> {
        write::to(self, out)
    }

    /// The value as JSON with no space in it.
    pub fn to_json(self) -> String {
        let mut out = String::new();
        self.write_json(&mut out);
        out
    }

    /// A value as it was read, with where it lies.
    pub(super) fn as_flat(self) -> Option<(&'a Arena, Node)> {
        match self.0 {
            Place::Flat(arena, node) => Some((arena, node)),
            Place::Object(_) | Place::List(_) => None,
        }
    }

    fn characters(self, tag: Tag) -> Option<&'a str> {
        let (arena, node) = self.as_flat()?;
        (node.tag() == tag).then(|| arena.str(node.span()))
    }
}

/// By value, as RFC 6902, section 4.6 has it: numbers are equal as numbers are, whatever their spelling, and objects
/// whatever the order of their members.
impl PartialEq for Value<'_> {
    fn eq(&self, other: &Self) -> bool {
        equal::values(*self, *other)
    }
}

impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write::value(*self, f)
    }
}

// === impl Items ===

impl<'a> Items<'a> {
    pub(super) fn of(value: Value<'a>) -> Self {
        match value.0 {
            Place::Flat(arena, node) => {
                let items = arena.items(node);
                Self { run: Some((arena, items.iter())), pieces: seq::Iter::default(), len: items.len() }
            }
            Place::List(list) => Self { run: None, pieces: list.pieces.iter(), len: list.len() },
            Place::Object(_) => Self::default(),
        }
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        loop {
            if let Some((arena, run)) = &mut self.run
                && let Some(node) = run.next()
            {
                self.len = self.len.saturating_sub(1);
                return Some(Value::flat(arena, *node));
            }
            match self.pieces.next()? {
                Piece::Run { arena, list, start, len } => {
                    let run = arena.items(*list).iter();
                    let start = *start as usize;
                    let run = run.as_slice().get(start..start + *len as usize).unwrap_or_default();
                    self.run = Some((arena, run.iter()));
                }
                Piece::Item(tree) => {
                    self.len = self.len.saturating_sub(1);
                    return Some(tree.value());
                }
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.len, Some(self.len))
    }
}

impl ExactSizeIterator for Items<'_> {}

// === impl Members ===

impl<'a> Members<'a> {
    pub(super) fn of(value: Value<'a>) -> Self {
        match value.0 {
            Place::Flat(arena, node) => {
                let members = arena.members(node);
                Self { read: Some((arena, members.iter())), len: members.len(), ..Self::default() }
            }
            Place::Object(object) => {
                let mut slots = object.changed.iter();
                Self {
                    read: Some((&object.arena, object.read().iter())),
                    position: 0,
                    slot: slots.next(),
                    slots,
                    added: object.added.iter(),
                    len: object.len(),
                }
            }
            Place::List(_) => Self::default(),
        }
    }

    fn next_read(&mut self) -> Option<(&'a str, Value<'a>)> {
        let (arena, read) = self.read.as_mut()?;
        loop {
            let member = read.next()?;
            let position = self.position;
            self.position += 1;
            let Some(slot) = self.slot.filter(|slot| slot.position == position) else {
                return Some((arena.str(member.key), Value::flat(arena, member.value)));
            };
            self.slot = self.slots.next();
            if let Some(tree) = &slot.value {
                return Some((arena.str(member.key), tree.value()));
            }
        }
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = (&'a str, Value<'a>);

    fn next(&mut self) -> Option<(&'a str, Value<'a>)> {
        let next = self.next_read().or_else(|| self.added.next().map(|added| (&*added.key, added.value.value())));
        self.len = self.len.saturating_sub(usize::from(next.is_some()));
        next
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.len, Some(self.len))
    }
}

impl ExactSizeIterator for Members<'_> {}
