//! The small matrix product in vector registers: sums stay there while a row of weights after another passes.

use std::arch::x86_64::*;

use super::element::Unit;
use crate::ahead::{Ahead, Lines};
use crate::product::Product;
use crate::simd::LANES;

/// Rows of sums in registers.
const ROWS: usize = 6;
/// Vectors of columns in registers: 24 sums, four weights and an input are 29 of 32 registers.
const VECTORS: usize = 4;

/// Units of weights between one line that is fetched ahead and another.
const FETCHING: usize = 4;

/// [`Simd::multiply`](crate::simd::Simd::multiply).
///
/// # Safety
/// As for that; the processor has AVX-512, and bfloat16 if the type is that.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(super) unsafe fn multiply<E: Unit>(
    size: Product,
    ahead: &mut Ahead,
    a: *const E,
    b: *const E,
    c: *mut f32,
) {
    for column in (0..size.n).step_by(VECTORS * LANES) {
        let vectors = VECTORS.min((size.n - column) / LANES);
        for row in (0..size.m).step_by(ROWS) {
            let tile = tile_of::<E>(ROWS.min(size.m - row), vectors);
            let lines = ahead.take(size.k / E::OF_UNIT);
            // SAFETY: as promised to this function.
            unsafe {
                // Two bfloat16 or one float32: a unit has four bytes either way.
                let (a, b) = (a.add(row * size.lda).cast(), b.cast::<f32>().add(column));
                tile(&size, lines, a, b, c.add(row * size.ldc + column));
            }
        }
    }
}

/// `(size, lines, a, b, c)`
type Tile = unsafe fn(&Product, Lines<FETCHING>, *const i32, *const f32, *mut f32);

fn tile_of<E: Unit>(rows: usize, vectors: usize) -> Tile {
    fn of_vectors<E: Unit, const V: usize>(rows: usize) -> Tile {
        match rows {
            1 => tile::<E, 1, V>,
            2 => tile::<E, 2, V>,
            3 => tile::<E, 3, V>,
            4 => tile::<E, 4, V>,
            5 => tile::<E, 5, V>,
            _ => tile::<E, ROWS, V>,
        }
    }
    match vectors {
        1 => of_vectors::<E, 1>(rows),
        2 => of_vectors::<E, 2>(rows),
        3 => of_vectors::<E, 3>(rows),
        _ => of_vectors::<E, VECTORS>(rows),
    }
}

/// `M` rows and `V` vectors of columns of the product, which is added to what is in `c` or takes its place.
///
/// # Safety
/// As for [`multiply`].
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn tile<E: Unit, const M: usize, const V: usize>(
    size: &Product,
    mut lines: Lines<FETCHING>,
    a: *const i32,
    b: *const f32,
    c: *mut f32,
) {
    let Product { lda, ldb, ldc, adds, .. } = *size;
    let (units, lda) = (size.k / E::OF_UNIT, lda / E::OF_UNIT);
    let mut sums = [[_mm512_setzero_ps(); V]; M];
    // SAFETY: the caller's pointers reach as far as the sizes say.
    unsafe {
        for unit in 0..units {
            lines.at(unit);
            let mut weights = [_mm512_setzero_ps(); V];
            for (vector, weight) in weights.iter_mut().enumerate() {
                *weight = _mm512_loadu_ps(b.add(unit * ldb + vector * LANES));
            }
            for (row, sums) in sums.iter_mut().enumerate() {
                let input = _mm512_castsi512_ps(_mm512_set1_epi32(a.add(row * lda + unit).read_unaligned()));
                for (sum, &weight) in sums.iter_mut().zip(&weights) {
                    *sum = E::multiply_add(*sum, input, weight);
                }
            }
        }
        for (row, sums) in sums.iter_mut().enumerate() {
            for (vector, sum) in sums.iter_mut().enumerate() {
                let place = c.add(row * ldc + vector * LANES);
                if adds {
                    *sum = _mm512_add_ps(*sum, _mm512_loadu_ps(place));
                }
                _mm512_storeu_ps(place, *sum);
            }
        }
    }
}
