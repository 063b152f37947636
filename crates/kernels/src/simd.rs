//! What an instruction set has to offer, so that all algorithms are written once.
//!
//! Sixteen floats are worked on at a time, in as many registers as they take.

use std::fmt::Debug;
use std::mem::MaybeUninit;
use std::ops::Range;

use bytemuck::Pod;

use crate::ahead::Ahead;
use crate::product::Product;

/// Floats that are worked on at a time.
pub(crate) const LANES: usize = 16;

/// Work that is compiled for an instruction set.
///
/// `run` and everything below it that computes is `#[inline(always)]`: only what becomes a part of
/// [`Simd::run`]'s body is compiled with the set's instructions.
pub(crate) trait Task {
    fn run(self);
}

/// An instruction set. A value says that the processor has it, so that its methods are safe.
pub(crate) trait Simd: Copy + Debug + Eq + Send + Sync + 'static {
    /// Sixteen floats.
    type Floats: Copy;
    /// What a thread's products keep from one to the next.
    type Registers: Default;
    /// Columns of a product's second operand that lie side by side, and that [`Simd::multiply`] takes at
    /// most: a part of a [panel](crate::layer::PANEL), and a multiple of [`LANES`].
    const WIDTH: usize;

    /// Bytes of a product's second operand, as wide as columns lie side by side, that are at work while rows of the
    /// first pass: of sixteen columns 192 rows, which stay in the first cache. Longer sums are hardly faster, and lose more
    /// to rounding.
    fn nearby(self) -> usize {
        12 << 10
    }

    /// Does the task with the set's instructions.
    fn run(self, task: impl Task);

    /// `c = a · b`, while lines of what is wanted next are fetched. All columns lie side by side.
    ///
    /// # Safety
    /// The pointers reach as far as `size` says.
    unsafe fn multiply(self, size: Product, ahead: &mut Ahead, a: *const f32, b: *const f32, c: *mut f32);

    fn load(self, from: &[f32; LANES]) -> Self::Floats;
    fn store(self, to: &mut [f32; LANES], floats: Self::Floats);
    fn splat(self, value: f32) -> Self::Floats;
    fn add(self, a: Self::Floats, b: Self::Floats) -> Self::Floats;
    fn sub(self, a: Self::Floats, b: Self::Floats) -> Self::Floats;
    fn mul(self, a: Self::Floats, b: Self::Floats) -> Self::Floats;
    /// `a · b + c`
    fn mul_add(self, a: Self::Floats, b: Self::Floats, c: Self::Floats) -> Self::Floats;
    /// `c - a · b`
    fn sub_mul(self, a: Self::Floats, b: Self::Floats, c: Self::Floats) -> Self::Floats;
    /// `b` where either is no number.
    fn max(self, a: Self::Floats, b: Self::Floats) -> Self::Floats;
    /// `b` where either is no number.
    fn min(self, a: Self::Floats, b: Self::Floats) -> Self::Floats;
    /// To the nearest integer, of numbers below 2²² in size.
    fn round(self, floats: Self::Floats) -> Self::Floats;
    /// `floats · 2ⁿ`, of integers `n` between -252 and 254.
    fn scale(self, floats: Self::Floats, n: Self::Floats) -> Self::Floats;
    /// One divided by each, to a unit or two in the last place.
    fn reciprocal(self, floats: Self::Floats) -> Self::Floats;
    /// The floats of these lanes, and `others` elsewhere.
    fn select(self, lanes: Range<usize>, floats: Self::Floats, others: Self::Floats) -> Self::Floats;
    /// The upper half is added to the lower, and so on.
    fn sum(self, floats: Self::Floats) -> f32;
    fn largest(self, floats: Self::Floats) -> f32;
    /// Rows to columns.
    fn transposed(self, rows: [Self::Floats; LANES]) -> [Self::Floats; LANES];
}

/// An instruction set that multiplies bytes. Sums and units of four bytes are handed around as the bits of floats.
pub(crate) trait Bytes: Simd {
    /// `sums + Σ a · b` in each lane, of the four bytes that a unit of `a` has, from 0 to 255, and those of
    /// `b`, from -128 to 127. Sums are of 32 bits.
    fn dot(self, sums: Self::Floats, a: Self::Floats, b: Self::Floats) -> Self::Floats;

    /// The floats that are no larger in size than those of `limit`, and 0 for others.
    fn within(self, floats: Self::Floats, limit: Self::Floats) -> Self::Floats;

    /// Sums as floats.
    fn converted(self, sums: Self::Floats) -> Self::Floats;

    /// Rounded to the nearest, of numbers from 0 to 255.
    fn store_bytes(self, to: &mut [u8; LANES], floats: Self::Floats);
}

/// A type of which an instruction set makes products; they sum in float32.
pub(crate) trait Lanes<S: Simd>: Pod + Send + Sync {
    /// How many of it fill four bytes, a unit; as many consecutive rows of a product's second operand
    /// lie interleaved, element by element.
    const OF_UNIT: usize;

    /// Sixteen as floats.
    fn load(simd: S, from: &[Self; LANES]) -> S::Floats;

    /// Sixteen floats, rounded to the nearest.
    fn store(simd: S, to: &mut [Self; LANES], floats: S::Floats);

    /// The first sixteen units, or as many as there are and zeros.
    fn load_units(simd: S, from: &[Self]) -> S::Floats;

    /// Sixteen units at the beginning of a slice.
    fn store_units(simd: S, to: &mut [Self], units: S::Floats);

    /// Sixteen units, of whose elements `part` has the first, the second and so on, as floats.
    fn interleaved(simd: S, part: impl Fn(usize) -> S::Floats) -> S::Floats;

    /// [`Simd::nearby`] of this type.
    fn nearby(simd: S) -> usize {
        simd.nearby()
    }

    /// [`Simd::multiply`] of this type.
    ///
    /// # Safety
    /// The pointers reach as far as `size` says.
    unsafe fn multiply(
        simd: S,
        registers: &mut S::Registers,
        size: Product,
        ahead: &mut Ahead,
        a: *const Self,
        b: *const Self,
        c: *mut f32,
    );
}

impl<S: Simd> Lanes<S> for f32 {
    const OF_UNIT: usize = 1;

    #[inline(always)]
    fn load(simd: S, from: &[Self; LANES]) -> S::Floats {
        simd.load(from)
    }

    #[inline(always)]
    fn store(simd: S, to: &mut [Self; LANES], floats: S::Floats) {
        simd.store(to, floats);
    }

    #[inline(always)]
    fn load_units(simd: S, from: &[Self]) -> S::Floats {
        simd.load(&from.as_chunks().0[0])
    }

    #[inline(always)]
    fn store_units(simd: S, to: &mut [Self], units: S::Floats) {
        simd.store(&mut to.as_chunks_mut().0[0], units);
    }

    #[inline(always)]
    fn interleaved(_: S, part: impl Fn(usize) -> S::Floats) -> S::Floats {
        part(0)
    }

    #[inline(always)]
    unsafe fn multiply(
        simd: S,
        _: &mut S::Registers,
        size: Product,
        ahead: &mut Ahead,
        a: *const Self,
        b: *const Self,
        c: *mut f32,
    ) {
        // SAFETY: as promised to this function.
        unsafe { simd.multiply(size, ahead, a, b, c) };
    }
}

/// [`Lanes::store`], to where nothing is yet.
#[inline(always)]
pub(crate) fn write<S: Simd, E: Lanes<S>>(simd: S, to: &mut [MaybeUninit<E>; LANES], floats: S::Floats) {
    *to = [MaybeUninit::new(E::zeroed()); LANES]; // For the borrow alone: nothing of it is left in the program.
    // SAFETY: they were just written.
    E::store(simd, unsafe { &mut *std::ptr::from_mut(to).cast() }, floats);
}
