//! An allocator that counts, on each thread by itself: what a target may take is part of what is
//! asked of it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system's allocator, counted.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
    /// Bytes allocated and not given back; may be below zero where another thread allocated them.
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

/// What something took.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Used {
    /// Allocations.
    pub count: u64,
    /// Bytes held at once, at most, beyond what was held before.
    pub peak: usize,
}

/// Calls `what`, and tells what it took of memory. A watch within a watch hides the outer peak.
pub fn watch<R>(what: impl FnOnce() -> R) -> (R, Used) {
    let (count, live) = (COUNT.get(), LIVE.get());
    PEAK.set(live);
    let result = what();
    let used = Used {
        count: COUNT.get() - count,
        peak: usize::try_from(PEAK.get() - live).unwrap_or_default(),
    };
    (result, used)
}

fn took(bytes: usize) {
    COUNT.set(COUNT.get() + 1);
    let live = LIVE.get().wrapping_add_unsigned(bytes);
    LIVE.set(live);
    if live > PEAK.get() {
        PEAK.set(live);
    }
}

fn gave(bytes: usize) {
    LIVE.set(LIVE.get().wrapping_sub_unsigned(bytes));
}

#[allow(unsafe_code, reason = "an allocator can not be written without")]
// SAFETY: every call is passed on as it is; the counters have no destructor and allocate nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        took(layout.size());
        // SAFETY: the caller keeps the contract of the system's allocator.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        took(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        took(size);
        gave(layout.size());
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        gave(layout.size());
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}
