//! Which addresses are given out: arithmetic only.

use std::alloc::Layout;

/// A range of addresses that is given out from its start to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bump {
    next: usize,
    end: usize,
}

impl Bump {
    pub(crate) const EMPTY: Self = Self { next: 0, end: 0 };

    pub(crate) fn new(start: usize, size: usize) -> Self {
        Self { next: start, end: start.saturating_add(size) }
    }

    /// The address of a range for `layout`, or none where there is no room.
    pub(crate) fn allocate(&mut self, layout: Layout) -> Option<usize> {
        let start = self.next.checked_next_multiple_of(layout.align())?;
        let end = start.checked_add(layout.size())?;
        if end > self.end {
            return None;
        }
        self.next = end;
        Some(start)
    }

    /// Takes a range back if it was given out last.
    pub(crate) fn release(&mut self, start: usize, size: usize) {
        if start + size == self.next {
            self.next = start;
        }
    }

    /// Whether the range at `start` can be of another size where it is; then it is.
    pub(crate) fn resize(&mut self, start: usize, old: usize, new: usize) -> bool {
        if start + old != self.next {
            return new <= old;
        }
        match start.checked_add(new) {
            Some(end) if end <= self.end => {
                self.next = end;
                true
            }
            Some(_) | None => false,
        }
    }

    /// Goes on in another range, keeping what is left where the two touch.
    pub(crate) fn extend(&mut self, start: usize, size: usize) {
        if start != self.end {
            self.next = start;
        }
        self.end = start.saturating_add(size);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(size: usize, align: usize) -> Layout {
        Layout::from_size_align(size, align).expect("a good layout")
    }

    #[test]
    fn ranges_are_aligned_and_do_not_overlap() {
        let mut bump = Bump::new(1000, 100);
        let given: Vec<_> =
            [(3, 1), (8, 8), (1, 1), (16, 16)].map(|(size, align)| bump.allocate(layout(size, align))).into();
        assert_eq!(given, [Some(1000), Some(1008), Some(1016), Some(1024)]);
        assert_eq!(bump.allocate(layout(61, 1)), None, "one byte too many");
        assert_eq!(bump.allocate(layout(60, 1)), Some(1040), "the last byte is given out");
        assert_eq!(bump.allocate(layout(1, 1)), None);
    }

    #[test]
    fn only_the_last_range_is_taken_back() {
        let mut bump = Bump::new(0, 100);
        let first = bump.allocate(layout(10, 1)).expect("room");
        let second = bump.allocate(layout(10, 1)).expect("room");
        bump.release(first, 10);
        assert_eq!(bump.allocate(layout(1, 1)), Some(20));
        bump.release(20, 1);
        bump.release(second, 10);
        assert_eq!(bump.allocate(layout(1, 1)), Some(10));
    }

    #[test]
    fn the_last_range_grows_and_shrinks_where_it_is() {
        let mut bump = Bump::new(0, 100);
        let first = bump.allocate(layout(10, 1)).expect("room");
        assert!(bump.resize(first, 10, 100));
        assert!(!bump.resize(first, 100, 101), "no room");
        assert!(!bump.resize(first, 100, usize::MAX), "beyond all addresses");
        assert!(bump.resize(first, 100, 20));
        let second = bump.allocate(layout(10, 1)).expect("room");
        assert_eq!(second, 20);
        assert!(!bump.resize(first, 20, 21), "not the last");
        assert!(bump.resize(first, 20, 5), "a smaller one fits anywhere");
        assert_eq!(bump.allocate(layout(1, 1)), Some(30), "and what it leaves is not given out");
    }

    #[test]
    fn new_memory_that_touches_the_old_is_joined_to_it() {
        let mut bump = Bump::new(0, 100);
        assert_eq!(bump.allocate(layout(90, 1)), Some(0));
        assert_eq!(bump.allocate(layout(20, 1)), None);
        bump.extend(100, 100);
        assert_eq!(bump.allocate(layout(20, 1)), Some(90));
        bump.extend(1000, 100);
        assert_eq!(bump.allocate(layout(20, 1)), Some(1000));
    }

    #[test]
    fn what_is_too_large_is_refused_without_overflow() {
        let mut bump = Bump::new(usize::MAX - 10, 100);
        assert_eq!(bump.allocate(layout(100, 1)), None);
        assert_eq!(bump.allocate(layout(8, 1 << 20)), None);
        assert_eq!({ Bump::EMPTY }.allocate(layout(1, 1)), None);
    }
}
