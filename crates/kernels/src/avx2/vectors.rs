//! The small matrix product in vector registers: sums stay there while a row of weights after another passes.

use std::arch::x86_64::*;

use crate::ahead::{Ahead, Lines};
use crate::product::Product;
use crate::simd::LANES;

/// Rows of sums in registers: of two each, with two of weights and one of inputs, they are 15 of 16.
const ROWS: usize = 6;

/// Rows of weights between one line that is fetched ahead and another.
const FETCHING: usize = 8;

/// [`Simd::multiply`](crate::simd::Simd::multiply).
///
/// # Safety
/// As for that; the processor has AVX2 and FMA.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn multiply(size: Product, ahead: &mut Ahead, a: *const f32, b: *const f32, c: *mut f32) {
    debug_assert_eq!(size.n, LANES, "no more columns lie side by side");
    for row in (0..size.m).step_by(ROWS) {
        let tile = match size.m - row {
            1 => tile::<1>,
            2 => tile::<2>,
            3 => tile::<3>,
            4 => tile::<4>,
            5 => tile::<5>,
            _ => tile::<ROWS>,
        };
        let lines = ahead.take(size.k);
        // SAFETY: as promised to this function.
        unsafe { tile(&size, lines, a.add(row * size.lda), b, c.add(row * size.ldc)) };
    }
}

/// `M` rows of the product, which is added to what is in `c` or takes its place.
///
/// # Safety
/// As for [`multiply`].
#[target_feature(enable = "avx2,fma")]
unsafe fn tile<const M: usize>(
    size: &Product,
    mut lines: Lines<FETCHING>,
    a: *const f32,
    b: *const f32,
    c: *mut f32,
) {
    let Product { k, lda, ldb, ldc, adds, .. } = *size;
    let mut sums = [[_mm256_setzero_ps(); 2]; M];
    // SAFETY: the caller's pointers reach as far as the sizes say.
    unsafe {
        for unit in 0..k {
            lines.at(unit);
            let weights = b.add(unit * ldb);
            let weights = [_mm256_loadu_ps(weights), _mm256_loadu_ps(weights.add(LANES / 2))];
            for (row, sums) in sums.iter_mut().enumerate() {
                let input = _mm256_set1_ps(*a.add(row * lda + unit));
                for (sum, &weight) in sums.iter_mut().zip(&weights) {
                    *sum = _mm256_fmadd_ps(input, weight, *sum);
                }
            }
        }
        for (row, sums) in sums.iter_mut().enumerate() {
            for (vector, sum) in sums.iter_mut().enumerate() {
                let place = c.add(row * ldc + vector * (LANES / 2));
                if adds {
                    *sum = _mm256_add_ps(*sum, _mm256_loadu_ps(place));
                }
                _mm256_storeu_ps(place, *sum);
            }
        }
    }
}
