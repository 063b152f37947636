//! Elements in vectors.

use std::arch::asm;
use std::arch::x86_64::*;

use bytemuck::Pod;
use half::bf16;

/// A type that matrix products take; they sum in float32.
///
/// # Safety
/// Its methods run only on a processor that has AVX-512, and bfloat16 if the type is that:
/// [`Avx512::check`](super::Avx512::check) comes before.
pub trait Lanes: Pod + Send + Sync {
    /// How many of it fill four bytes, a unit; as many consecutive rows of a product's second operand
    /// lie interleaved, element by element.
    const OF_UNIT: usize;

    /// Loads sixteen as floats.
    ///
    /// # Safety
    /// `from` reaches sixteen elements; see also the trait.
    unsafe fn load(from: *const Self) -> __m512;

    /// Stores sixteen floats, rounding to the nearest.
    ///
    /// # Safety
    /// `to` reaches sixteen elements; see also the trait.
    unsafe fn store(to: *mut Self, values: __m512);

    /// `sum + a · b` in each unit.
    ///
    /// # Safety
    /// See the trait.
    unsafe fn multiply_add(sum: __m512, a: __m512, b: __m512) -> __m512;
}

impl Lanes for f32 {
    const OF_UNIT: usize = 1;

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    unsafe fn load(from: *const Self) -> __m512 {
        // SAFETY: as promised to this function.
        unsafe { _mm512_loadu_ps(from) }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    unsafe fn store(to: *mut Self, values: __m512) {
        // SAFETY: as promised to this function.
        unsafe { _mm512_storeu_ps(to, values) }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    unsafe fn multiply_add(sum: __m512, a: __m512, b: __m512) -> __m512 {
        _mm512_fmadd_ps(a, b, sum)
    }
}

/// Instructions for bfloat16 are written out, so that functions over either type need no processor
/// that has them.
impl Lanes for bf16 {
    const OF_UNIT: usize = 2;

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    unsafe fn load(from: *const Self) -> __m512 {
        // SAFETY: as promised to this function.
        let halves = unsafe { _mm256_loadu_si256(from.cast()) };
        _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(halves)))
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    unsafe fn store(to: *mut Self, values: __m512) {
        let halves: __m256i;
        // SAFETY: as promised to this function; the instruction is there.
        unsafe {
            asm!("vcvtneps2bf16 {}, {}", out(ymm_reg) halves, in(zmm_reg) values, options(pure, nomem, nostack));
            _mm256_storeu_si256(to.cast(), halves);
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    unsafe fn multiply_add(mut sum: __m512, a: __m512, b: __m512) -> __m512 {
        // SAFETY: the instruction is there, as promised to this function.
        unsafe {
            asm!("vdpbf16ps {}, {}, {}", inout(zmm_reg) sum, in(zmm_reg) a, in(zmm_reg) b,
                options(pure, nomem, nostack, preserves_flags));
        }
        sum
    }
}
