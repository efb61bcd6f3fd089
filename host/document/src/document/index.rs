//! The hash index of an object with many members.
//!
//! A caller chooses the keys, so they are hashed with a key of our own: nobody can make them collide.

use std::hash::{BuildHasher, RandomState};

const EMPTY: u32 = u32::MAX;
/// A slot holds a position and, above it, a few bits of the key's hash: most other keys are passed without a look at
/// them. A text of at most 2^29 bytes has fewer members than 2^27.
const POSITION_BITS: u32 = 27;
const POSITION: u32 = (1 << POSITION_BITS) - 1;

/// Open addressing with linear probing, two thirds full.
#[derive(Debug)]
pub(super) struct Index {
    first_member: u32,
    hasher: RandomState,
    slots: Box<[u32]>,
}

// === impl Index ===

impl Index {
    /// Indexes the `len` keys of the object whose first member has this position in the arena. The error is the position
    /// of the first key that came before.
    pub(super) fn build<'a>(
        first_member: usize,
        len: usize,
        key_at: impl Fn(usize) -> Option<&'a str>,
    ) -> Result<Self, usize> {
        let slots = vec![EMPTY; len + len / 2 + 1].into_boxed_slice();
        let mut index = Self { first_member: first_member as u32, hasher: RandomState::new(), slots };
        for position in 0..len {
            let (slot, tag) = index.slot(key_at(position).unwrap_or_default(), &key_at);
            match index.slots.get_mut(slot) {
                Some(free) if *free == EMPTY => *free = tag | position as u32,
                _ => return Err(position),
            }
        }
        Ok(index)
    }

    pub(super) fn first_member(&self) -> usize {
        self.first_member as usize
    }

    /// The position of `key` within the object; `key_at` tells the key at a position.
    pub(super) fn find<'a>(&self, key: &str, key_at: impl Fn(usize) -> Option<&'a str>) -> Option<usize> {
        let (slot, _) = self.slot(key, key_at);
        self.slots.get(slot).filter(|slot| **slot != EMPTY).map(|slot| (slot & POSITION) as usize)
    }

    pub(super) fn size(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.slots)
    }

    /// The slot that holds `key`, or the empty one where it would go, and the bits of its hash that stand there. A third of
    /// the slots is empty, so there is one.
    fn slot<'a>(&self, key: &str, key_at: impl Fn(usize) -> Option<&'a str>) -> (usize, u32) {
        let hash = self.hasher.hash_one(key);
        let tag = (hash as u32) & !POSITION;
        let mut slot = ((u128::from(hash) * self.slots.len() as u128) >> 64) as usize;
        loop {
            match self.slots.get(slot) {
                None => slot = 0,
                Some(&EMPTY) => return (slot, tag),
                Some(held) if held & !POSITION == tag && key_at((held & POSITION) as usize) == Some(key) => {
                    return (slot, tag);
                }
                Some(_) => slot += 1,
            }
        }
    }
}
