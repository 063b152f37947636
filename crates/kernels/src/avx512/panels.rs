//! Weights of dense layers as the products take them: in panels that stay in cache.

use std::arch::x86_64::*;
use std::mem::MaybeUninit;

use rayon::prelude::*;

use super::Avx512;
use super::element::Lanes;
use super::multiplier::Multiplier;
use super::product::{Onto, Product};
use super::simd::{LANES, load, load_units, store, transposed, write_units};
use crate::layer::PANEL;

/// Rows that are multiplied with a panel at a time.
pub(crate) const BLOCK: usize = 48;

impl Avx512 {
    /// Of as many rows and panels as `Kernels::pack` has seen to.
    pub(crate) fn pack<'p, E: Lanes>(self, rows: &[&[f32]], panels: &'p mut [MaybeUninit<E>]) -> &'p mut [E] {
        self.check::<E>();
        let inputs = rows[0].len();
        panels.par_chunks_mut(inputs * PANEL).zip(rows.par_chunks(PANEL)).for_each(|(panel, rows)| {
            // SAFETY: the processor has the instructions, as there is an `Avx512`.
            unsafe { pack_panel(panel, rows) };
        });
        // SAFETY: each panel was written from its first to its last element.
        unsafe { panels.assume_init_mut() }
    }
}

/// Absent outputs have weights of 0.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn pack_panel<E: Lanes>(panel: &mut [MaybeUninit<E>], rows: &[&[f32]]) {
    for first in (0..PANEL).step_by(LANES) {
        for (part, places) in panel.chunks_mut(LANES * E::OF_UNIT * PANEL).enumerate() {
            let mut units = [_mm512_setzero_ps(); LANES];
            for (units, row) in units.iter_mut().zip(rows.iter().skip(first)) {
                let values = row.as_chunks().0.iter().skip(part * E::OF_UNIT).take(E::OF_UNIT);
                let mut elements = [E::zeroed(); 2 * LANES];
                for (values, to) in values.zip(elements.as_chunks_mut().0) {
                    store(to, load::<f32>(values));
                }
                *units = load_units(&elements[..LANES * E::OF_UNIT]);
            }
            for (place, column) in places.chunks_exact_mut(PANEL * E::OF_UNIT).zip(transposed(units)) {
                write_units(&mut place[first * E::OF_UNIT..], column);
            }
        }
    }
}

/// Multiplies `a`, rows of `inputs` elements, with a panel; `finish(sums, row)` gets the sums of each
/// row, which lie in `tile`, `[BLOCK, PANEL]`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(crate) fn multiply_panel<E: Lanes>(
    multiplier: &mut Multiplier,
    inputs: usize,
    a: &[E],
    panel: &[E],
    tile: &mut [f32],
    mut finish: impl FnMut(&[f32; PANEL], usize),
) {
    for (block, a) in a.chunks(BLOCK * inputs).enumerate() {
        let m = a.len() / inputs;
        let size = Product { m, n: PANEL, k: inputs, lda: inputs, ldb: PANEL, ldc: PANEL };
        multiplier.multiply(size, a, panel, Onto::Nothing, tile);
        for (row, sums) in tile.as_chunks().0.iter().enumerate().take(m) {
            finish(sums, block * BLOCK + row);
        }
    }
}
