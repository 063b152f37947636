//! Weights of dense layers as the products take them: in panels that stay in cache.

use std::arch::x86_64::*;
use std::mem::MaybeUninit;
use std::slice;

use half::bf16;
use rayon::prelude::*;
use tch::{Device, Kind, Tensor};

use super::element::Element;
use super::product::{Product, multiply};
use super::simd::{LANES, load, store, transposed};

/// Outputs whose weights lie together.
pub(crate) const PANEL: usize = 64;
/// Rows that are multiplied with a panel at a time.
pub(crate) const BLOCK: usize = 48;

/// Whether the weights of these outputs can be packed.
pub(crate) fn can_pack(rows: &[&[f32]]) -> bool {
    rows.len().is_multiple_of(LANES) && rows.iter().all(|row| row.len().is_multiple_of(LANES))
}

/// The weights of each output to panels `[panels, inputs, PANEL]` of `kind`; in bfloat16 the rows of
/// a panel lie interleaved in pairs.
pub(crate) fn pack(rows: &[&[f32]], kind: Kind) -> Tensor {
    if kind == Kind::BFloat16 { pack_as::<bf16>(rows) } else { pack_as::<f32>(rows) }
}

fn pack_as<E: Element>(rows: &[&[f32]]) -> Tensor {
    let (panels, inputs) = (rows.len().div_ceil(PANEL), rows[0].len());
    let packed = Tensor::empty([panels as i64, inputs as i64, PANEL as i64], (E::KIND, Device::Cpu));
    // Two bfloat16 or one float32: a unit has four bytes either way.
    let units = inputs / E::ROWS_INTERLEAVED;
    // SAFETY: that is the tensor's memory, which nobody else has yet.
    let memory: &mut [MaybeUninit<f32>] =
        unsafe { slice::from_raw_parts_mut(packed.data_ptr().cast(), panels * units * PANEL) };
    memory.par_chunks_mut(units * PANEL).zip(rows.par_chunks(PANEL)).for_each(|(panel, rows)| {
        // SAFETY: tensors are packed only for a processor that has the instructions.
        unsafe { pack_panel::<E>(panel, rows) };
    });
    packed
}

/// Absent outputs have weights of 0.
///
/// # Safety
/// The processor has AVX-512, and bfloat16 if `E` is that.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn pack_panel<E: Element>(panel: &mut [MaybeUninit<f32>], rows: &[&[f32]]) {
    for first in (0..PANEL).step_by(LANES) {
        for (part, places) in panel.chunks_mut(LANES * PANEL).enumerate() {
            let mut units = [_mm512_setzero_ps(); LANES];
            for (units, row) in units.iter_mut().zip(rows.iter().skip(first)) {
                let values = row.chunks_exact(LANES).skip(part * E::ROWS_INTERLEAVED);
                let elements = std::ptr::from_mut(units).cast::<E>();
                for (values, half) in values.zip(0..E::ROWS_INTERLEAVED) {
                    // SAFETY: a vector of units has room for as many vectors of floats.
                    unsafe { store(elements.add(half * LANES), load(values.as_ptr())) };
                }
            }
            for (place, &column) in places.chunks_exact_mut(PANEL).zip(&transposed(units)) {
                // SAFETY: the vector ends with the place at the latest.
                unsafe { _mm512_storeu_ps(place[first..].as_mut_ptr().cast(), column) };
            }
        }
    }
}

/// Multiplies `a`, `[rows, inputs]`, with a panel; `finish(sums, row)` gets the sums of each row, which
/// lie in `tile`, `[BLOCK, PANEL]`.
///
/// # Safety
/// The pointers reach as far as the sizes say; the processor has AVX-512, and bfloat16 if `E` is that.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(crate) unsafe fn multiply_panel<E: Element>(
    rows: usize,
    inputs: usize,
    a: *const E,
    panel: *const E,
    tile: *mut f32,
    finish: impl Fn(*const f32, usize),
) {
    for first in (0..rows).step_by(BLOCK) {
        let m = BLOCK.min(rows - first);
        let size = Product { m, n: PANEL, k: inputs, lda: inputs, ldb: PANEL, ldc: PANEL, onto: None };
        // SAFETY: as promised to this function.
        unsafe {
            multiply(size, a.add(first * inputs), panel, tile);
            for row in 0..m {
                finish(tile.add(row * PANEL), first + row);
            }
        }
    }
}
