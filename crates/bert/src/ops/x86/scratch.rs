//! Working memory of a thread, kept between operations.

use std::cell::RefCell;

#[repr(align(64))]
#[derive(Clone, Copy)]
struct CacheLine(#[expect(dead_code, reason = "read and written through pointers")] [u8; 64]);

thread_local! {
    static MEMORY: RefCell<Vec<CacheLine>> = const { RefCell::new(Vec::new()) };
}

/// Hands out parts of the working memory, each aligned to a cache line.
pub(crate) struct Scratch(*mut CacheLine);

impl Scratch {
    /// Room for `len` values of any content, within the total that [`with_scratch`] was asked for.
    pub(crate) fn take<T>(&mut self, len: usize) -> *mut T {
        let start = self.0;
        self.0 = start.wrapping_add(lines::<T>(len));
        start.cast()
    }
}

/// Cache lines that `len` values take.
pub(crate) fn lines<T>(len: usize) -> usize {
    (len * size_of::<T>()).div_ceil(size_of::<CacheLine>())
}

/// Lends `lines` cache lines of this thread's working memory.
pub(crate) fn with_scratch<R>(lines: usize, work: impl FnOnce(Scratch) -> R) -> R {
    MEMORY.with_borrow_mut(|memory| {
        if memory.len() < lines {
            memory.resize(lines, CacheLine([0; 64]));
        }
        work(Scratch(memory.as_mut_ptr()))
    })
}
