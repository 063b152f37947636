//! A dense layer over packed weights, with what follows it done while its output is in cache.

use std::any::TypeId;
use std::mem::MaybeUninit;

use rayon::prelude::*;

use crate::Layer;
use crate::layer::PANEL;
use crate::panels::with_next;
use crate::product::{Multiplier, Product};
use crate::scratch::{Scratch, lines, with_scratch};
use crate::simd::{Lanes, Simd, Task};
use crate::tail::{Rows, Tail};

/// Rows that are multiplied with a panel at a time.
pub(crate) const BLOCK: usize = 48;
/// Fewer rows are not worth another thread.
const LEAST_PER_THREAD: usize = 8;

/// `[tokens, inputs]` to `[tokens, outputs]`, all of which is written; `Kernels` has seen to the sizes.
pub(crate) fn dense<S: Simd, I: Lanes<S>, E: Lanes<S>, O: Lanes<S>>(
    simd: S,
    input: &[I],
    layer: Layer<E>,
    tail: Tail,
    output: &mut [MaybeUninit<O>],
) {
    share(input, layer, output, |first, input, output| {
        let converted = if same::<I, E>(input).is_some() { 0 } else { lines::<E>(input.len()) };
        with_scratch(lines::<f32>(BLOCK * PANEL) + converted, |scratch| {
            let rows = Rows { simd, bias: layer.bias, tail, first, output };
            simd.run(Dense { rows, layer, input, scratch });
        });
    });
}

/// Gives each thread as many rows as any other: `(first, input, output)`.
pub(crate) fn share<I: Sync, E, O: Send>(
    input: &[I],
    layer: Layer<E>,
    output: &mut [MaybeUninit<O>],
    work: impl Fn(usize, &[I], &mut [MaybeUninit<O>]) + Send + Sync,
) {
    let (inputs, outputs) = (layer.inputs, layer.outputs());
    let share = (output.len() / outputs).div_ceil(rayon::current_num_threads()).max(LEAST_PER_THREAD);
    let shares = input.par_chunks(share * inputs).zip(output.par_chunks_mut(share * outputs));
    shares.enumerate().for_each(|(task, (input, output))| work(task * share, input, output));
}

/// These elements, if they are of that type.
pub(crate) fn same<I: bytemuck::Pod, E: bytemuck::Pod>(elements: &[I]) -> Option<&[E]> {
    (TypeId::of::<I>() == TypeId::of::<E>()).then(|| bytemuck::cast_slice(elements))
}

struct Dense<'a, 'o, 's, S, I, E, O> {
    rows: Rows<'a, 'o, S, O>,
    layer: Layer<'a, E>,
    input: &'a [I],
    scratch: Scratch<'s>,
}

impl<S: Simd, I: Lanes<S>, E: Lanes<S>, O: Lanes<S>> Task for Dense<'_, '_, '_, S, I, E, O> {
    #[inline(always)]
    fn run(self) {
        let Self { mut rows, layer, input, mut scratch } = self;
        let (simd, inputs) = (rows.simd, layer.inputs);
        let tile = scratch.take(BLOCK * PANEL);
        let input = match same(input) {
            Some(input) => input,
            None => {
                let converted = scratch.take(input.len());
                for (values, to) in input.as_chunks().0.iter().zip(converted.as_chunks_mut().0) {
                    E::store(simd, to, I::load(simd, values));
                }
                converted
            }
        };
        let mut multiplier = Multiplier::new(simd);
        for (panel, weights, next) in with_next(layer.panels, inputs * PANEL) {
            // While a panel is at work, the next one is on its way.
            multiplier.fetch_ahead(next);
            for (block, input) in input.chunks(BLOCK * inputs).enumerate() {
                let (m, ldb, depth) = (input.len() / inputs, S::WIDTH, inputs);
                let size =
                    Product { m, n: PANEL, k: inputs, lda: inputs, ldb, depth, ldc: PANEL, adds: false };
                multiplier.multiply(size, input, weights, tile);
                for (row, sums) in tile.chunks_exact(PANEL).enumerate().take(m) {
                    rows.finish(sums.as_chunks().0, block * BLOCK + row, panel * PANEL);
                }
            }
        }
        rows.normalize();
    }
}
