//! How much memory documents hold, of which they may share much.

use std::collections::HashSet;
use std::sync::Arc;

use super::arena::Arena;
use super::seq::Seq;
use super::tree::{Piece, Tree};

/// Before a value that is counted by `Arc`.
const COUNTS: usize = 2 * size_of::<usize>();

/// What was seen, by address, and how many bytes it has.
#[derive(Default)]
pub(super) struct Sizes {
    seen: HashSet<usize>,
    pub(super) bytes: usize,
}

// === impl Sizes ===

impl Sizes {
    /// Adds what was not yet seen of `root`.
    pub(super) fn add(&mut self, root: &Tree) {
        let mut trees = vec![root];
        while let Some(tree) = trees.pop() {
            match tree {
                Tree::Flat(arena, _) => self.arena(arena),
                Tree::Object(object) => {
                    if self.is_new(Arc::as_ptr(object).addr(), COUNTS + size_of_val(&**object)) {
                        self.arena(&object.arena);
                        self.branches(&object.changed, |slot| trees.extend(&slot.value));
                        let mut keys = 0;
                        self.branches(&object.added, |added| {
                            keys += COUNTS + added.key.len();
                            trees.push(&added.value);
                        });
                        self.bytes += keys;
                    }
                }
                Tree::List(list) => {
                    if self.is_new(Arc::as_ptr(list).addr(), COUNTS + size_of_val(&**list)) {
                        let mut arenas = Vec::new();
                        self.branches(&list.pieces, |piece| match piece {
                            Piece::Run { arena, .. } => arenas.push(arena),
                            Piece::Item(tree) => trees.push(tree),
                        });
                        arenas.into_iter().for_each(|arena| self.arena(arena));
                    }
                }
            }
        }
    }

    fn branches<'a, T>(&mut self, seq: &'a Seq<T>, mut each: impl FnMut(&'a T)) {
        seq.visit(&mut |address, size, item| {
            let new = self.is_new(address, COUNTS + size);
            if new {
                each(item);
            }
            new
        });
    }

    fn arena(&mut self, arena: &Arc<Arena>) {
        if self.is_new(Arc::as_ptr(arena).addr(), COUNTS) {
            self.bytes += arena.size();
        }
    }

    fn is_new(&mut self, address: usize, size: usize) -> bool {
        let new = self.seen.insert(address);
        if new {
            self.bytes += size;
        }
        new
    }
}
