//! A dense layer over packed weights, with what follows it done while its output is in cache.

use std::any::TypeId;
use std::arch::x86_64::*;
use std::mem::MaybeUninit;

use rayon::prelude::*;

use super::Avx512;
use super::element::Lanes;
use super::multiplier::Multiplier;
use super::panels::{BLOCK, multiply_panel};
use super::scratch::{Scratch, lines, with_scratch};
use super::simd::{gelu, load, store, write};
use super::strassen::{self, Matrices, Pair, pairs};
use crate::layer::PANEL;
use crate::{Layer, Norm};

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

impl Avx512 {
    /// `[tokens, inputs]` to `[tokens, outputs]`; `Kernels` has seen to the sizes.
    pub(crate) fn dense<'o, I: Lanes, E: Lanes, O: Lanes>(
        self,
        input: &[I],
        lengths: &[usize],
        layer: Layer<E>,
        tail: Tail,
        output: &'o mut [MaybeUninit<O>],
    ) -> &'o mut [O] {
        self.check::<I>();
        self.check::<E>();
        self.check::<O>();
        let dense = Dense { avx512: self, input, layer, outputs: layer.outputs(), tail };
        match (same(input), same(layer.panels)) {
            (Some(a), Some(b)) if strassen::pays(dense.outputs, layer.inputs) => {
                let matrices = Matrices { a, b, inputs: layer.inputs, outputs: dense.outputs };
                dense.by_pairs(matrices, &pairs(lengths), output);
            }
            _ => dense.by_rows(output),
        }
        // SAFETY: each row was finished over the whole of its width.
        unsafe { output.assume_init_mut() }
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
fn same<I: Lanes, E: Lanes>(elements: &[I]) -> Option<&[E]> {
    (TypeId::of::<I>() == TypeId::of::<E>()).then(|| bytemuck::cast_slice(elements))
}

struct Dense<'a, I, E> {
    avx512: Avx512,
    input: &'a [I],
    layer: Layer<'a, E>,
    outputs: usize,
    tail: Tail<'a>,
}

impl<I: Lanes, E: Lanes> Dense<'_, I, E> {
    fn by_rows<O: Lanes>(&self, output: &mut [MaybeUninit<O>]) {
        let (inputs, share) = (self.layer.inputs, share(output.len() / self.outputs, usize::MAX));
        let input = self.input.par_chunks(share * inputs);
        input.zip(output.par_chunks_mut(share * self.outputs)).enumerate().for_each(
            |(task, (input, output))| {
                let converted = if same::<I, E>(input).is_some() { 0 } else { lines::<E>(input.len()) };
                with_scratch(lines::<f32>(BLOCK * PANEL) + converted, |scratch| {
                    // SAFETY: the processor has the instructions, as there is an `Avx512`.
                    unsafe { self.run(task * share, input, output, scratch) };
                });
            },
        );
    }

    /// The rows from `first` on that `input` has.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    fn run<O: Lanes>(&self, first: usize, input: &[I], output: &mut [MaybeUninit<O>], mut scratch: Scratch) {
        let tile = scratch.take(BLOCK * PANEL);
        let input = same(input).unwrap_or_else(|| {
            let converted = scratch.take(input.len());
            for (value, to) in input.as_chunks().0.iter().zip(converted.as_chunks_mut().0) {
                store(to, load(value));
            }
            converted
        });
        let mut multiplier = Multiplier::new::<E>(self.avx512);
        let inputs = self.layer.inputs;
        for (panel, weights) in self.layer.panels.chunks_exact(inputs * PANEL).enumerate() {
            multiply_panel(&mut multiplier, inputs, input, weights, tile, |sums, row| {
                self.finish(sums, first + row, panel, &mut output[row * self.outputs..][..self.outputs]);
            });
        }
        self.normalize(output);
    }

    /// Takes a row of sums of a panel to its place in the row's output.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    fn finish<O: Lanes>(&self, sums: &[f32; PANEL], row: usize, panel: usize, output: &mut [MaybeUninit<O>]) {
        let first = panel * PANEL;
        let sums = sums.as_chunks().0.iter().zip(self.layer.bias[first..].as_chunks().0);
        let places = sums.zip(output[first..].as_chunks_mut().0);
        match self.tail {
            Tail::Nothing => {
                for ((sum, bias), place) in places {
                    write(place, _mm512_add_ps(load(sum), load(bias)));
                }
            }
            Tail::Gelu => {
                for ((sum, bias), place) in places {
                    write(place, gelu(_mm512_add_ps(load(sum), load(bias))));
                }
            }
            Tail::Add { residual, .. } => {
                let residual = residual[row * self.outputs + first..].as_chunks().0;
                for (((sum, bias), place), residual) in places.zip(residual) {
                    write(place, _mm512_add_ps(_mm512_add_ps(load(sum), load(bias)), load(residual)));
                }
            }
        }
    }

    /// The norm of finished rows, where one is asked for.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    fn normalize<O: Lanes>(&self, output: &mut [MaybeUninit<O>]) {
        if let Tail::Add { norm: Some(norm), .. } = self.tail {
            // SAFETY: the rows are finished.
            let output = unsafe { output.assume_init_mut() };
            for row in bytemuck::cast_slice_mut(output).chunks_exact_mut(self.outputs) {
                normalize(row, norm);
            }
        }
    }

    fn by_pairs<O: Lanes>(&self, matrices: Matrices, pairs: &[Pair], mut output: &mut [MaybeUninit<O>]) {
        let share = share(pairs.len(), strassen::most_pairs(matrices.inputs));
        let mut tasks = Vec::new();
        for pairs in pairs.chunks(share) {
            let tokens: usize = pairs.iter().map(|pair| pair.tokens).sum();
            let (own, others) = output.split_at_mut(tokens * self.outputs);
            tasks.push((pairs, own));
            output = others;
        }
        tasks.into_par_iter().for_each(|(pairs, output)| {
            with_scratch(Matrices::scratch_lines(matrices.inputs, pairs), |scratch| {
                // SAFETY: the processor has the instructions, as there is an `Avx512`.
                unsafe { self.run_pairs(matrices, pairs, output, scratch) };
            });
        });
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    fn run_pairs<O: Lanes>(
        &self,
        matrices: Matrices,
        pairs: &[Pair],
        output: &mut [MaybeUninit<O>],
        scratch: Scratch,
    ) {
        let first = pairs[0].first;
        let mut multiplier = Multiplier::new::<f32>(self.avx512);
        matrices.multiply(&mut multiplier, pairs, scratch, |sums, token, panel| {
            self.finish(sums, token, panel, &mut output[(token - first) * self.outputs..][..self.outputs]);
        });
        self.normalize(output);
    }
}

/// Layer norm of one row, in place.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn normalize(row: &mut [f32], norm: Norm) {
    let (len, row) = (row.len() as f32, row.as_chunks_mut().0);
    let mut sum = _mm512_setzero_ps();
    for values in row.iter() {
        sum = _mm512_add_ps(sum, load(values));
    }
    let mean = _mm512_set1_ps(_mm512_reduce_add_ps(sum) / len);
    let mut squares = _mm512_setzero_ps();
    for values in row.iter() {
        let distance = _mm512_sub_ps(load(values), mean);
        squares = _mm512_fmadd_ps(distance, distance, squares);
    }
    let variance = _mm512_reduce_add_ps(squares) / len;
    let scale = _mm512_set1_ps(1.0 / (variance + norm.epsilon).sqrt());
    let terms = norm.weight.as_chunks().0.iter().zip(norm.bias.as_chunks().0);
    for (values, (weight, bias)) in row.iter_mut().zip(terms) {
        let scaled = _mm512_mul_ps(_mm512_sub_ps(load(values), mean), scale);
        store::<f32>(values, _mm512_fmadd_ps(scaled, load(weight), load(bias)));
    }
}
