//! What products of either type consist of, and bfloat16 in vectors.
//!
//! Instructions for bfloat16 are written out, so that functions over either type need no processor
//! that has them. Each stands in a function of its own, whose features let a register be named.

use std::arch::asm;
use std::arch::x86_64::*;

use half::bf16;

use super::Avx512;
use super::tiles::Tiles;
use super::vectors::multiply;
use crate::ahead::Ahead;
use crate::product::Product;
use crate::simd::{LANES, Lanes, Simd};

/// What a unit of four bytes consists of: a float, or two bfloat16.
pub(super) trait Unit: Lanes<Avx512> {
    /// `sum + a · b` in each unit.
    ///
    /// # Safety
    /// The processor has AVX-512, and bfloat16 if the type is that.
    unsafe fn multiply_add(sum: __m512, a: __m512, b: __m512) -> __m512;
}

impl Unit for f32 {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    unsafe fn multiply_add(sum: __m512, a: __m512, b: __m512) -> __m512 {
        _mm512_fmadd_ps(a, b, sum)
    }
}

impl Unit for bf16 {
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

/// Rounds to the nearest.
///
/// # Safety
/// The processor has instructions for bfloat16.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn rounded(floats: __m512) -> __m256i {
    let halves: __m256i;
    // SAFETY: as promised to this function.
    unsafe {
        asm!("vcvtneps2bf16 {}, {}", out(ymm_reg) halves, in(zmm_reg) floats, options(pure, nomem, nostack));
    }
    halves
}

#[expect(
    clippy::undocumented_unsafe_blocks,
    reason = "the processor has the instructions, as there is an `Avx512` and `Kernels` has asked for bfloat16"
)]
impl Lanes<Avx512> for bf16 {
    const OF_UNIT: usize = 2;

    #[inline(always)]
    fn load(_: Avx512, from: &[Self; LANES]) -> __m512 {
        unsafe {
            let halves = _mm256_loadu_si256(from.as_ptr().cast());
            _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(halves)))
        }
    }

    #[inline(always)]
    fn store(_: Avx512, to: &mut [Self; LANES], floats: __m512) {
        unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), rounded(floats)) };
    }

    #[inline(always)]
    fn load_units(_: Avx512, from: &[Self]) -> __m512 {
        let there = (from.len() / Self::OF_UNIT).min(LANES);
        // What is beyond the slice is masked.
        unsafe { _mm512_maskz_loadu_ps(((1_u32 << there) - 1) as __mmask16, from.as_ptr().cast()) }
    }

    #[inline(always)]
    fn store_units(_: Avx512, to: &mut [Self], units: __m512) {
        let to = &mut to[..LANES * Self::OF_UNIT];
        unsafe { _mm512_storeu_ps(to.as_mut_ptr().cast(), units) };
    }

    /// As floats, elements have their bits in the upper half.
    #[inline(always)]
    fn interleaved(_: Avx512, part: impl Fn(usize) -> __m512) -> __m512 {
        unsafe {
            let [even, odd] = [_mm512_castps_si512(part(0)), _mm512_castps_si512(part(1))];
            _mm512_castsi512_ps(_mm512_or_si512(_mm512_srli_epi32::<16>(even), odd))
        }
    }

    /// Tile registers keep sums of any length.
    #[inline(always)]
    fn nearby(simd: Avx512) -> usize {
        if simd.tiles { usize::MAX } else { Simd::nearby(simd) }
    }

    #[inline(always)]
    unsafe fn multiply(
        simd: Avx512,
        tiles: &mut Tiles,
        size: Product,
        ahead: &mut Ahead,
        a: *const Self,
        b: *const Self,
        c: *mut f32,
    ) {
        if simd.tiles {
            return unsafe { tiles.multiply(size, ahead, a, b, c) };
        }
        unsafe { multiply(size, ahead, a, b, c) };
    }
}
