//! x86-64 processors with AVX-512: a product keeps 6 × 64 sums in registers, or those of bfloat16 in
//! tile registers (AMX) where there are any.

mod bytes;
mod element;
mod tiles;
mod vectors;

use std::arch::x86_64::*;
use std::ops::Range;

use crate::ahead::Ahead;
use crate::product::Product;
use crate::simd::{LANES, Simd, Task};
use tiles::Tiles;

/// Weights that stay in the first cache beside rows of inputs and sums, in bytes: 96 rows of float32.
const IN_FIRST_CACHE: usize = 24 << 10;
/// Those that the second cache feeds as fast: 192 rows, beyond which rounding loses more than other libraries do.
const IN_SECOND_CACHE: usize = 48 << 10;

/// Says that the processor has AVX-512 (F, BW and VL), and what beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Avx512 {
    bfloat16: bool,
    tiles: bool,
    bytes: bool,
    /// AMD's second cache feeds vectors as fast as they multiply.
    is_fed_by_second_cache: bool,
}

impl Avx512 {
    pub(crate) fn detect() -> Option<Self> {
        let is_there = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vl");
        let bfloat16 = is_x86_feature_detected!("avx512bf16");
        let bytes = is_x86_feature_detected!("avx512vnni");
        let is_fed_by_second_cache = is_made_by(b"AuthenticAMD");
        is_there.then(|| Self {
            bfloat16,
            tiles: bfloat16 && tiles::are_usable(),
            bytes,
            is_fed_by_second_cache,
        })
    }

    pub(crate) fn without_tiles(self) -> Self {
        Self { tiles: false, ..self }
    }

    pub(crate) fn has_tiles(self) -> bool {
        self.tiles
    }

    pub(crate) fn has_bfloat16(self) -> bool {
        self.bfloat16
    }

    /// Intel's vectors multiply bfloat16 at half the rate of float32: they leave it to the tiles.
    pub(crate) fn leaves_bfloat16_to_tiles(self) -> bool {
        self.bfloat16 && !self.tiles && is_made_by(b"GenuineIntel")
    }

    pub(crate) fn has_int8(self) -> bool {
        self.bytes
    }
}

fn is_made_by(vendor: &[u8; 12]) -> bool {
    let words = __cpuid(0);
    [words.ebx, words.edx, words.ecx].map(u32::to_le_bytes).as_flattened() == vendor
}

#[expect(
    clippy::undocumented_unsafe_blocks,
    reason = "the processor has the instructions, as there is an `Avx512`"
)]
impl Simd for Avx512 {
    type Floats = __m512;
    type Registers = Tiles;
    /// Of four vectors: 24 sums, four weights and an input are 29 of 32 registers.
    const WIDTH: usize = 64;

    fn nearby(self) -> usize {
        if self.is_fed_by_second_cache { IN_SECOND_CACHE } else { IN_FIRST_CACHE }
    }

    #[inline(always)]
    fn run(self, task: impl Task) {
        #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
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
    fn load(self, from: &[f32; LANES]) -> __m512 {
        unsafe { _mm512_loadu_ps(from.as_ptr()) }
    }

    #[inline(always)]
    fn store(self, to: &mut [f32; LANES], floats: __m512) {
        unsafe { _mm512_storeu_ps(to.as_mut_ptr(), floats) }
    }

    #[inline(always)]
    fn splat(self, value: f32) -> __m512 {
        unsafe { _mm512_set1_ps(value) }
    }

    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_add_ps(a, b) }
    }

    #[inline(always)]
    fn sub(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_sub_ps(a, b) }
    }

    #[inline(always)]
    fn mul(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_mul_ps(a, b) }
    }

    #[inline(always)]
    fn mul_add(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    fn sub_mul(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        unsafe { _mm512_fnmadd_ps(a, b, c) }
    }

    #[inline(always)]
    fn max(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_max_ps(a, b) }
    }

    #[inline(always)]
    fn min(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_min_ps(a, b) }
    }

    #[inline(always)]
    fn round(self, floats: __m512) -> __m512 {
        unsafe { _mm512_roundscale_ps::<0>(floats) }
    }

    #[inline(always)]
    fn scale(self, floats: __m512, n: __m512) -> __m512 {
        unsafe { _mm512_scalef_ps(floats, n) }
    }

    /// Newton's step doubles the right digits of the estimate; dividing would take twice as long.
    #[inline(always)]
    fn reciprocal(self, floats: __m512) -> __m512 {
        unsafe {
            let estimate = _mm512_rcp14_ps(floats);
            let error = _mm512_fnmadd_ps(floats, estimate, _mm512_set1_ps(1.0));
            _mm512_fmadd_ps(estimate, error, estimate)
        }
    }

    #[inline(always)]
    fn select(self, lanes: Range<usize>, floats: __m512, others: __m512) -> __m512 {
        let first = |count: usize| -> __mmask16 { if count >= LANES { !0 } else { (1 << count) - 1 } };
        unsafe { _mm512_mask_mov_ps(others, first(lanes.end) & !first(lanes.start), floats) }
    }

    #[inline(always)]
    fn sum(self, floats: __m512) -> f32 {
        unsafe { _mm512_reduce_add_ps(floats) }
    }

    #[inline(always)]
    fn largest(self, floats: __m512) -> f32 {
        unsafe { _mm512_reduce_max_ps(floats) }
    }

    #[inline(always)]
    fn transposed(self, mut rows: [__m512; LANES]) -> [__m512; LANES] {
        unsafe {
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
        }
        rows
    }
}
