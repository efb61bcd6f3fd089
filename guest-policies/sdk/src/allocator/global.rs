//! The arena, and what is asked of the host when it is full.

use std::alloc::{GlobalAlloc, Layout};
use std::arch::wasm32::memory_grow;
use std::cell::{Cell, UnsafeCell};
use std::ptr;

use super::bump::Bump;

/// A page of WebAssembly memory.
const PAGE: usize = 64 << 10;

/// With the stack and a policy's constants, four pages. Pages that are never touched cost nothing.
const ARENA: usize = 2 * PAGE;

/// Grown by this much at least, so that a policy that needs more asks seldom.
const STEP: usize = 4 * PAGE;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator { arena: UnsafeCell::new([0; ARENA]), bump: Cell::new(Bump::EMPTY) };

struct Allocator {
    arena: UnsafeCell<[u8; ARENA]>,
    bump: Cell<Bump>,
}

// SAFETY: an instance of a policy has one thread.
unsafe impl Sync for Allocator {}

impl Allocator {
    /// Room for `layout` in new memory: first the arena, then what the host grants.
    #[cold]
    fn extend(&self, bump: &mut Bump, layout: Layout) -> Option<usize> {
        if *bump == Bump::EMPTY {
            *bump = Bump::new(self.arena.get().expose_provenance(), ARENA);
            if let Some(address) = bump.allocate(layout) {
                return Some(address);
            }
        }
        let wanted = layout.size().checked_add(layout.align())?.max(STEP);
        let first = memory_grow::<0>(wanted.div_ceil(PAGE));
        if first == usize::MAX {
            return None;
        }
        bump.extend(first * PAGE, wanted.next_multiple_of(PAGE));
        bump.allocate(layout)
    }
}

// SAFETY: `Bump` gives out ranges that do not overlap, of memory that nothing else uses.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let mut bump = self.bump.get();
        let address = bump.allocate(layout).or_else(|| self.extend(&mut bump, layout));
        self.bump.set(bump);
        address.map_or(ptr::null_mut(), ptr::with_exposed_provenance_mut)
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        let mut bump = self.bump.get();
        bump.release(pointer.addr(), layout.size());
        self.bump.set(bump);
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let mut bump = self.bump.get();
        let in_place = bump.resize(pointer.addr(), layout.size(), size);
        self.bump.set(bump);
        if in_place {
            return pointer;
        }
        // SAFETY: the caller vouches for `size` and `pointer`; the two ranges are different allocations.
        unsafe {
            let moved = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !moved.is_null() {
                ptr::copy_nonoverlapping(pointer, moved, layout.size().min(size));
            }
            moved
        }
    }
}
