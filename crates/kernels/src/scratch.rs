//! Working memory of a thread, kept between operations.

use std::cell::RefCell;
use std::mem::take;

use bytemuck::{Pod, Zeroable};

/// Memory that lies as the processor fetches it. Panels, inputs and outputs that begin with a line are read and written
/// fastest: vectors that lie across two take two turns.
#[repr(C, align(64))]
#[derive(Debug, Clone, Copy)]
pub struct CacheLine([u8; 64]);

// SAFETY: bytes, as many as they are aligned to, of which any are valid.
unsafe impl Zeroable for CacheLine {}
// SAFETY: as above.
unsafe impl Pod for CacheLine {}

thread_local! {
    static MEMORY: RefCell<Vec<CacheLine>> = const { RefCell::new(Vec::new()) };
}

/// Hands out parts of the working memory, each aligned to a cache line.
pub(crate) struct Scratch<'a>(&'a mut [CacheLine]);

impl<'a> Scratch<'a> {
    /// Room for `len` values of any content, within the total that [`with_scratch`] was asked for.
    pub(crate) fn take<T: Pod>(&mut self, len: usize) -> &'a mut [T] {
        let (part, rest) = take(&mut self.0).split_at_mut(lines::<T>(len));
        self.0 = rest;
        let bytes = &mut bytemuck::cast_slice_mut(part)[..len * size_of::<T>()];
        bytemuck::cast_slice_mut::<u8, T>(bytes)
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
        work(Scratch(&mut memory[..lines]))
    })
}
