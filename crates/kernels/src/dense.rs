//! A dense layer over packed weights, with what follows it done while its output is in cache.

use std::any::TypeId;
use std::mem::MaybeUninit;

use rayon::prelude::*;

use crate::layer::PANEL;
use crate::panels::{BLOCK, Finish, multiply_panel};
use crate::product::Multiplier;
use crate::scratch::{Scratch, lines, with_scratch};
use crate::simd::{LANES, Lanes, Simd, Task, write};
use crate::strassen::{self, Matrices, Pair, pairs};
use crate::{Activation, Layer, Norm, math};

/// Fewer rows or pairs are not worth another thread.
const LEAST_PER_THREAD: usize = 8;

/// What follows the product.
#[derive(Clone, Copy)]
pub(crate) enum Tail<'a> {
    Nothing,
    Gelu,
    /// Adds `residual` and normalizes each row, if there is a norm; the result is float32.
    Add {
        residual: &'a [f32],
        norm: Option<Norm<'a>>,
    },
}

impl From<Activation> for Tail<'_> {
    fn from(activation: Activation) -> Self {
        match activation {
            Activation::None => Self::Nothing,
            Activation::Gelu => Self::Gelu,
        }
    }
}

/// `[tokens, inputs]` to `[tokens, outputs]`, all of which is written; `Kernels` has seen to the sizes.
pub(crate) fn dense<S: Simd, I: Lanes<S>, E: Lanes<S>, O: Lanes<S>>(
    simd: S,
    input: &[I],
    lengths: &[usize],
    layer: Layer<E>,
    tail: Tail,
    output: &mut [MaybeUninit<O>],
) {
    let dense = Dense { simd, input, layer, outputs: layer.outputs(), tail };
    match (same(input), same(layer.panels)) {
        (Some(a), Some(b)) if strassen::pays(dense.outputs, layer.inputs) => {
            let matrices = Matrices { simd, a, b, inputs: layer.inputs, outputs: dense.outputs };
            dense.by_pairs(matrices, &pairs(lengths), output);
        }
        _ => dense.by_rows(output),
    }
}

/// How many of `count` things a task has, if each thread has as many as any other, about `most` of
/// them at a time.
fn share(count: usize, most: usize) -> usize {
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
    outputs: usize,
    tail: Tail<'a>,
}

impl<'a, S: Simd, I: Lanes<S>, E: Lanes<S>> Dense<'a, S, I, E> {
    fn by_rows<O: Lanes<S>>(self, output: &mut [MaybeUninit<O>]) {
        let (inputs, share) = (self.layer.inputs, share(output.len() / self.outputs, usize::MAX));
        let input = self.input.par_chunks(share * inputs);
        input.zip(output.par_chunks_mut(share * self.outputs)).enumerate().for_each(
            |(task, (input, output))| {
                let converted = if same::<I, E>(input).is_some() { 0 } else { lines::<E>(input.len()) };
                with_scratch(lines::<f32>(BLOCK * PANEL) + converted, |scratch| {
                    let rows = Rows { dense: self, first: task * share, output };
                    self.simd.run(ByRows { rows, input, scratch });
                });
            },
        );
    }

    fn by_pairs<O: Lanes<S>>(self, matrices: Matrices<S>, pairs: &[Pair], mut output: &mut [MaybeUninit<O>]) {
        let share = share(pairs.len(), strassen::most_pairs(matrices.inputs));
        let mut tasks = Vec::new();
        for pairs in pairs.chunks(share) {
            let tokens: usize = pairs.iter().map(|pair| pair.tokens).sum();
            let (own, others) = output.split_at_mut(tokens * self.outputs);
            tasks.push((pairs, own));
            output = others;
        }
        tasks.into_par_iter().for_each(|(pairs, output)| {
            with_scratch(matrices.scratch_lines(pairs), |scratch| {
                let rows = Rows { dense: self, first: pairs[0].first, output };
                self.simd.run(ByPairs { rows, matrices, pairs, scratch });
            });
        });
    }
}

/// The rows of the output from `first` on.
struct Rows<'a, 'o, S, I, E, O> {
    dense: Dense<'a, S, I, E>,
    first: usize,
    output: &'o mut [MaybeUninit<O>],
}

struct ByRows<'a, 'o, 's, S, I, E, O> {
    rows: Rows<'a, 'o, S, I, E, O>,
    input: &'a [I],
    scratch: Scratch<'s>,
}

impl<S: Simd, I: Lanes<S>, E: Lanes<S>, O: Lanes<S>> Task for ByRows<'_, '_, '_, S, I, E, O> {
    #[inline(always)]
    fn run(self) {
        let Self { mut rows, input, mut scratch } = self;
        let Dense { simd, layer, .. } = rows.dense;
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

struct ByPairs<'a, 'o, 's, S, I, E, O> {
    rows: Rows<'a, 'o, S, I, E, O>,
    matrices: Matrices<'a, S>,
    pairs: &'a [Pair],
    scratch: Scratch<'s>,
}

impl<S: Simd, I: Lanes<S>, E: Lanes<S>, O: Lanes<S>> Task for ByPairs<'_, '_, '_, S, I, E, O> {
    #[inline(always)]
    fn run(self) {
        let Self { mut rows, matrices, pairs, scratch } = self;
        matrices.multiply(pairs, scratch, &mut rows);
        rows.normalize();
    }
}

impl<S: Simd, I: Lanes<S>, E: Lanes<S>, O: Lanes<S>> Finish for Rows<'_, '_, S, I, E, O> {
    /// Takes sums to their places in the row's output.
    #[inline(always)]
    fn finish(&mut self, sums: &[[f32; LANES]], row: usize, first: usize) {
        let Dense { simd, layer, outputs, tail, .. } = self.dense;
        let output = &mut self.output[(row - self.first) * outputs..][..outputs];
        let biased = sums.iter().zip(layer.bias[first..].as_chunks().0);
        let places = biased.zip(output[first..].as_chunks_mut().0);
        match tail {
            Tail::Nothing => {
                for ((sum, bias), place) in places {
                    write(simd, place, simd.add(simd.load(sum), simd.load(bias)));
                }
            }
            Tail::Gelu => {
                for ((sum, bias), place) in places {
                    write(simd, place, math::gelu(simd, simd.add(simd.load(sum), simd.load(bias))));
                }
            }
            Tail::Add { residual, .. } => {
                let residual = residual[row * outputs + first..].as_chunks().0;
                for (((sum, bias), place), residual) in places.zip(residual) {
                    let sum = simd.add(simd.load(sum), simd.load(bias));
                    write(simd, place, simd.add(sum, simd.load(residual)));
                }
            }
        }
    }
}

impl<S: Simd, I: Lanes<S>, E: Lanes<S>, O: Lanes<S>> Rows<'_, '_, S, I, E, O> {
    /// The norm of finished rows, where one is asked for.
    #[inline(always)]
    fn normalize(self) {
        if let Tail::Add { norm: Some(norm), .. } = self.dense.tail {
            // SAFETY: the rows are finished.
            let output = unsafe { self.output.assume_init_mut() };
            for row in bytemuck::cast_slice_mut(output).chunks_exact_mut(self.dense.outputs) {
                normalize(self.dense.simd, row, norm);
            }
        }
    }
}

/// Layer norm of one row, in place.
#[inline(always)]
fn normalize<S: Simd>(simd: S, row: &mut [f32], norm: Norm) {
    let (len, row) = (row.len() as f32, row.as_chunks_mut().0);
    let mut sum = simd.splat(0.0);
    for values in row.iter() {
        sum = simd.add(sum, simd.load(values));
    }
    let mean = simd.splat(simd.sum(sum) / len);
    let mut squares = simd.splat(0.0);
    for values in row.iter() {
        let distance = simd.sub(simd.load(values), mean);
        squares = simd.mul_add(distance, distance, squares);
    }
    let variance = simd.sum(squares) / len;
    let scale = simd.splat(1.0 / (variance + norm.epsilon).sqrt());
    let terms = norm.weight.as_chunks().0.iter().zip(norm.bias.as_chunks().0);
    for (values, (weight, bias)) in row.iter_mut().zip(terms) {
        let scaled = simd.mul(simd.sub(simd.load(values), mean), scale);
        simd.store(values, simd.mul_add(scaled, simd.load(weight), simd.load(bias)));
    }
}
