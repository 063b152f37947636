//! The small matrix product: sums that stay in registers while a row of weights after another passes.

use std::arch::x86_64::*;
use std::sync::LazyLock;

use half::bf16;

use super::element::Element;
use super::simd::LANES;
use super::sys::strata_product_bf16;

/// Rows of sums in registers.
const ROWS: usize = 6;
/// Vectors of columns in registers: 24 sums, four weights and an input are 29 of 32 registers.
const VECTORS: usize = 4;
/// Products that are added up at a time: the longer a sum, the more of it is lost to rounding.
const DEPTH: usize = 384;

/// Sizes and row strides, in elements, of `c[m, n] = a[m, k] · b[k, n]`. `n` is a multiple of
/// [`LANES`]; `k` and `lda` of [`Element::ROWS_INTERLEAVED`].
#[derive(Clone, Copy)]
pub(crate) struct Product {
    pub(crate) m: usize,
    pub(crate) n: usize,
    pub(crate) k: usize,
    pub(crate) lda: usize,
    pub(crate) ldb: usize,
    pub(crate) ldc: usize,
    /// What the product is added to, of `c`'s layout; it may be `c`.
    pub(crate) onto: Option<*const f32>,
}

/// Multiplies. As many consecutive rows of `b` as [`Element::ROWS_INTERLEAVED`] lie interleaved,
/// element by element.
///
/// # Safety
/// The pointers reach as far as `size` says; the processor has AVX-512, and bfloat16 if `E` is that.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(crate) unsafe fn multiply<E: Element>(size: Product, a: *const E, b: *const E, c: *mut f32) {
    // Tiles multiply several times faster, and are libtorch's business.
    if E::ROWS_INTERLEAVED == 2 && has_amx() {
        // SAFETY: as promised to this function; what is interleaved in pairs is bfloat16.
        return unsafe { amx_product(size, a.cast(), b.cast(), c) };
    }
    for depth in (0..size.k).step_by(DEPTH) {
        let onto = if depth == 0 { size.onto } else { Some(c.cast_const()) };
        let size = Product { k: DEPTH.min(size.k - depth), onto, ..size };
        for column in (0..size.n).step_by(VECTORS * LANES) {
            let vectors = VECTORS.min((size.n - column) / LANES);
            for row in (0..size.m).step_by(ROWS) {
                let tile = tile_of::<E>(ROWS.min(size.m - row), vectors);
                // SAFETY: as promised to this function.
                unsafe {
                    let a = a.add(row * size.lda + depth).cast();
                    // Two bfloat16 or one float32: a unit has four bytes either way.
                    let b = b.add(depth * size.ldb).cast::<f32>().add(column);
                    tile(&size, a, b, row * size.ldc + column, c);
                }
            }
        }
    }
}

/// `(size, a, b, at, c)`: the product of the operands from `a` and `b` on, at place `at` of `c`.
type Tile = unsafe fn(&Product, *const i32, *const f32, usize, *mut f32);

fn tile_of<E: Element>(rows: usize, vectors: usize) -> Tile {
    fn of_vectors<E: Element, const V: usize>(rows: usize) -> Tile {
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

/// `M` rows and `V` vectors of columns of the product.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn tile<E: Element, const M: usize, const V: usize>(
    size: &Product,
    a: *const i32,
    b: *const f32,
    at: usize,
    c: *mut f32,
) {
    let Product { lda, ldb, ldc, onto, .. } = *size;
    let (units, lda) = (size.k / E::ROWS_INTERLEAVED, lda / E::ROWS_INTERLEAVED);
    let mut sums = [[_mm512_setzero_ps(); V]; M];
    // SAFETY: the caller's pointers reach as far as the sizes say.
    unsafe {
        for unit in 0..units {
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
                let place = at + row * ldc + vector * LANES;
                if let Some(onto) = onto {
                    *sum = _mm512_add_ps(*sum, _mm512_loadu_ps(onto.add(place)));
                }
                _mm512_storeu_ps(c.add(place), *sum);
            }
        }
    }
}

/// Whether the processor has tile registers for bfloat16.
fn has_amx() -> bool {
    static HAS_AMX: LazyLock<bool> = LazyLock::new(|| {
        const AMX_BF16: u32 = 1 << 22;
        __cpuid(0).eax >= 7 && __cpuid_count(7, 0).edx & AMX_BF16 != 0
    });
    *HAS_AMX
}

/// The product by libtorch, which knows how to use tile registers.
///
/// # Safety
/// The pointers reach as far as `size` says; the processor has bfloat16.
unsafe fn amx_product(size: Product, a: *const bf16, b: *const bf16, c: *mut f32) {
    /// Of a call: what stays in the nearest cache.
    const MOST_INPUTS: usize = 1024;
    assert!(size.onto.is_none(), "nothing is added to in bfloat16");
    let [m, n, lda, ldb, ldc] = [size.m, size.n, size.lda, size.ldb, size.ldc].map(|size| size as i64);
    for depth in (0..size.k).step_by(MOST_INPUTS) {
        let k = MOST_INPUTS.min(size.k - depth) as i64;
        // SAFETY: as promised to this function.
        unsafe {
            let (a, b) = (a.add(depth), b.add(depth * size.ldb));
            strata_product_bf16(m, n, k, lda, ldb, ldc, depth > 0, a, b, c);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::x86::available;

    #[test]
    fn a_long_sum_is_not_rounded_away() {
        const K: usize = 3072;
        const N: usize = VECTORS * LANES;
        if !available() {
            return;
        }
        let value = |seed: usize| (seed * 7919 % 1999) as f32 / 1999.0;
        let a: Vec<f32> = (0..K).map(value).collect();
        let b: Vec<f32> = (0..K * N).map(|at| value(at + 31)).collect();
        let mut c = [0.0_f32; N];
        let size = Product { m: 1, n: N, k: K, lda: K, ldb: N, ldc: N, onto: None };
        // SAFETY: the operands have these sizes, and the processor was asked.
        unsafe { multiply(size, a.as_ptr(), b.as_ptr(), c.as_mut_ptr()) };
        for (column, &found) in c.iter().enumerate() {
            let exact: f64 = (0..K).map(|k| f64::from(a[k]) * f64::from(b[k * N + column])).sum();
            let error = (f64::from(found) / exact - 1.0).abs();
            assert!(error < 5e-7, "column {column} is off by {error:e}");
        }
    }
}
