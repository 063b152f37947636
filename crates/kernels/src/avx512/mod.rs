//! Kernels for x86-64 processors with AVX-512.
//!
//! Weights are packed into panels, a product keeps 6 × 64 sums in registers, or in tile registers
//! (AMX) where there are any, and what follows a product happens on its sums while they are in cache,
//! in float32.

mod attention;
mod dense;
mod element;
mod multiplier;
mod panels;
mod product;
mod scratch;
mod simd;
mod strassen;
mod tiles;
mod vectors;

pub use element::Lanes;

pub(crate) use dense::Tail;

/// Says that the processor has AVX-512 (F, BW and VL), and what beside it. Every function here that
/// needs these instructions is reached through a method of this type alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Avx512 {
    bfloat16: bool,
    tiles: bool,
}

impl Avx512 {
    pub(crate) fn detect() -> Option<Self> {
        let is_there = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vl");
        let bfloat16 = is_x86_feature_detected!("avx512bf16");
        is_there.then(|| Self { bfloat16, tiles: bfloat16 && tiles::are_usable() })
    }

    pub(crate) fn without_tiles(self) -> Self {
        Self { tiles: false, ..self }
    }

    pub(crate) fn has_bfloat16(self) -> bool {
        self.bfloat16
    }

    /// Panics unless the processor has what this type takes.
    fn check<E: Lanes>(self) {
        assert!(
            self.bfloat16 || E::OF_UNIT == 1,
            "the processor has instructions for bfloat16 (avx512_bf16)"
        );
    }
}
