//! What was changed, over what is as it was read.
//!
//! A [`Tree`] is never changed either. Changing one member makes a new [`Object`] for each object that leads to it, and
//! shares all else: the arena, and what was changed before. What is read costs one more search where something was
//! changed, and nothing where nothing was.

use std::cmp::Ordering;
use std::sync::Arc;

use super::arena::{Arena, Member, Node};
use super::seq::{Measured, Seq};
use super::{Kind, Value};

#[derive(Clone)]
pub(super) enum Tree {
    /// As it was read.
    Flat(Arc<Arena>, Node),
    Object(Arc<Object>),
    List(Arc<List>),
}

/// An object of which members were changed. What was added comes last, in the order of its keys.
#[derive(Clone)]
pub(super) struct Object {
    pub(super) arena: Arc<Arena>,
    pub(super) node: Node,
    pub(super) changed: Seq<Slot>,
    pub(super) added: Seq<Added>,
}

/// A list of which items were changed.
#[derive(Clone)]
pub(super) struct List {
    pub(super) pieces: Seq<Piece>,
}

/// A member that the arena has, and what it is now: nothing, where it was removed.
#[derive(Clone)]
pub(super) struct Slot {
    pub(super) position: u32,
    pub(super) value: Option<Tree>,
}

#[derive(Clone)]
pub(super) struct Added {
    pub(super) key: Arc<str>,
    pub(super) value: Tree,
}

#[derive(Clone)]
pub(super) enum Piece {
    /// Items of a list as it was read.
    Run {
        arena: Arc<Arena>,
        list: Node,
        start: u32,
        len: u32,
    },
    Item(Tree),
}

// === impl Tree ===

impl Tree {
    pub(super) fn value(&self) -> Value<'_> {
        match self {
            Self::Flat(arena, node) => Value::flat(arena, *node),
            Self::Object(object) => Value::object(object),
            Self::List(list) => Value::list(list),
        }
    }

    /// An object's member, to keep.
    pub(super) fn member(&self, key: &str) -> Option<Self> {
        match self {
            Self::Flat(arena, node) => arena.member(*node, key).map(|(_, node)| Self::Flat(arena.clone(), node)),
            Self::Object(object) => object.member(key),
            Self::List(_) => None,
        }
    }

    /// A list's item, to keep.
    pub(super) fn item(&self, index: usize) -> Option<Self> {
        match self {
            Self::Flat(arena, node) => arena.items(*node).get(index).map(|node| Self::Flat(arena.clone(), *node)),
            Self::List(list) => list.item(index),
            Self::Object(_) => None,
        }
    }
}

// === impl Object ===

impl Object {
    /// An object, to be changed; none for anything else.
    pub(super) fn of(tree: &Tree) -> Option<Self> {
        match tree {
            Tree::Flat(arena, node) if node.kind() == Kind::Object => {
                Some(Self { arena: arena.clone(), node: *node, changed: Seq::EMPTY, added: Seq::EMPTY })
            }
            Tree::Object(object) => Some(Self::clone(object)),
            Tree::Flat(..) | Tree::List(_) => None,
        }
    }

    pub(super) fn len(&self) -> usize {
        (self.node.len() + self.added.len() as usize).saturating_sub(self.changed.len() as usize)
    }

    pub(super) fn get(&self, key: &str) -> Option<Value<'_>> {
        match self.arena.member(self.node, key) {
            Some((position, node)) => match self.changed.find(|_, slot| at(position, slot)) {
                Some((_, slot)) => slot.value.as_ref().map(Tree::value),
                None => Some(Value::flat(&self.arena, node)),
            },
            None => self.added.find(|_, added| key.cmp(&added.key)).map(|(_, added)| added.value.value()),
        }
    }

    /// As [`Self::get`], to keep.
    pub(super) fn member(&self, key: &str) -> Option<Tree> {
        match self.arena.member(self.node, key) {
            Some((position, node)) => match self.changed.find(|_, slot| at(position, slot)) {
                Some((_, slot)) => slot.value.clone(),
                None => Some(Tree::Flat(self.arena.clone(), node)),
            },
            None => self.added.find(|_, added| key.cmp(&added.key)).map(|(_, added)| added.value.clone()),
        }
    }

    pub(super) fn put(&mut self, key: &str, value: Tree) {
        match self.arena.member(self.node, key) {
            Some((position, _)) => self.put_slot(position, Some(value)),
            None => {
                let (before, found, after) = self.added.split(&|_, added: &Added| key.cmp(&added.key));
                let key = found.map_or_else(|| key.into(), |added| added.key);
                self.added = Seq::join(before, Added { key, value }, after);
            }
        }
    }

    pub(super) fn remove(&mut self, key: &str) {
        match self.arena.member(self.node, key) {
            Some((position, _)) => self.put_slot(position, None),
            None => {
                let (before, _, after) = self.added.split(&|_, added: &Added| key.cmp(&added.key));
                self.added = Seq::concat(before, after);
            }
        }
    }

    /// The members as they were read.
    pub(super) fn read(&self) -> &[Member] {
        self.arena.members(self.node)
    }

    fn put_slot(&mut self, position: usize, value: Option<Tree>) {
        let (before, _, after) = self.changed.split(&|_, slot: &Slot| at(position, slot));
        self.changed = Seq::join(before, Slot { position: position as u32, value }, after);
    }

    /// Gives up all trees that nothing else holds.
    fn give_up(&mut self, trees: &mut Vec<Tree>) {
        std::mem::take(&mut self.changed).consume(&mut |slot: Slot| trees.extend(slot.value));
        std::mem::take(&mut self.added).consume(&mut |added: Added| trees.push(added.value));
    }
}

impl Drop for Object {
    fn drop(&mut self) {
        let mut trees = Vec::new();
        self.give_up(&mut trees);
        drop_all(trees);
    }
}

// === impl List ===

impl List {
    /// A list, to be changed; none for anything else.
    pub(super) fn of(tree: &Tree) -> Option<Self> {
        match tree {
            Tree::Flat(arena, node) if node.kind() == Kind::List => {
                let run = Piece::Run { arena: arena.clone(), list: *node, start: 0, len: node.len() as u32 };
                Some(Self { pieces: if node.len() == 0 { Seq::EMPTY } else { Seq::one(run) } })
            }
            Tree::List(list) => Some(Self::clone(list)),
            Tree::Flat(..) | Tree::Object(_) => None,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.pieces.len() as usize
    }

    pub(super) fn get(&self, index: usize) -> Option<Value<'_>> {
        match self.piece(index)? {
            (offset, Piece::Run { arena, list, start, .. }) => {
                arena.items(*list).get(*start as usize + offset).map(|node| Value::flat(arena, *node))
            }
            (_, Piece::Item(tree)) => Some(tree.value()),
        }
    }

    /// As [`Self::get`], to keep.
    pub(super) fn item(&self, index: usize) -> Option<Tree> {
        match self.piece(index)? {
            (offset, Piece::Run { arena, list, start, .. }) => {
                let node = arena.items(*list).get(*start as usize + offset)?;
                Some(Tree::Flat(arena.clone(), *node))
            }
            (_, Piece::Item(tree)) => Some(tree.clone()),
        }
    }

    /// Puts an item before the one at `index`, or last.
    pub(super) fn insert(&mut self, index: usize, item: Tree) {
        let (before, after) = self.cut(index);
        self.pieces = Seq::join(before, Piece::Item(item), after);
    }

    pub(super) fn put(&mut self, index: usize, item: Tree) {
        let (before, _) = self.cut(index);
        let (_, after) = self.cut(index + 1);
        self.pieces = Seq::join(before, Piece::Item(item), after);
    }

    pub(super) fn remove(&mut self, index: usize) {
        let (before, _) = self.cut(index);
        let (_, after) = self.cut(index + 1);
        self.pieces = Seq::concat(before, after);
    }

    /// The piece that has this item, and the item's place there.
    fn piece(&self, index: usize) -> Option<(usize, &Piece)> {
        let (before, piece) = self.pieces.find(|before, piece| within(index, before, piece))?;
        Some((index - before as usize, piece))
    }

    /// The items before `index`, and those from there on.
    fn cut(&self, index: usize) -> (Seq<Piece>, Seq<Piece>) {
        let (before, found, after) = self.pieces.split(&|before, piece| within(index, before, piece));
        let offset = index.saturating_sub(before.len() as usize) as u32;
        match found {
            Some(Piece::Run { arena, list, start, len }) if offset > 0 => {
                let first = Piece::Run { arena: arena.clone(), list, start, len: offset };
                let rest = Piece::Run { arena, list, start: start + offset, len: len - offset };
                (Seq::join(before, first, Seq::EMPTY), Seq::join(Seq::EMPTY, rest, after))
            }
            Some(piece) => (before, Seq::join(Seq::EMPTY, piece, after)),
            None => (before, after),
        }
    }

    fn give_up(&mut self, trees: &mut Vec<Tree>) {
        std::mem::take(&mut self.pieces).consume(&mut |piece| match piece {
            Piece::Item(tree) => trees.push(tree),
            Piece::Run { .. } => {}
        });
    }
}

impl Drop for List {
    fn drop(&mut self) {
        let mut trees = Vec::new();
        self.give_up(&mut trees);
        drop_all(trees);
    }
}

/// Drops one after the other, for a change may lie deeper than a thread's stack.
fn drop_all(mut trees: Vec<Tree>) {
    while let Some(tree) = trees.pop() {
        match tree {
            Tree::Flat(..) => {}
            Tree::Object(object) => {
                if let Some(mut object) = Arc::into_inner(object) {
                    object.give_up(&mut trees);
                }
            }
            Tree::List(list) => {
                if let Some(mut list) = Arc::into_inner(list) {
                    list.give_up(&mut trees);
                }
            }
        }
    }
}

fn at(position: usize, slot: &Slot) -> Ordering {
    position.cmp(&(slot.position as usize))
}

fn within(index: usize, before: u32, piece: &Piece) -> Ordering {
    let before = before as usize;
    match index {
        _ if index < before => Ordering::Less,
        _ if index < before + piece.len() as usize => Ordering::Equal,
        _ => Ordering::Greater,
    }
}

// === impl Measured ===

impl Measured for Slot {
    /// By how much the object is shorter.
    fn len(&self) -> u32 {
        u32::from(self.value.is_none())
    }
}

impl Measured for Added {
    fn len(&self) -> u32 {
        1
    }
}

impl Measured for Piece {
    fn len(&self) -> u32 {
        match self {
            Self::Run { len, .. } => *len,
            Self::Item(_) => 1,
        }
    }
}
