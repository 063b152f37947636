//! Products of bytes (AVX-VNNI).

use std::arch::asm;
use std::arch::x86_64::*;

use super::Avx2;
use crate::simd::{Bytes, LANES};

#[expect(
    clippy::undocumented_unsafe_blocks,
    reason = "the processor has the instructions, as there is an `Avx2` and `Kernels` has asked for int8"
)]
impl Bytes for Avx2 {
    #[inline(always)]
    fn dot(self, sums: Self::Floats, a: Self::Floats, b: Self::Floats) -> Self::Floats {
        unsafe { [dot(sums[0], a[0], b[0]), dot(sums[1], a[1], b[1])] }
    }

    #[inline(always)]
    fn within(self, floats: Self::Floats, limit: Self::Floats) -> Self::Floats {
        let within = |floats: __m256, limit: __m256| unsafe {
            let size = _mm256_andnot_ps(_mm256_set1_ps(-0.0), floats);
            _mm256_and_ps(_mm256_cmp_ps::<_CMP_LE_OQ>(size, limit), floats)
        };
        [within(floats[0], limit[0]), within(floats[1], limit[1])]
    }

    #[inline(always)]
    fn converted(self, sums: Self::Floats) -> Self::Floats {
        let converted = |sums| unsafe { _mm256_cvtepi32_ps(_mm256_castps_si256(sums)) };
        [converted(sums[0]), converted(sums[1])]
    }

    #[inline(always)]
    fn store_bytes(self, to: &mut [u8; LANES], floats: Self::Floats) {
        unsafe {
            let [lower, upper] = [_mm256_cvtps_epi32(floats[0]), _mm256_cvtps_epi32(floats[1])];
            // Quarters of either lie in turn: the middle ones change places.
            let words = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packus_epi32(lower, upper));
            let (lower, upper) = (_mm256_castsi256_si128(words), _mm256_extracti128_si256::<1>(words));
            _mm_storeu_si128(to.as_mut_ptr().cast(), _mm_packus_epi16(lower, upper));
        }
    }
}

/// The instruction is written out, so that functions beside this need no processor that has it.
///
/// # Safety
/// The processor has it.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn dot(mut sums: __m256, a: __m256, b: __m256) -> __m256 {
    // SAFETY: as promised to this function.
    unsafe {
        asm!("{{vex}} vpdpbusd {}, {}, {}", inout(ymm_reg) sums, in(ymm_reg) a, in(ymm_reg) b,
            options(pure, nomem, nostack, preserves_flags));
    }
    sums
}
