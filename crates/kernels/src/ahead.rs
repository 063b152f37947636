//! What a product will soon want from memory, fetched while it multiplies.
//!
//! All at once such requests would hold up the loads of the product itself: a processor has places for some dozen
//! that are on their way. So a product asks for a line now and then between its multiplications.

use crate::scratch::CacheLine;

/// Bytes that come from memory at a time.
const CACHE_LINE: usize = size_of::<CacheLine>();

/// A run of memory, of which products fetch as much as they have time for.
pub(crate) struct Ahead {
    at: *const u8,
    end: *const u8,
}

/// What one small product fetches of it, line by line: with [`Lines::at`] one in `EVERY` steps.
pub(crate) struct Lines<const EVERY: usize> {
    at: *const u8,
    step: usize,
}

impl Ahead {
    pub(crate) fn nothing() -> Self {
        Self::of::<u8>(&[])
    }

    pub(crate) fn of<E>(elements: &[E]) -> Self {
        let memory = elements.as_ptr_range();
        Self { at: memory.start.cast(), end: memory.end.cast() }
    }

    /// The next lines for a product of so many steps. Beyond the end it fetches what is at hand, as to ask
    /// would take longer.
    #[inline(always)]
    pub(crate) fn take<const EVERY: usize>(&mut self, steps: usize) -> Lines<EVERY> {
        if self.at >= self.end {
            return Lines { at: std::ptr::from_ref(self).cast(), step: 0 };
        }
        let lines = Lines { at: self.at, step: CACHE_LINE };
        self.at = self.at.wrapping_add(steps.div_ceil(EVERY) * CACHE_LINE);
        lines
    }
}

impl<const EVERY: usize> Lines<EVERY> {
    /// Fetches a line if it is the step for one.
    #[inline(always)]
    pub(crate) fn at(&mut self, step: usize) {
        if step.is_multiple_of(EVERY) {
            self.fetch();
        }
    }

    /// Has one more brought to the second cache, where there is an instruction for it.
    #[inline(always)]
    fn fetch(&mut self) {
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
            // SAFETY: every processor of this kind has the instruction, which reads nothing, wherever it points.
            unsafe { _mm_prefetch::<_MM_HINT_T1>(self.at.cast()) };
        }
        self.at = self.at.wrapping_add(self.step);
    }
}
