//! Products of bytes (AVX-512 VNNI).

use std::arch::asm;
use std::arch::x86_64::*;

use super::Avx512;
use crate::simd::{Bytes, LANES};

#[expect(
    clippy::undocumented_unsafe_blocks,
    reason = "the processor has the instructions, as there is an `Avx512` and `Kernels` has asked for int8"
)]
impl Bytes for Avx512 {
    #[inline(always)]
    fn dot(self, sums: __m512, a: __m512, b: __m512) -> __m512 {
        unsafe { dot(sums, a, b) }
    }

    #[inline(always)]
    fn within(self, floats: __m512, limit: __m512) -> __m512 {
        unsafe {
            let is_within = _mm512_cmp_ps_mask::<_CMP_LE_OQ>(_mm512_abs_ps(floats), limit);
            _mm512_maskz_mov_ps(is_within, floats)
        }
    }

    #[inline(always)]
    fn converted(self, sums: __m512) -> __m512 {
        unsafe { _mm512_cvtepi32_ps(_mm512_castps_si512(sums)) }
    }

    #[inline(always)]
    fn store_bytes(self, to: &mut [u8; LANES], floats: __m512) {
        unsafe {
            let bytes = _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(floats));
            _mm_storeu_si128(to.as_mut_ptr().cast(), bytes);
        }
    }
}

/// The instruction is written out, as those for bfloat16 are.
///
/// # Safety
/// The processor has it.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn dot(mut sums: __m512, a: __m512, b: __m512) -> __m512 {
    // SAFETY: as promised to this function.
    unsafe {
        asm!("vpdpbusd {}, {}, {}", inout(zmm_reg) sums, in(zmm_reg) a, in(zmm_reg) b,
            options(pure, nomem, nostack, preserves_flags));
    }
    sums
}
