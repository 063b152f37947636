//! Weights of dense layers as the products take them: in panels that stay in cache.

use std::mem::MaybeUninit;

use rayon::prelude::*;

use crate::layer::PANEL;
use crate::simd::{LANES, Lanes, Simd, Task};

/// Panels of `len` elements, each with its number and the one after it, which is empty after the last.
pub(crate) fn with_next<E>(panels: &[E], len: usize) -> impl Iterator<Item = (usize, &[E], &[E])> {
    let next = panels.chunks_exact(len).skip(1).chain([&[][..]]);
    panels.chunks_exact(len).zip(next).enumerate().map(|(number, (panel, next))| (number, panel, next))
}

/// Fills `panels`, `[panels, PANEL / S::WIDTH, inputs, S::WIDTH]`, from the weights of each output.
pub(crate) fn pack<S: Simd, E: Lanes<S>>(simd: S, rows: &[&[f32]], panels: &mut [MaybeUninit<E>]) {
    const { assert!(PANEL.is_multiple_of(S::WIDTH) && S::WIDTH.is_multiple_of(LANES)) };
    let inputs = rows[0].len();
    let panels = panels.par_chunks_mut(inputs * PANEL).zip(rows.par_chunks(PANEL));
    panels.for_each(|(panel, rows)| simd.run(PackPanel { simd, panel, rows }));
}

/// Absent outputs have weights of 0.
struct PackPanel<'a, S, E> {
    simd: S,
    panel: &'a mut [MaybeUninit<E>],
    rows: &'a [&'a [f32]],
}

impl<S: Simd, E: Lanes<S>> Task for PackPanel<'_, S, E> {
    #[inline(always)]
    fn run(self) {
        let Self { simd, panel, rows } = self;
        for first in (0..PANEL).step_by(LANES) {
            let (inputs, column) = (panel.len() / PANEL, first % S::WIDTH);
            let together = &mut panel[(first - column) * inputs..][..S::WIDTH * inputs];
            for (part, places) in together.chunks_mut(LANES * E::OF_UNIT * S::WIDTH).enumerate() {
                let mut units = [simd.splat(0.0); LANES];
                for (units, row) in units.iter_mut().zip(rows.iter().skip(first)) {
                    let values = row.as_chunks().0.iter().skip(part * E::OF_UNIT).take(E::OF_UNIT);
                    let mut elements = [E::zeroed(); 2 * LANES];
                    for (values, to) in values.zip(elements.as_chunks_mut().0) {
                        E::store(simd, to, simd.load(values));
                    }
                    *units = E::load_units(simd, &elements[..LANES * E::OF_UNIT]);
                }
                for (place, units) in
                    places.chunks_exact_mut(S::WIDTH * E::OF_UNIT).zip(simd.transposed(units))
                {
                    let place = &mut place[column * E::OF_UNIT..][..LANES * E::OF_UNIT];
                    place.fill(MaybeUninit::new(E::zeroed()));
                    // SAFETY: they were just written.
                    E::store_units(simd, unsafe { place.assume_init_mut() }, units);
                }
            }
        }
    }
}
