//! A dense layer over packed weights, with what follows it done while its output is in cache.

use std::arch::x86_64::*;
use std::mem::MaybeUninit;
use std::ops::Range;
use std::slice;

use half::bf16;
use rayon::prelude::*;
use tch::{Device, Kind, Tensor};

use super::element::Element;
use super::product::{Product, multiply};
use super::scratch::{Scratch, lines, with_scratch};
use super::simd::{LANES, gelu, load, store, transposed};
use super::sys::parallel;

/// Outputs whose weights lie together, as a panel that stays in cache.
const PANEL: usize = 64;
/// Rows of one small product.
const ROWS: usize = 48;
/// Fewer rows are not worth another thread.
const LEAST_ROWS_PER_THREAD: usize = 8;

/// What follows the product.
#[derive(Clone, Copy)]
pub(crate) enum After<'a> {
    Nothing,
    Gelu,
    /// Adds `residual`, float32, and normalizes each row; the result stays float32.
    AddNorm {
        residual: &'a Tensor,
        weight: &'a Tensor,
        bias: &'a Tensor,
        epsilon: f64,
    },
}

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
    let memory: &mut [MaybeUninit<i32>] =
        unsafe { slice::from_raw_parts_mut(packed.data_ptr().cast(), panels * units * PANEL) };
    memory.par_chunks_mut(units * PANEL).zip(rows.par_chunks(PANEL)).for_each(|(panel, rows)| {
        // SAFETY: tensors are packed only for a processor that has the instructions.
        unsafe { pack_panel::<E>(panel, rows) };
    });
    packed
}

/// # Safety
/// The processor has AVX-512, and bfloat16 if `E` is that.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn pack_panel<E: Element>(panel: &mut [MaybeUninit<i32>], rows: &[&[f32]]) {
    for first in (0..PANEL).step_by(LANES) {
        for (part, panel) in panel.chunks_mut(LANES * PANEL).enumerate() {
            let mut units = [_mm512_setzero_si512(); LANES];
            for (units, row) in units.iter_mut().zip(rows.iter().skip(first)) {
                let values = row.chunks_exact(LANES).skip(part * E::ROWS_INTERLEAVED);
                let elements = std::ptr::from_mut(units).cast::<E>();
                for (values, part) in values.zip(0..E::ROWS_INTERLEAVED) {
                    // SAFETY: a vector of units has room for as many vectors of floats.
                    unsafe { store(elements.add(part * LANES), load(values.as_ptr())) };
                }
            }
            for (panel, &column) in panel.chunks_exact_mut(PANEL).zip(&transposed(units)) {
                // SAFETY: a vector ends with the panel at the latest.
                unsafe { _mm512_storeu_si512(panel[first..].as_mut_ptr().cast(), column) };
            }
        }
    }
}

/// `[rows, inputs]`, float32 or of the weights' kind, to `[rows, outputs]`: of the weights' kind,
/// or float32 after [`After::AddNorm`].
pub(crate) fn dense(input: &Tensor, panels: &Tensor, bias: &Tensor, after: After) -> Tensor {
    if panels.kind() == Kind::BFloat16 {
        dense_of::<bf16>(input, panels, bias, after)
    } else {
        dense_of::<f32>(input, panels, bias, after)
    }
}

fn dense_of<E: Element>(input: &Tensor, panels: &Tensor, bias: &Tensor, after: After) -> Tensor {
    let input = input.contiguous();
    let (rows, outputs) = (input.size()[0], bias.size()[0]);
    assert_eq!(input.size()[1], panels.size()[1], "the weights are for inputs of this width");
    assert!(outputs <= panels.size()[0] * PANEL as i64, "there are weights for every output");
    let kind = if matches!(after, After::AddNorm { .. }) { Kind::Float } else { E::KIND };
    let output = Tensor::empty([rows, outputs], (kind, Device::Cpu));
    let layer = Layer::<E> {
        input: input.data_ptr().cast(),
        converts: input.kind() != E::KIND,
        panels: panels.data_ptr().cast(),
        bias: bias.data_ptr().cast(),
        output: output.data_ptr().cast(),
        inputs: panels.size()[1] as usize,
        outputs: outputs as usize,
        after: Tail::new(after),
    };
    let rows = rows as usize;
    let share = rows.div_ceil(tch::get_num_threads().max(1) as usize).max(LEAST_ROWS_PER_THREAD);
    parallel(rows.div_ceil(share), &|thread| {
        let rows = thread * share..rows.min((thread + 1) * share);
        // SAFETY: the shapes were settled above, and tensors were packed only for a processor that
        // has the instructions.
        with_scratch(layer.scratch_lines(rows.len()), |scratch| unsafe { layer.run(rows, scratch) });
    });
    output
}

/// [`After`], as pointers.
#[derive(Clone, Copy)]
enum Tail {
    Nothing,
    Gelu,
    AddNorm { residual: *const f32, weight: *const f32, bias: *const f32, epsilon: f32 },
}

impl Tail {
    fn new(after: After) -> Self {
        match after {
            After::Nothing => Self::Nothing,
            After::Gelu => Self::Gelu,
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
    panels: *const E,
    bias: *const f32,
    output: *mut E,
    inputs: usize,
    outputs: usize,
    after: Tail,
}

// SAFETY: each task reads shared inputs and writes rows of its own.
unsafe impl<E: Sync> Sync for Layer<E> {}

impl<E: Element> Layer<E> {
    fn scratch_lines(&self, rows: usize) -> usize {
        lines::<f32>(ROWS * PANEL) + if self.converts { lines::<E>(rows * self.inputs) } else { 0 }
    }

    /// # Safety
    /// The pointers reach as far as the sizes and `rows` say; the processor has AVX-512.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    unsafe fn run(&self, rows: Range<usize>, mut scratch: Scratch) {
        let tile: *mut f32 = scratch.take(ROWS * PANEL);
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
                for first in (0..rows.len()).step_by(ROWS) {
                    let count = ROWS.min(rows.len() - first);
                    let size = Product { m: count, n: PANEL, k: inputs, lda: inputs, ldb: PANEL, ldc: PANEL };
                    multiply(size, input.add(first * inputs), self.panels.add(panel * inputs * PANEL), tile);
                    for row in 0..count {
                        self.finish(tile.add(row * PANEL), rows.start + first + row, panel);
                    }
                }
            }
            if let Tail::AddNorm { weight, bias, epsilon, .. } = self.after {
                for row in rows {
                    normalize(
                        self.output.cast::<f32>().add(row * self.outputs),
                        self.outputs,
                        weight,
                        bias,
                        epsilon,
                    );
                }
            }
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
                    Tail::AddNorm { residual, .. } => {
                        store(
                            self.output.cast::<f32>().add(place),
                            _mm512_add_ps(sum, load(residual.add(place))),
                        );
                    }
                }
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
