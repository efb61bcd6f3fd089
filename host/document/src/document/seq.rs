//! A sequence that is never changed: a change makes another one, which shares with it all but the way to the change.
//!
//! A search tree of which two siblings' heights differ by at most two, as OCaml's `Map`, and put together by `join` alone
//! (Blelloch, Ferizovic, Sun: "Just Join for Parallel Ordered Sets").

use std::cmp::Ordering;
use std::sync::Arc;

/// What may stand in a [`Seq`].
pub(super) trait Measured: Clone {
    /// What it adds to the sequence's length.
    fn len(&self) -> u32;
}

pub(super) struct Seq<T>(Option<Arc<Branch<T>>>);

struct Branch<T> {
    left: Seq<T>,
    item: T,
    right: Seq<T>,
    height: u8,
    /// The lengths of `left`, and of all.
    before: u32,
    len: u32,
}

/// The items, in order.
#[derive(Clone)]
pub(super) struct Iter<'a, T> {
    open: Vec<&'a Branch<T>>,
}

// === impl Seq ===

impl<T> Seq<T> {
    pub(super) const EMPTY: Self = Self(None);

    pub(super) fn len(&self) -> u32 {
        self.0.as_ref().map_or(0, |branch| branch.len)
    }

    pub(super) fn iter(&self) -> Iter<'_, T> {
        let mut iter = Iter { open: Vec::new() };
        iter.descend(self);
        iter
    }

    /// Gives `each` the items that no other sequence shares.
    pub(super) fn consume(self, each: &mut impl FnMut(T)) {
        if let Some(Branch { left, item, right, .. }) = self.0.and_then(Arc::into_inner) {
            left.consume(each);
            each(item);
            right.consume(each);
        }
    }

    /// Shows `see` every branch, with its address and its size in bytes; where it says so, what is below is passed over.
    pub(super) fn visit<'a>(&'a self, see: &mut impl FnMut(usize, usize, &'a T) -> bool) {
        if let Some(branch) = &self.0
            && see(Arc::as_ptr(branch).addr(), size_of::<Branch<T>>(), &branch.item)
        {
            branch.left.visit(see);
            branch.right.visit(see);
        }
    }

    fn height(&self) -> u8 {
        self.0.as_ref().map_or(0, |branch| branch.height)
    }
}

impl<T: Measured> Seq<T> {
    pub(super) fn one(item: T) -> Self {
        Self::branch(Self::EMPTY, item, Self::EMPTY)
    }

    /// The item that is `Equal`, and the length of all before it. `order` is told of an item, with the length before it,
    /// and says where what is sought lies, seen from there.
    pub(super) fn find(&self, order: impl Fn(u32, &T) -> Ordering) -> Option<(u32, &T)> {
        let mut next = self;
        let mut before = 0;
        while let Some(branch) = &next.0 {
            let here = before + branch.before;
            match order(here, &branch.item) {
                Ordering::Equal => return Some((here, &branch.item)),
                Ordering::Less => next = &branch.left,
                Ordering::Greater => {
                    before = here + branch.item.len();
                    next = &branch.right;
                }
            }
        }
        None
    }

    /// All before what is sought, the item that it is, and all after; `order` as in [`Self::find`].
    pub(super) fn split(&self, order: &impl Fn(u32, &T) -> Ordering) -> (Self, Option<T>, Self) {
        self.split_from(0, order)
    }

    pub(super) fn join(left: Self, item: T, right: Self) -> Self {
        let (left_height, right_height) = (left.height(), right.height());
        if left_height > right_height + 2
            && let Some(branch) = &left.0
        {
            return Self::balanced(
                branch.left.clone(),
                branch.item.clone(),
                Self::join(branch.right.clone(), item, right),
            );
        }
        if right_height > left_height + 2
            && let Some(branch) = &right.0
        {
            return Self::balanced(
                Self::join(left, item, branch.left.clone()),
                branch.item.clone(),
                branch.right.clone(),
            );
        }
        Self::branch(left, item, right)
    }

    pub(super) fn concat(left: Self, right: Self) -> Self {
        match right.split_first() {
            Some((first, rest)) => Self::join(left, first, rest),
            None => left,
        }
    }

    fn split_from(&self, before: u32, order: &impl Fn(u32, &T) -> Ordering) -> (Self, Option<T>, Self) {
        let Some(branch) = &self.0 else { return (Self::EMPTY, None, Self::EMPTY) };
        let here = before + branch.before;
        match order(here, &branch.item) {
            Ordering::Equal => (branch.left.clone(), Some(branch.item.clone()), branch.right.clone()),
            Ordering::Less => {
                let (left, found, rest) = branch.left.split_from(before, order);
                (left, found, Self::join(rest, branch.item.clone(), branch.right.clone()))
            }
            Ordering::Greater => {
                let (rest, found, right) = branch.right.split_from(here + branch.item.len(), order);
                (Self::join(branch.left.clone(), branch.item.clone(), rest), found, right)
            }
        }
    }

    fn split_first(&self) -> Option<(T, Self)> {
        let branch = self.0.as_ref()?;
        Some(match branch.left.split_first() {
            None => (branch.item.clone(), branch.right.clone()),
            Some((first, rest)) => (first, Self::join(rest, branch.item.clone(), branch.right.clone())),
        })
    }

    /// Of two whose heights differ by at most three.
    fn balanced(left: Self, item: T, right: Self) -> Self {
        let (left_height, right_height) = (left.height(), right.height());
        if left_height > right_height + 2
            && let Some(top) = &left.0
        {
            return match &top.right.0 {
                Some(inner) if inner.height > top.left.height() => Self::branch(
                    Self::branch(top.left.clone(), top.item.clone(), inner.left.clone()),
                    inner.item.clone(),
                    Self::branch(inner.right.clone(), item, right),
                ),
                _ => {
                    let below = Self::branch(top.right.clone(), item, right);
                    Self::branch(top.left.clone(), top.item.clone(), below)
                }
            };
        }
        if right_height > left_height + 2
            && let Some(top) = &right.0
        {
            return match &top.left.0 {
                Some(inner) if inner.height > top.right.height() => Self::branch(
                    Self::branch(left, item, inner.left.clone()),
                    inner.item.clone(),
                    Self::branch(inner.right.clone(), top.item.clone(), top.right.clone()),
                ),
                _ => {
                    let below = Self::branch(left, item, top.left.clone());
                    Self::branch(below, top.item.clone(), top.right.clone())
                }
            };
        }
        Self::branch(left, item, right)
    }

    fn branch(left: Self, item: T, right: Self) -> Self {
        let before = left.len();
        let len = before + item.len() + right.len();
        let height = left.height().max(right.height()) + 1;
        Self(Some(Arc::new(Branch { left, item, right, height, before, len })))
    }
}

impl<T> Clone for Seq<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Default for Seq<T> {
    fn default() -> Self {
        Self::EMPTY
    }
}

// === impl Iter ===

impl<'a, T> Iter<'a, T> {
    fn descend(&mut self, seq: &'a Seq<T>) {
        let mut next = seq;
        while let Some(branch) = &next.0 {
            self.open.push(branch);
            next = &branch.left;
        }
    }
}

impl<'a, T> Iterator for Iter<'a, T> {
    type Item = &'a T;

    fn next(&mut self) -> Option<&'a T> {
        let branch = self.open.pop()?;
        self.descend(&branch.right);
        Some(&branch.item)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    impl Measured for u32 {
        fn len(&self) -> u32 {
            1
        }
    }

    fn check(seq: &Seq<u32>) {
        let Some(branch) = &seq.0 else { return };
        assert!(branch.left.height().abs_diff(branch.right.height()) <= 2, "siblings of like heights");
        assert_eq!(branch.len, branch.left.len() + 1 + branch.right.len());
        check(&branch.left);
        check(&branch.right);
    }

    fn at(place: u32) -> impl Fn(u32, &u32) -> Ordering {
        move |before, _| place.cmp(&before)
    }

    proptest! {
        #[test]
        fn a_sequence_is_a_list(changes in prop::collection::vec((any::<bool>(), any::<u32>(), any::<u32>()), 0..300)) {
            let (mut seq, mut list) = (Seq::EMPTY, Vec::new());
            for (removes, place, item) in changes {
                let before = (seq.clone(), list.clone());
                if removes && !list.is_empty() {
                    let place = place % list.len() as u32;
                    let (left, found, right) = seq.split(&at(place));
                    prop_assert_eq!(found, Some(list.remove(place as usize)));
                    seq = Seq::concat(left, right);
                } else {
                    let place = place % (list.len() as u32 + 1);
                    let (left, found, right) = seq.split(&|before, _| place.cmp(&before).then(Ordering::Less));
                    prop_assert_eq!(found, None);
                    list.insert(place as usize, item);
                    seq = Seq::join(left, item, right);
                }
                check(&seq);
                prop_assert!(seq.iter().eq(&list));
                prop_assert!(before.0.iter().eq(&before.1), "the one before is what it was");
                for (place, item) in list.iter().enumerate() {
                    prop_assert_eq!(seq.find(at(place as u32)), Some((place as u32, item)));
                }
            }
        }
    }

    #[test]
    fn a_sequence_grown_at_either_end_is_balanced() {
        let (mut front, mut back) = (Seq::EMPTY, Seq::EMPTY);
        for number in 0..10_000 {
            front = Seq::join(Seq::EMPTY, number, front);
            back = Seq::join(back, number, Seq::EMPTY);
        }
        check(&front);
        check(&back);
        assert!(front.iter().rev_eq(&back) && front.height() < 24, "{}", front.height());
    }

    impl Iter<'_, u32> {
        fn rev_eq(self, other: &Seq<u32>) -> bool {
            let mut items: Vec<&u32> = self.collect();
            items.reverse();
            other.iter().eq(items)
        }
    }
}
