//! The hash index of an object with many members.
//!
//! A caller chooses the keys, so they are hashed with a key of our own: nobody can make them collide.

use std::hash::{BuildHasher, RandomState};

const EMPTY: u32 = u32::MAX;

/// Open addressing with linear probing, two thirds full; the slots hold positions within the object.
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
            let slot = index.slot(key_at(position).unwrap_or_default(), &key_at);
            match index.slots.get_mut(slot) {
                Some(free) if *free == EMPTY => *free = position as u32,
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
        let slot = self.slot(key, key_at);
        self.slots.get(slot).filter(|position| **position != EMPTY).map(|position| *position as usize)
    }

    pub(super) fn size(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.slots)
    }

    /// The slot that holds `key`, or the empty one where it would go. A third of the slots is empty, so there is one.
    fn slot<'a>(&self, key: &str, key_at: impl Fn(usize) -> Option<&'a str>) -> usize {
        let hash = self.hasher.hash_one(key);
        let mut slot = ((u128::from(hash) * self.slots.len() as u128) >> 64) as usize;
        loop {
            match self.slots.get(slot) {
                None => slot = 0,
                Some(&EMPTY) => return slot,
                Some(&position) if key_at(position as usize) == Some(key) => return slot,
                Some(_) => slot += 1,
            }
        }
    }
}
