//! A dense layer over packed weights, with what follows it done while its output is in cache.

use std::any::TypeId;
use std::mem::MaybeUninit;

use rayon::prelude::*;

use crate::Layer;
use crate::layer::PANEL;
use crate::panels::{BLOCK, multiply_panel};
use crate::product::Multiplier;
use crate::scratch::{Scratch, lines, with_scratch};
use crate::simd::{Lanes, Simd, Task};
use crate::strassen::{self, Matrices, Pair, pairs};
use crate::tail::{Rows, Tail};

/// Fewer rows or pairs are not worth another thread.
const LEAST_PER_THREAD: usize = 8;

/// `[tokens, inputs]` to `[tokens, outputs]`, all of which is written; `Kernels` has seen to the sizes.
pub(crate) fn dense<S: Simd, I: Lanes<S>, E: Lanes<S>, O: Lanes<S>>(
    simd: S,
    input: &[I],
    lengths: &[usize],
    layer: Layer<E>,
    tail: Tail,
    output: &mut [MaybeUninit<O>],
) {
    let dense = Dense { simd, input, layer, tail };
    match (same(input), same(layer.panels)) {
        (Some(a), Some(b)) if strassen::pays(layer.outputs(), layer.inputs) => {
            let matrices = Matrices { simd, a, b, inputs: layer.inputs, outputs: layer.outputs() };
            dense.by_pairs(matrices, &pairs(lengths), output);
        }
        _ => dense.by_rows(output),
    }
}

/// How many of `count` things a task has, if each thread has as many as any other, about `most` of
/// them at a time.
pub(crate) fn share(count: usize, most: usize) -> usize {
    let threads = rayon::current_num_threads();
    let turns = (count / threads).div_ceil(most).max(1);
    count.div_ceil(threads * turns).max(LEAST_PER_THREAD)
}

/// These elements, if they are of that type.
pub(crate) fn same<I: bytemuck::Pod, E: bytemuck::Pod>(elements: &[I]) -> Option<&[E]> {
    (TypeId::of::<I>() == TypeId::of::<E>()).then(|| bytemuck::cast_slice(elements))
}

#[derive(Clone, Copy)]
struct Dense<'a, S, I, E> {
    simd: S,
    input: &'a [I],
    layer: Layer<'a, E>,
    tail: Tail<'a>,
}

impl<'a, S: Simd, I: Lanes<S>, E: Lanes<S>> Dense<'a, S, I, E> {
    fn rows<'o, O>(self, first: usize, output: &'o mut [MaybeUninit<O>]) -> Rows<'a, 'o, S, O> {
        Rows { simd: self.simd, bias: self.layer.bias, tail: self.tail, first, output }
    }

    fn by_rows<O: Lanes<S>>(self, output: &mut [MaybeUninit<O>]) {
        let (inputs, outputs) = (self.layer.inputs, self.layer.outputs());
        let share = share(output.len() / outputs, usize::MAX);
        let input = self.input.par_chunks(share * inputs);
        input.zip(output.par_chunks_mut(share * outputs)).enumerate().for_each(|(task, (input, output))| {
            let converted = if same::<I, E>(input).is_some() { 0 } else { lines::<E>(input.len()) };
            with_scratch(lines::<f32>(BLOCK * PANEL) + converted, |scratch| {
                let rows = self.rows(task * share, output);
                self.simd.run(ByRows { rows, layer: self.layer, input, scratch });
            });
        });
    }

    fn by_pairs<O: Lanes<S>>(self, matrices: Matrices<S>, pairs: &[Pair], mut output: &mut [MaybeUninit<O>]) {
        let share = share(pairs.len(), strassen::most_pairs(matrices.inputs));
        let mut tasks = Vec::new();
        for pairs in pairs.chunks(share) {
            let tokens: usize = pairs.iter().map(|pair| pair.tokens).sum();
            let (own, others) = output.split_at_mut(tokens * matrices.outputs);
            tasks.push((pairs, own));
            output = others;
        }
        tasks.into_par_iter().for_each(|(pairs, output)| {
            with_scratch(matrices.scratch_lines(pairs), |scratch| {
                let rows = self.rows(pairs[0].first, output);
                self.simd.run(ByPairs { rows, matrices, pairs, scratch });
            });
        });
    }
}

struct ByRows<'a, 'o, 's, S, I, E, O> {
    rows: Rows<'a, 'o, S, O>,
    layer: Layer<'a, E>,
    input: &'a [I],
    scratch: Scratch<'s>,
}

impl<S: Simd, I: Lanes<S>, E: Lanes<S>, O: Lanes<S>> Task for ByRows<'_, '_, '_, S, I, E, O> {
    #[inline(always)]
    fn run(self) {
        let Self { mut rows, layer, input, mut scratch } = self;
        let simd = rows.simd;
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
        let (mut multiplier, inputs, first) = (Multiplier::new(simd), layer.inputs, rows.first);
        for panel in layer.panels.chunks_exact(inputs * PANEL).enumerate() {
            multiply_panel(&mut multiplier, inputs, input, panel, tile, |row| first + row, &mut rows);
        }
        rows.normalize();
    }
}

struct ByPairs<'a, 'o, 's, S, O> {
    rows: Rows<'a, 'o, S, O>,
    matrices: Matrices<'a, S>,
    pairs: &'a [Pair],
    scratch: Scratch<'s>,
}

impl<S: Simd, O: Lanes<S>> Task for ByPairs<'_, '_, '_, S, O> {
    #[inline(always)]
    fn run(self) {
        let Self { mut rows, matrices, pairs, scratch } = self;
        matrices.multiply(pairs, scratch, &mut rows);
        rows.normalize();
    }
}
