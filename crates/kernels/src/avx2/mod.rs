//! x86-64 processors with AVX2 and FMA: sixteen floats are two registers, and a product keeps 6 × 16
//! sums in twelve.

mod bytes;
mod vectors;

use std::arch::x86_64::*;
use std::ops::Range;

use crate::ahead::Ahead;
use crate::product::Product;
use crate::simd::{LANES, Simd, Task};

/// Floats of a register.
const HALF: usize = LANES / 2;

/// Says that the processor has AVX2 and FMA, and whether products of bytes beside them (AVX-VNNI).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Avx2 {
    bytes: bool,
}

impl Avx2 {
    pub(crate) fn detect() -> Option<Self> {
        let is_there = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        is_there.then(|| Self { bytes: is_x86_feature_detected!("avxvnni") })
    }

    pub(crate) fn has_int8(self) -> bool {
        self.bytes
    }
}

/// Both registers by one instruction that takes as many as there are arguments.
macro_rules! each {
    ($instruction:ident($($operand:ident),+)) => {
        unsafe { [$instruction($($operand[0]),+), $instruction($($operand[1]),+)] }
    };
}

#[expect(
    clippy::undocumented_unsafe_blocks,
    reason = "the processor has the instructions, as there is an `Avx2`"
)]
impl Simd for Avx2 {
    type Floats = [__m256; 2];
    type Registers = ();
    const WIDTH: usize = LANES;

    #[inline(always)]
    fn run(self, task: impl Task) {
        #[target_feature(enable = "avx2,fma")]
        fn run(task: impl Task) {
            task.run();
        }
        unsafe { run(task) }
    }

    #[inline(always)]
    unsafe fn multiply(self, size: Product, ahead: &mut Ahead, a: *const f32, b: *const f32, c: *mut f32) {
        unsafe { vectors::multiply(size, ahead, a, b, c) };
    }

    #[inline(always)]
    fn load(self, from: &[f32; LANES]) -> Self::Floats {
        unsafe { [_mm256_loadu_ps(from.as_ptr()), _mm256_loadu_ps(from[HALF..].as_ptr())] }
    }

    #[inline(always)]
    fn store(self, to: &mut [f32; LANES], floats: Self::Floats) {
        unsafe {
            _mm256_storeu_ps(to.as_mut_ptr(), floats[0]);
            _mm256_storeu_ps(to[HALF..].as_mut_ptr(), floats[1]);
        }
    }

    #[inline(always)]
    fn splat(self, value: f32) -> Self::Floats {
        unsafe { [_mm256_set1_ps(value); 2] }
    }

    #[inline(always)]
    fn add(self, a: Self::Floats, b: Self::Floats) -> Self::Floats {
        each!(_mm256_add_ps(a, b))
    }

    #[inline(always)]
    fn sub(self, a: Self::Floats, b: Self::Floats) -> Self::Floats {
        each!(_mm256_sub_ps(a, b))
    }

    #[inline(always)]
    fn mul(self, a: Self::Floats, b: Self::Floats) -> Self::Floats {
        each!(_mm256_mul_ps(a, b))
    }

    #[inline(always)]
    fn mul_add(self, a: Self::Floats, b: Self::Floats, c: Self::Floats) -> Self::Floats {
        each!(_mm256_fmadd_ps(a, b, c))
    }

    #[inline(always)]
    fn sub_mul(self, a: Self::Floats, b: Self::Floats, c: Self::Floats) -> Self::Floats {
        each!(_mm256_fnmadd_ps(a, b, c))
    }

    #[inline(always)]
    fn max(self, a: Self::Floats, b: Self::Floats) -> Self::Floats {
        each!(_mm256_max_ps(a, b))
    }

    #[inline(always)]
    fn min(self, a: Self::Floats, b: Self::Floats) -> Self::Floats {
        each!(_mm256_min_ps(a, b))
    }

    #[inline(always)]
    fn round(self, floats: Self::Floats) -> Self::Floats {
        floats.map(|floats| unsafe {
            _mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(floats)
        })
    }

    /// In two steps, of which the second alone may round: 2ⁿ itself may be too small for a float.
    #[inline(always)]
    fn scale(self, floats: Self::Floats, n: Self::Floats) -> Self::Floats {
        let scale = |floats: __m256, n: __m256| unsafe {
            let n = _mm256_cvtps_epi32(n);
            let half = _mm256_srai_epi32::<1>(n);
            let power = |n: __m256i| {
                _mm256_castsi256_ps(_mm256_slli_epi32::<23>(_mm256_add_epi32(n, _mm256_set1_epi32(127))))
            };
            _mm256_mul_ps(_mm256_mul_ps(floats, power(half)), power(_mm256_sub_epi32(n, half)))
        };
        [scale(floats[0], n[0]), scale(floats[1], n[1])]
    }

    #[inline(always)]
    fn reciprocal(self, floats: Self::Floats) -> Self::Floats {
        let one = self.splat(1.0);
        each!(_mm256_div_ps(one, floats))
    }

    #[inline(always)]
    fn select(self, lanes: Range<usize>, floats: Self::Floats, others: Self::Floats) -> Self::Floats {
        if lanes.start == 0 && lanes.end >= LANES {
            return floats;
        }
        let bound = |lane: usize| unsafe { _mm256_set1_epi32(lane.min(LANES) as i32) };
        let (start, end) = (bound(lanes.start), bound(lanes.end));
        let select = |lanes: __m256i, floats: __m256, others: __m256| unsafe {
            let is_there =
                _mm256_andnot_si256(_mm256_cmpgt_epi32(start, lanes), _mm256_cmpgt_epi32(end, lanes));
            _mm256_blendv_ps(others, floats, _mm256_castsi256_ps(is_there))
        };
        unsafe {
            let lower = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
            let upper = _mm256_add_epi32(lower, _mm256_set1_epi32(HALF as i32));
            [select(lower, floats[0], others[0]), select(upper, floats[1], others[1])]
        }
    }

    #[inline(always)]
    fn sum(self, floats: Self::Floats) -> f32 {
        unsafe {
            let eight = _mm256_add_ps(floats[0], floats[1]);
            let four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps::<1>(eight));
            let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
        }
    }

    #[inline(always)]
    fn largest(self, floats: Self::Floats) -> f32 {
        unsafe {
            let eight = _mm256_max_ps(floats[0], floats[1]);
            let four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps::<1>(eight));
            let two = _mm_max_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)))
        }
    }

    #[inline(always)]
    fn transposed(self, rows: [Self::Floats; LANES]) -> [Self::Floats; LANES] {
        let mut columns = [self.splat(0.0); LANES];
        // Quarters change places.
        for (of_rows, of_columns) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            let mut quarter = [rows[0][0]; HALF];
            for (row, quarter) in quarter.iter_mut().enumerate() {
                *quarter = rows[of_rows * HALF + row][of_columns];
            }
            for (column, floats) in transposed(quarter).into_iter().enumerate() {
                columns[of_columns * HALF + column][of_rows] = floats;
            }
        }
        columns
    }
}

/// Rows to columns: pairs of floats, then of pairs, then of halves change places.
#[inline(always)]
fn transposed(rows: [__m256; HALF]) -> [__m256; HALF] {
    let mut columns = rows;
    // SAFETY: reached through an `Avx2` alone.
    unsafe {
        let (mut pairs, mut fours) = (rows, rows);
        for at in 0..HALF / 2 {
            pairs[2 * at] = _mm256_unpacklo_ps(rows[2 * at], rows[2 * at + 1]);
            pairs[2 * at + 1] = _mm256_unpackhi_ps(rows[2 * at], rows[2 * at + 1]);
        }
        for half in [0, 4] {
            for at in 0..2 {
                let (upper, lower) = (pairs[half + at], pairs[half + at + 2]);
                fours[half + 2 * at] = _mm256_shuffle_ps::<0b01_00_01_00>(upper, lower);
                fours[half + 2 * at + 1] = _mm256_shuffle_ps::<0b11_10_11_10>(upper, lower);
            }
        }
        for at in 0..4 {
            columns[at] = _mm256_permute2f128_ps::<0x20>(fours[at], fours[at + 4]);
            columns[at + 4] = _mm256_permute2f128_ps::<0x31>(fours[at], fours[at + 4]);
        }
    }
    columns
}
