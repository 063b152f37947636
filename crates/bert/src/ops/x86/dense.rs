//! A dense layer over packed weights, with what follows it done while its output is in cache.

use std::arch::x86_64::*;
use std::ops::Range;

use half::bf16;
use tch::{Device, Kind, Tensor};

use super::element::Element;
use super::panels::{BLOCK, PANEL, multiply_panel};
use super::scratch::{Scratch, lines, with_scratch};
use super::simd::{LANES, gelu, load, store};
use super::strassen::{self, Matrices, Pair};
use super::sys::parallel;

/// Fewer rows or pairs are not worth another thread.
const LEAST_PER_THREAD: usize = 8;

/// What follows the product.
#[derive(Clone, Copy)]
pub(crate) enum After<'a> {
    Nothing,
    Gelu,
    /// Adds `residual`, float32; the result stays float32.
    Add {
        residual: &'a Tensor,
    },
    /// Adds `residual`, float32, and normalizes each row; the result stays float32.
    AddNorm {
        residual: &'a Tensor,
        weight: &'a Tensor,
        bias: &'a Tensor,
        epsilon: f64,
    },
}

/// `[tokens, inputs]`, float32 or of the weights' kind, to `[tokens, outputs]`: of the weights' kind,
/// or float32 where a residual was added. `lengths` are the tokens of each text.
pub(crate) fn dense(
    input: &Tensor,
    lengths: &[usize],
    weight: &Tensor,
    bias: &Tensor,
    after: After,
) -> Tensor {
    let input = input.contiguous();
    let tokens = input.size()[0] as usize;
    if weight.kind() == Kind::BFloat16 {
        return dense_of::<bf16>(&input, weight, bias, after, |layer| layer.by_rows(tokens));
    }
    if strassen::pays(bias.size()[0] as usize, input.size()[1] as usize) {
        let pairs = strassen::pairs(lengths);
        assert_eq!(
            pairs.iter().map(|pair| pair.tokens).sum::<usize>(),
            tokens,
            "texts end where the tokens do"
        );
        return dense_of::<f32>(&input, weight, bias, after, |layer| layer.by_pairs(&pairs));
    }
    dense_of::<f32>(&input, weight, bias, after, |layer| layer.by_rows(tokens))
}

fn dense_of<E: Element>(
    input: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    after: After,
    run: impl FnOnce(&Layer<E>),
) -> Tensor {
    let (inputs, outputs) = (input.size()[1], bias.size()[0]);
    assert_eq!(inputs, weight.size()[1], "the weights are for inputs of this width");
    assert!(outputs <= weight.size()[0] * PANEL as i64, "there are weights for every output");
    assert!([Kind::Float, E::KIND].contains(&input.kind()), "inputs are float32 or as the weights are");
    let kind = match after {
        After::Add { .. } | After::AddNorm { .. } => Kind::Float,
        After::Nothing | After::Gelu => E::KIND,
    };
    let output = Tensor::empty([input.size()[0], outputs], (kind, Device::Cpu));
    run(&Layer::<E> {
        input: input.data_ptr().cast(),
        converts: input.kind() != E::KIND,
        weight: weight.data_ptr().cast(),
        bias: bias.data_ptr().cast(),
        output: output.data_ptr().cast(),
        inputs: inputs as usize,
        outputs: outputs as usize,
        after: Tail::new(after),
    });
    output
}

/// Has each thread run as many of `count` things as any other, about `most` of them at a time.
fn share(count: usize, most: usize, run: impl Fn(Range<usize>) + Sync) {
    let threads = tch::get_num_threads().max(1) as usize;
    let turns = (count / threads).div_ceil(most).max(1);
    let share = count.div_ceil(threads * turns).max(LEAST_PER_THREAD);
    parallel(count.div_ceil(share), &|task| run(task * share..count.min((task + 1) * share)));
}

/// [`After`], as pointers.
#[derive(Clone, Copy)]
enum Tail {
    Nothing,
    Gelu,
    Add { residual: *const f32 },
    AddNorm { residual: *const f32, weight: *const f32, bias: *const f32, epsilon: f32 },
}

impl Tail {
    fn new(after: After) -> Self {
        match after {
            After::Nothing => Self::Nothing,
            After::Gelu => Self::Gelu,
            After::Add { residual } => Self::Add { residual: residual.data_ptr().cast() },
            After::AddNorm { residual, weight, bias, epsilon } => Self::AddNorm {
                residual: residual.data_ptr().cast(),
                weight: weight.data_ptr().cast(),
                bias: bias.data_ptr().cast(),
                epsilon: epsilon as f32,
            },
        }
    }
}

struct Layer<E> {
    input: *const E,
    /// Whether `input` is float32 in truth, and has to become `E`.
    converts: bool,
    weight: *const E,
    bias: *const f32,
    output: *mut E,
    inputs: usize,
    outputs: usize,
    after: Tail,
}

// SAFETY: each task reads shared inputs and writes rows of its own.
unsafe impl<E: Sync> Sync for Layer<E> {}

impl<E: Element> Layer<E> {
    fn by_rows(&self, rows: usize) {
        share(rows, usize::MAX, |rows| {
            let converted = if self.converts { lines::<E>(rows.len() * self.inputs) } else { 0 };
            with_scratch(lines::<f32>(BLOCK * PANEL) + converted, |scratch| {
                // SAFETY: the shapes were settled by `dense_of`, and tensors were packed only for a
                // processor that has the instructions.
                unsafe { self.run(rows, scratch) };
            });
        });
    }

    /// # Safety
    /// The pointers reach as far as the sizes and `rows` say; the processor has AVX-512.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    unsafe fn run(&self, rows: Range<usize>, mut scratch: Scratch) {
        let tile: *mut f32 = scratch.take(BLOCK * PANEL);
        let inputs = self.inputs;
        // SAFETY: as promised to this function.
        unsafe {
            let mut input = self.input.add(rows.start * inputs);
            if self.converts {
                let converted: *mut E = scratch.take(rows.len() * inputs);
                let source = self.input.cast::<f32>().add(rows.start * inputs);
                for at in (0..rows.len() * inputs).step_by(LANES) {
                    store(converted.add(at), load(source.add(at)));
                }
                input = converted;
            }
            for panel in 0..self.outputs.div_ceil(PANEL) {
                let weight = self.weight.add(panel * inputs * PANEL);
                multiply_panel(rows.len(), inputs, input, weight, tile, |sums, row| {
                    self.finish(sums, rows.start + row, panel);
                });
            }
            self.normalize(rows);
        }
    }

    /// Takes a row of the tile to its place in the output.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    unsafe fn finish(&self, tile: *const f32, row: usize, panel: usize) {
        let first = panel * PANEL;
        for at in (0..PANEL.min(self.outputs - first)).step_by(LANES) {
            let place = row * self.outputs + first + at;
            // SAFETY: as promised to `run`.
            unsafe {
                let sum = _mm512_add_ps(load(tile.add(at)), load(self.bias.add(first + at)));
                match self.after {
                    Tail::Nothing => store(self.output.add(place), sum),
                    Tail::Gelu => store(self.output.add(place), gelu(sum)),
                    Tail::Add { residual } | Tail::AddNorm { residual, .. } => {
                        store(
                            self.output.cast::<f32>().add(place),
                            _mm512_add_ps(sum, load(residual.add(place))),
                        );
                    }
                }
            }
        }
    }

    /// The norm of finished rows, where one is asked for.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    unsafe fn normalize(&self, rows: Range<usize>) {
        if let Tail::AddNorm { weight, bias, epsilon, .. } = self.after {
            let output = self.output.cast::<f32>();
            for row in rows {
                // SAFETY: as promised to `run`.
                unsafe { normalize(output.add(row * self.outputs), self.outputs, weight, bias, epsilon) };
            }
        }
    }
}

impl Layer<f32> {
    fn by_pairs(&self, pairs: &[Pair]) {
        share(pairs.len(), strassen::most_pairs(self.inputs), |range| {
            let pairs = &pairs[range];
            with_scratch(Matrices::scratch_lines(self.inputs, pairs), |scratch| {
                // SAFETY: as in `by_rows`.
                unsafe { self.run_pairs(pairs, scratch) };
            });
        });
    }

    /// # Safety
    /// As for [`Layer::run`].
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    unsafe fn run_pairs(&self, pairs: &[Pair], scratch: Scratch) {
        let Self { input: a, weight: b, inputs, outputs, .. } = *self;
        let matrices = Matrices { a, b, inputs, outputs };
        // SAFETY: as promised to this function; pairs follow each other.
        unsafe {
            matrices.multiply(pairs, scratch, |sums, row, panel| self.finish(sums, row, panel));
            if let [first, .., last] | [first @ last] = pairs {
                self.normalize(first.first..last.first + last.tokens);
            }
        }
    }
}

/// Layer norm of one row, in place.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn normalize(row: *mut f32, len: usize, weight: *const f32, bias: *const f32, epsilon: f32) {
    // SAFETY: as promised to `run`.
    unsafe {
        let mut sum = _mm512_setzero_ps();
        for at in (0..len).step_by(LANES) {
            sum = _mm512_add_ps(sum, load(row.add(at)));
        }
        let mean = _mm512_set1_ps(_mm512_reduce_add_ps(sum) / len as f32);
        let mut squares = _mm512_setzero_ps();
        for at in (0..len).step_by(LANES) {
            let distance = _mm512_sub_ps(load(row.add(at)), mean);
            squares = _mm512_fmadd_ps(distance, distance, squares);
        }
        let variance = _mm512_reduce_add_ps(squares) / len as f32;
        let scale = _mm512_set1_ps(1.0 / (variance + epsilon).sqrt());
        for at in (0..len).step_by(LANES) {
            let scaled = _mm512_mul_ps(_mm512_sub_ps(load(row.add(at)), mean), scale);
            store(row.add(at), _mm512_fmadd_ps(scaled, load(weight.add(at)), load(bias.add(at))));
        }
    }
}
