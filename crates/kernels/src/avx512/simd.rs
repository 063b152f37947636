//! Sixteen floats at a time: the arithmetic between matrix products.

use std::arch::x86_64::*;
use std::mem::MaybeUninit;

use super::element::Lanes;

/// Lanes of a vector.
pub(crate) const LANES: usize = 16;

/// Loads sixteen elements as floats.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(crate) fn load<E: Lanes>(from: &[E; LANES]) -> __m512 {
    // SAFETY: these are sixteen; the processor was asked (`Lanes`).
    unsafe { E::load(from.as_ptr()) }
}

/// Stores sixteen floats as elements, rounding to the nearest.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(crate) fn store<E: Lanes>(to: &mut [E; LANES], values: __m512) {
    // SAFETY: as in `load`.
    unsafe { E::store(to.as_mut_ptr(), values) }
}

/// [`store`], to where nothing is yet.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(crate) fn write<E: Lanes>(to: &mut [MaybeUninit<E>; LANES], values: __m512) {
    // SAFETY: as in `load`.
    unsafe { E::store(to.as_mut_ptr().cast(), values) }
}

/// The first sixteen units of four bytes, or as many as there are and zeros.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(crate) fn load_units<E: Lanes>(from: &[E]) -> __m512 {
    let there = first_lanes(from.len() / E::OF_UNIT);
    // SAFETY: what is beyond the slice is masked.
    unsafe { _mm512_maskz_loadu_ps(there, from.as_ptr().cast()) }
}

/// Stores sixteen units of four bytes at the beginning of a slice.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(crate) fn store_units<E: Lanes>(to: &mut [E], units: __m512) {
    let to = &mut to[..LANES * E::OF_UNIT];
    // SAFETY: the slice has room for them, and any bits are an element.
    unsafe { _mm512_storeu_ps(to.as_mut_ptr().cast(), units) }
}

/// [`store_units`], to where nothing is yet.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(crate) fn write_units<E: Lanes>(to: &mut [MaybeUninit<E>], units: __m512) {
    let to = &mut to[..LANES * E::OF_UNIT];
    // SAFETY: as in `store_units`.
    unsafe { _mm512_storeu_ps(to.as_mut_ptr().cast(), units) }
}

/// A mask of the first `count` lanes.
pub(crate) fn first_lanes(count: usize) -> __mmask16 {
    if count >= LANES { !0 } else { (1 << count) - 1 }
}

/// Rows to columns, of sixteen times sixteen units of four bytes.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(crate) fn transposed(mut rows: [__m512; LANES]) -> [__m512; LANES] {
    let lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    let of_other = _mm512_set1_epi32(LANES as i32);
    // Quarters change places, then those of quarters.
    for half in [8, 4, 2, 1] {
        let across = _mm512_xor_si512(lanes, _mm512_set1_epi32(half as i32));
        let is_right = _mm512_test_epi32_mask(lanes, _mm512_set1_epi32(half as i32));
        let upper = _mm512_mask_add_epi32(lanes, is_right, across, of_other);
        let lower = _mm512_mask_add_epi32(across, is_right, lanes, of_other);
        for row in (0..LANES).filter(|row| row & half == 0) {
            let (above, below) = (rows[row], rows[row | half]);
            rows[row] = _mm512_permutex2var_ps(above, upper, below);
            rows[row | half] = _mm512_permutex2var_ps(above, lower, below);
        }
    }
    rows
}

/// `e^x` to about one unit in the last place.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(crate) fn exp(x: __m512) -> __m512 {
    let x = _mm512_max_ps(x, _mm512_set1_ps(-104.0));
    let n = _mm512_roundscale_ps::<0>(_mm512_mul_ps(x, _mm512_set1_ps(std::f32::consts::LOG2_E)));
    // x - n·ln 2, with ln 2 in two parts.
    let r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693_359_4), x);
    let r = _mm512_fnmadd_ps(n, _mm512_set1_ps(-2.121_944_4e-4), r);
    let series = polynomial(r, &[1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0]);
    _mm512_scalef_ps(series, n)
}

/// Coefficients from the highest power down.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn polynomial(x: __m512, coefficients: &[f32]) -> __m512 {
    let mut sum = _mm512_set1_ps(coefficients[0]);
    for &coefficient in &coefficients[1..] {
        sum = _mm512_fmadd_ps(sum, x, _mm512_set1_ps(coefficient));
    }
    sum
}

/// `x/2 · (1 + erf(x/√2))`; the error function as a quotient of polynomials, to a few
/// units in the last place.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(crate) fn gelu(x: __m512) -> __m512 {
    let bound = _mm512_set1_ps(4.0);
    let scaled = _mm512_mul_ps(x, _mm512_set1_ps(std::f32::consts::FRAC_1_SQRT_2));
    let z = _mm512_max_ps(_mm512_min_ps(scaled, bound), _mm512_sub_ps(_mm512_setzero_ps(), bound));
    let square = _mm512_mul_ps(z, z);
    let above = polynomial(
        square,
        &[
            -2.726_142_3e-10,
            2.770_681_4e-8,
            -2.101_024e-6,
            -5.692_506_4e-5,
            -7.349_906e-4,
            -2.954_6e-3,
            -1.609_603_3e-2,
        ],
    );
    let below = polynomial(
        square,
        &[-1.456_607_2e-5, -2.133_740_5e-4, -1.682_827e-3, -7.373_329e-3, -1.426_473_9e-2],
    );
    // Newton's step doubles the right digits of the estimate; dividing would take twice as long.
    let estimate = _mm512_rcp14_ps(below);
    let error = _mm512_fnmadd_ps(below, estimate, _mm512_set1_ps(1.0));
    let inverse = _mm512_fmadd_ps(estimate, error, estimate);
    let erf = _mm512_mul_ps(_mm512_mul_ps(z, above), inverse);
    let half = _mm512_mul_ps(x, _mm512_set1_ps(0.5));
    _mm512_fmadd_ps(half, erf, half)
}
