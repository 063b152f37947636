//! The types of which matrix products are made.

use std::arch::asm;
use std::arch::x86_64::*;

use half::bf16;

/// A type that matrix products take; they sum in float32.
pub(crate) trait Element: Copy + Sync + 'static {
    const KIND: tch::Kind;
    /// How many of it fill four bytes; as many consecutive rows of a product's second operand lie
    /// interleaved, element by element.
    const ROWS_INTERLEAVED: usize;

    /// `sum + a · b` in each lane of four bytes.
    ///
    /// # Safety
    /// The processor has AVX-512, and bfloat16 if this is that.
    unsafe fn multiply_add(sum: __m512, a: __m512, b: __m512) -> __m512;
}

impl Element for f32 {
    const KIND: tch::Kind = tch::Kind::Float;
    const ROWS_INTERLEAVED: usize = 1;

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    unsafe fn multiply_add(sum: __m512, a: __m512, b: __m512) -> __m512 {
        _mm512_fmadd_ps(a, b, sum)
    }
}

impl Element for bf16 {
    const KIND: tch::Kind = tch::Kind::BFloat16;
    const ROWS_INTERLEAVED: usize = 2;

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    unsafe fn multiply_add(mut sum: __m512, a: __m512, b: __m512) -> __m512 {
        // SAFETY: the caller vouches for the instruction. It is written out so that what calls this
        // for float32 needs no processor with bfloat16.
        unsafe {
            asm!("vdpbf16ps {}, {}, {}", inout(zmm_reg) sum, in(zmm_reg) a, in(zmm_reg) b,
                options(pure, nomem, nostack, preserves_flags));
        }
        sum
    }
}
