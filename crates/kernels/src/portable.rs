//! Any processor, in words that compilers make vectors of: on ARM those of NEON.

use std::array::from_fn;
use std::ops::Range;

use crate::ahead::{Ahead, Lines};
use crate::product::Product;
use crate::simd::{LANES, Simd, Task};

/// Needs nothing of a processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Portable;

/// Rows of sums that fit into the registers of most processors.
const ROWS: usize = if cfg!(target_arch = "aarch64") { 6 } else { 2 };

/// Rows of weights between one line that is fetched ahead and another.
const FETCHING: usize = 8;

/// `a · b + c`, rounded once where that is one instruction.
#[inline(always)]
fn mul_add(a: f32, b: f32, c: f32) -> f32 {
    if cfg!(any(target_arch = "aarch64", target_feature = "fma")) { a.mul_add(b, c) } else { a * b + c }
}

impl Simd for Portable {
    type Floats = [f32; LANES];
    type Registers = ();
    const WIDTH: usize = LANES;

    #[inline(always)]
    fn run(self, task: impl Task) {
        task.run();
    }

    unsafe fn multiply(self, size: Product, ahead: &mut Ahead, a: *const f32, b: *const f32, c: *mut f32) {
        let mut row = 0;
        while row < size.m {
            let is_whole = size.m - row >= ROWS;
            let tile = if is_whole { tile::<ROWS> } else { tile::<1> };
            let lines = ahead.take(size.k);
            // SAFETY: as promised to this function.
            unsafe { tile(&size, lines, a.add(row * size.lda), b, c.add(row * size.ldc)) };
            row += if is_whole { ROWS } else { 1 };
        }
    }

    #[inline(always)]
    fn load(self, from: &[f32; LANES]) -> Self::Floats {
        *from
    }

    #[inline(always)]
    fn store(self, to: &mut [f32; LANES], floats: Self::Floats) {
        *to = floats;
    }

    #[inline(always)]
    fn splat(self, value: f32) -> Self::Floats {
        [value; LANES]
    }

    #[inline(always)]
    fn add(self, a: Self::Floats, b: Self::Floats) -> Self::Floats {
        from_fn(|lane| a[lane] + b[lane])
    }

    #[inline(always)]
    fn sub(self, a: Self::Floats, b: Self::Floats) -> Self::Floats {
        from_fn(|lane| a[lane] - b[lane])
    }

    #[inline(always)]
    fn mul(self, a: Self::Floats, b: Self::Floats) -> Self::Floats {
        from_fn(|lane| a[lane] * b[lane])
    }

    #[inline(always)]
    fn mul_add(self, a: Self::Floats, b: Self::Floats, c: Self::Floats) -> Self::Floats {
        from_fn(|lane| mul_add(a[lane], b[lane], c[lane]))
    }

    #[inline(always)]
    fn sub_mul(self, a: Self::Floats, b: Self::Floats, c: Self::Floats) -> Self::Floats {
        from_fn(|lane| mul_add(-a[lane], b[lane], c[lane]))
    }

    #[inline(always)]
    fn max(self, a: Self::Floats, b: Self::Floats) -> Self::Floats {
        from_fn(|lane| if a[lane] > b[lane] { a[lane] } else { b[lane] })
    }

    #[inline(always)]
    fn min(self, a: Self::Floats, b: Self::Floats) -> Self::Floats {
        from_fn(|lane| if a[lane] < b[lane] { a[lane] } else { b[lane] })
    }

    /// Of a number that large, no float keeps more than the integer.
    #[inline(always)]
    fn round(self, floats: Self::Floats) -> Self::Floats {
        const LARGE: f32 = 1.5 * (1 << 23) as f32;
        from_fn(|lane| (floats[lane] + LARGE) - LARGE)
    }

    /// In two steps, of which the second alone may round: 2ⁿ itself may be too small for a float.
    #[inline(always)]
    fn scale(self, floats: Self::Floats, n: Self::Floats) -> Self::Floats {
        let power = |n: i32| f32::from_bits(((n + 127) << 23) as u32);
        from_fn(|lane| {
            let n = n[lane] as i32;
            floats[lane] * power(n >> 1) * power(n - (n >> 1))
        })
    }

    #[inline(always)]
    fn reciprocal(self, floats: Self::Floats) -> Self::Floats {
        floats.map(|float| 1.0 / float)
    }

    #[inline(always)]
    fn select(self, lanes: Range<usize>, floats: Self::Floats, others: Self::Floats) -> Self::Floats {
        if lanes.start == 0 && lanes.end >= LANES {
            return floats;
        }
        let [start, end] = [lanes.start, lanes.end].map(|lane| lane.min(LANES) as u32);
        from_fn(|lane| if (start..end).contains(&(lane as u32)) { floats[lane] } else { others[lane] })
    }

    #[inline(always)]
    fn sum(self, floats: Self::Floats) -> f32 {
        folded(floats, |a, b| a + b)
    }

    #[inline(always)]
    fn largest(self, floats: Self::Floats) -> f32 {
        folded(floats, |a, b| if a > b { a } else { b })
    }

    #[inline(always)]
    fn transposed(self, rows: [Self::Floats; LANES]) -> [Self::Floats; LANES] {
        from_fn(|column| from_fn(|row| rows[row][column]))
    }
}

/// The upper half into the lower, and so on.
#[inline(always)]
fn folded(floats: [f32; LANES], join: impl Fn(f32, f32) -> f32) -> f32 {
    let eight: [f32; 8] = from_fn(|lane| join(floats[lane], floats[lane + 8]));
    let four: [f32; 4] = from_fn(|lane| join(eight[lane], eight[lane + 4]));
    join(join(four[0], four[2]), join(four[1], four[3]))
}

/// `M` rows of the product, which is added to what is in `c` or takes its place.
///
/// # Safety
/// As for [`Simd::multiply`].
unsafe fn tile<const M: usize>(
    size: &Product,
    mut lines: Lines<FETCHING>,
    a: *const f32,
    b: *const f32,
    c: *mut f32,
) {
    let Product { k, lda, ldb, ldc, adds, .. } = *size;
    let mut sums = [[0.0; LANES]; M];
    // SAFETY: the caller's pointers reach as far as the sizes say.
    unsafe {
        for unit in 0..k {
            lines.at(unit);
            let weights: [f32; LANES] = b.add(unit * ldb).cast::<[f32; LANES]>().read();
            for (row, sums) in sums.iter_mut().enumerate() {
                let input = *a.add(row * lda + unit);
                for (sum, &weight) in sums.iter_mut().zip(&weights) {
                    *sum = mul_add(input, weight, *sum);
                }
            }
        }
        for (row, sums) in sums.iter_mut().enumerate() {
            let place = c.add(row * ldc).cast::<[f32; LANES]>();
            if adds {
                for (sum, before) in sums.iter_mut().zip(place.read()) {
                    *sum += before;
                }
            }
            place.write(*sums);
        }
    }
}
