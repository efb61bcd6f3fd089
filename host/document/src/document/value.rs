//! Reading a document.

use std::ops::Range;
use std::{fmt, io, iter, slice};

use super::arena::{Arena, Member, Node, Tag, slice_at};
use super::tree::{Added, List, Object, Piece, Slot};
use super::{Kind, equal, number, pointer, seq, write};

/// One value of a [`Document`](super::Document).
#[derive(Clone, Copy)]
pub struct Value<'a>(Location<'a>);

#[derive(Clone, Copy)]
enum Location<'a> {
    Flat(&'a Arena, Node),
    Object(&'a Object),
    List(&'a List),
}

/// A list's items.
pub(super) enum Items<'a> {
    Flat(&'a Arena, slice::Iter<'a, Node>),
    Changed(Box<ChangedItems<'a>>),
    None,
}

/// An object's members, in the order of the document.
pub(super) enum Members<'a> {
    Flat(&'a Arena, slice::Iter<'a, Member>),
    Changed(Box<ChangedMembers<'a>>),
    None,
}

pub(super) struct ChangedItems<'a> {
    run: Option<(&'a Arena, slice::Iter<'a, Node>)>,
    pieces: seq::Iter<'a, Piece>,
    len: usize,
}

pub(super) struct ChangedMembers<'a> {
    /// As they were read, from this position on.
    arena: &'a Arena,
    read: slice::Iter<'a, Member>,
    position: u32,
    /// The next one that was changed, and the others.
    slot: Option<&'a Slot>,
    slots: seq::Iter<'a, Slot>,
    added: seq::Iter<'a, Added>,
    len: usize,
}

// === impl Value ===

impl<'a> Value<'a> {
    #[inline]
    pub(super) fn flat(arena: &'a Arena, node: Node) -> Self {
        Self(Location::Flat(arena, node))
    }

    pub(super) fn object(object: &'a Object) -> Self {
        Self(Location::Object(object))
    }

    pub(super) fn list(list: &'a List) -> Self {
        Self(Location::List(list))
    }

    #[inline]
    pub fn kind(self) -> Kind {
        match self.0 {
            Location::Flat(_, node) => node.kind(),
            Location::Object(_) => Kind::Object,
            Location::List(_) => Kind::List,
        }
    }

    #[inline]
    pub fn as_str(self) -> Option<&'a str> {
        self.characters(Tag::Text)
    }

    #[inline]
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

    /// Where a number's or a text's characters lie in the source text, if they lie there as they are.
    pub fn place(self) -> Option<Range<usize>> {
        let (arena, node) = self.as_flat()?;
        matches!(node.tag(), Tag::Number | Tag::Text).then(|| arena.place(node.span()))?
    }

    /// How many items a list has, or members an object.
    #[inline]
    pub fn len(self) -> Option<usize> {
        match self.0 {
            Location::Flat(_, node) => matches!(node.kind(), Kind::List | Kind::Object).then(|| node.len()),
            Location::Object(object) => Some(object.len()),
            Location::List(list) => Some(list.len()),
        }
    }

    /// Null, or a text, list or object with nothing in it.
    #[inline]
    pub fn is_empty(self) -> bool {
        match self.0 {
            Location::Flat(_, node) => match node.kind() {
                Kind::Null => true,
                Kind::Text | Kind::List | Kind::Object => node.len() == 0,
                Kind::Boolean | Kind::Number => false,
            },
            Location::Object(object) => object.len() == 0,
            Location::List(list) => list.len() == 0,
        }
    }

    /// An object's member.
    #[inline]
    pub fn get(self, key: &str) -> Option<Value<'a>> {
        match self.0 {
            Location::Flat(arena, node) => arena.member(node, key).map(|(_, node)| Self::flat(arena, node)),
            Location::Object(object) => object.get(key),
            Location::List(_) => None,
        }
    }

    /// A list's item.
    #[inline]
    pub fn at(self, index: usize) -> Option<Value<'a>> {
        match self.0 {
            Location::Flat(arena, node) => arena.items(node).get(index).map(|node| Self::flat(arena, *node)),
            Location::List(list) => list.get(index),
            Location::Object(_) => None,
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

    /// An object's members with the values that are wanted, in the order of the document. The keys of others are not even
    /// looked at.
    pub fn members_where(
        self,
        is_wanted: impl Fn(Value<'a>) -> bool + Copy,
    ) -> impl Iterator<Item = (&'a str, Value<'a>)> {
        let (flat, changed) = match self.0 {
            Location::Flat(arena, node) => (Some((arena, arena.members(node).iter())), None),
            Location::Object(_) | Location::List(_) => (None, Some(Members::of(self))),
        };
        let flat = flat.into_iter().flat_map(move |(arena, members)| {
            let members = members.map(move |member| (member.key, Value::flat(arena, member.value)));
            members.filter(move |(_, value)| is_wanted(*value)).map(|(key, value)| (arena.str(key), value))
        });
        flat.chain(changed.into_iter().flatten().filter(move |(_, value)| is_wanted(*value)))
    }

    /// The names of an object's members in the order of the document.
    pub fn keys(self) -> Option<Vec<&'a str>> {
        if self.kind() != Kind::Object {
            return None;
        }
        let members = self.members();
        let mut keys = Vec::with_capacity(members.len());
        members.for_each(|(key, _)| keys.push(key));
        Some(keys)
    }

    /// The texts of a list that has nothing else but nulls, which count as empty, as the daemon reads them.
    pub fn texts(self) -> Option<Vec<&'a str>> {
        if self.kind() != Kind::List {
            return None;
        }
        let items = self.items();
        let mut texts = Vec::with_capacity(items.len());
        for item in items {
            texts.push(if item.kind() == Kind::Null { "" } else { item.as_str()? });
        }
        Some(texts)
    }

    /// Appends the value as JSON with no space in it.
    pub fn write_json(self, out: &mut String) {
        write::value(self, out);
    }

    /// Writes the value as JSON with no space in it, in pieces of 64 KiB and more: what is held is no more than its
    /// longest text.
    pub fn write_to(self, out: &mut impl io::Write) -> io::Result<()> {
        write::to(self, out)
    }

    /// The value as JSON with no space in it.
    pub fn to_json(self) -> String {
        // About what its children take, if they are small.
        let mut out = String::with_capacity(self.len().unwrap_or_default() * 16);
        self.write_json(&mut out);
        out
    }

    /// A value as it was read, with where it lies.
    #[inline]
    pub(super) fn as_flat(self) -> Option<(&'a Arena, Node)> {
        match self.0 {
            Location::Flat(arena, node) => Some((arena, node)),
            Location::Object(_) | Location::List(_) => None,
        }
    }

    /// Its JSON up to so many bytes, for messages.
    pub(super) fn beginning(self, most: usize) -> String {
        write::beginning(self, most)
    }

    #[inline]
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
        f.write_str(&self.to_json())
    }
}

// === impl Items ===

impl<'a> Items<'a> {
    pub(super) fn of(value: Value<'a>) -> Self {
        match value.0 {
            Location::Flat(arena, node) => Self::Flat(arena, arena.items(node).iter()),
            Location::List(list) => {
                let len = list.len();
                Self::Changed(Box::new(ChangedItems { run: None, pieces: list.pieces.iter(), len }))
            }
            Location::Object(_) => Self::None,
        }
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = Value<'a>;

    #[inline]
    fn next(&mut self) -> Option<Value<'a>> {
        match self {
            Self::Flat(arena, items) => items.next().map(|node| Value::flat(arena, *node)),
            Self::Changed(items) => items.next(),
            Self::None => None,
        }
    }

    #[inline]
    fn fold<B, F: FnMut(B, Value<'a>) -> B>(self, init: B, f: F) -> B {
        match self {
            Self::Flat(arena, items) => items.map(|node| Value::flat(arena, *node)).fold(init, f),
            Self::Changed(mut items) => iter::from_fn(|| items.next()).fold(init, f),
            Self::None => init,
        }
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        match self {
            Self::Flat(_, items) => items.size_hint(),
            Self::Changed(items) => (items.len, Some(items.len)),
            Self::None => (0, Some(0)),
        }
    }
}

impl ExactSizeIterator for Items<'_> {}

// === impl ChangedItems ===

impl<'a> ChangedItems<'a> {
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
                    let run = slice_at(arena.items(*list), *start as usize, *len as usize);
                    self.run = Some((arena, run.iter()));
                }
                Piece::Item(tree) => {
                    self.len = self.len.saturating_sub(1);
                    return Some(tree.value());
                }
            }
        }
    }
}

// === impl Members ===

impl<'a> Members<'a> {
    pub(super) fn of(value: Value<'a>) -> Self {
        match value.0 {
            Location::Flat(arena, node) => Self::Flat(arena, arena.members(node).iter()),
            Location::Object(object) => {
                let mut slots = object.changed.iter();
                Self::Changed(Box::new(ChangedMembers {
                    arena: &object.arena,
                    read: object.read().iter(),
                    position: 0,
                    slot: slots.next(),
                    slots,
                    added: object.added.iter(),
                    len: object.len(),
                }))
            }
            Location::List(_) => Self::None,
        }
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = (&'a str, Value<'a>);

    #[inline]
    fn next(&mut self) -> Option<(&'a str, Value<'a>)> {
        match self {
            Self::Flat(arena, members) => {
                members.next().map(|member| (arena.str(member.key), Value::flat(arena, member.value)))
            }
            Self::Changed(members) => members.next(),
            Self::None => None,
        }
    }

    #[inline]
    fn fold<B, F: FnMut(B, Self::Item) -> B>(self, init: B, f: F) -> B {
        match self {
            Self::Flat(arena, members) => {
                members.map(|member| (arena.str(member.key), Value::flat(arena, member.value))).fold(init, f)
            }
            Self::Changed(mut members) => iter::from_fn(|| members.next()).fold(init, f),
            Self::None => init,
        }
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        match self {
            Self::Flat(_, members) => members.size_hint(),
            Self::Changed(members) => (members.len, Some(members.len)),
            Self::None => (0, Some(0)),
        }
    }
}

impl ExactSizeIterator for Members<'_> {}

// === impl ChangedMembers ===

impl<'a> ChangedMembers<'a> {
    fn next(&mut self) -> Option<(&'a str, Value<'a>)> {
        let next = self.next_read().or_else(|| self.added.next().map(|added| (&*added.key, added.value.value())));
        self.len = self.len.saturating_sub(usize::from(next.is_some()));
        next
    }

    fn next_read(&mut self) -> Option<(&'a str, Value<'a>)> {
        loop {
            let member = self.read.next()?;
            let position = self.position;
            self.position += 1;
            let Some(slot) = self.slot.filter(|slot| slot.position == position) else {
                return Some((self.arena.str(member.key), Value::flat(self.arena, member.value)));
            };
            self.slot = self.slots.next();
            if let Some(tree) = &slot.value {
                return Some((self.arena.str(member.key), tree.value()));
            }
        }
    }
}
