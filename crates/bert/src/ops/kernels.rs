//! The kernels of `strata-kernels`, over the tensors of any backend that has them in memory.

use std::mem::MaybeUninit;

use burn::tensor::FloatDType;
use half::bf16;
use strata_kernels::{Activation, Kernels, Layer, Norm, can_pack, packed_len};

/// What tensors that kernels work on consist of.
pub(super) trait Number: strata_kernels::Element + burn::tensor::Element + bytemuck::Pod {}

impl Number for f32 {}
impl Number for bf16 {}

/// A tensor on the processor, of float32 or bfloat16, whose values lie in memory row by row.
pub(super) trait InMemory: Sized {
    fn is_bfloat16(&self) -> bool;

    /// Sizes of its rows, and of all before.
    fn width(&self) -> usize;

    /// All of them, of the tensor's own type.
    fn values<E: Number>(&self) -> &[E];

    /// A tensor whose memory `fill` has written and given back.
    fn filled<E: Number>(shape: &[usize], fill: impl FnOnce(&mut [MaybeUninit<E>]) -> &mut [E]) -> Self;
}

/// The weights of each output as products take them, if kernels take such.
pub(super) fn pack<T: InMemory>(kernels: Kernels, rows: &[&[f32]], dtype: FloatDType) -> Option<T> {
    let inputs = rows.first().map_or(0, |row| row.len());
    if !can_pack(rows.len(), inputs) {
        return None;
    }
    // A dimension more than a matrix has tells them apart.
    let shape = [1, inputs, packed_len(rows.len(), inputs) / inputs];
    Some(match dtype {
        FloatDType::BF16 => T::filled::<bf16>(&shape, |panels| kernels.pack(rows, panels)),
        _ => T::filled::<f32>(&shape, |panels| kernels.pack(rows, panels)),
    })
}

/// A dense layer over weights from [`pack`], and what it is to work on.
pub(super) struct Dense<'a, T> {
    pub(super) kernels: Kernels,
    pub(super) input: &'a T,
    pub(super) lengths: &'a [usize],
    pub(super) weight: &'a T,
    pub(super) bias: &'a T,
}

/// What normalizes what a dense layer gives.
pub(super) struct NormOf<'a, T> {
    pub(super) weight: &'a T,
    pub(super) bias: &'a T,
    pub(super) epsilon: f64,
}

impl<T: InMemory> Dense<'_, T> {
    /// Of the weights' type.
    pub(super) fn activated(&self, activation: Activation) -> T {
        match (self.input.is_bfloat16(), self.weight.is_bfloat16()) {
            (false, false) => self.activated_of::<f32, f32>(activation),
            (false, true) => self.activated_of::<f32, bf16>(activation),
            (true, false) => self.activated_of::<bf16, f32>(activation),
            (true, true) => self.activated_of::<bf16, bf16>(activation),
        }
    }

    /// Float32.
    pub(super) fn added(&self, residual: &T, norm: Option<NormOf<T>>) -> T {
        match (self.input.is_bfloat16(), self.weight.is_bfloat16()) {
            (false, false) => self.added_of::<f32, f32>(residual, norm),
            (false, true) => self.added_of::<f32, bf16>(residual, norm),
            (true, false) => self.added_of::<bf16, f32>(residual, norm),
            (true, true) => self.added_of::<bf16, bf16>(residual, norm),
        }
    }

    fn activated_of<I: Number, E: Number>(&self, activation: Activation) -> T {
        let (input, layer) = (self.input.values::<I>(), self.layer::<E>());
        T::filled(&self.output_shape(), |output| {
            self.kernels.dense(input, self.lengths, layer, activation, output)
        })
    }

    fn added_of<I: Number, E: Number>(&self, residual: &T, norm: Option<NormOf<T>>) -> T {
        let (input, layer, residual) = (self.input.values::<I>(), self.layer::<E>(), residual.values());
        let norm = norm.as_ref().map(|norm| Norm {
            weight: norm.weight.values(),
            bias: norm.bias.values(),
            epsilon: norm.epsilon as f32,
        });
        T::filled(&self.output_shape(), |output| {
            self.kernels.dense_add(input, self.lengths, layer, residual, norm, output)
        })
    }

    fn layer<E: Number>(&self) -> Layer<'_, E> {
        Layer { inputs: self.input.width(), panels: self.weight.values(), bias: self.bias.values() }
    }

    fn output_shape(&self) -> [usize; 2] {
        [self.lengths.iter().sum(), self.bias.width()]
    }
}

/// Self-attention over query, key and value side by side.
pub(super) fn attention<T: InMemory>(
    kernels: Kernels,
    projected: &T,
    lengths: &[usize],
    heads: usize,
    span: Option<usize>,
) -> T {
    fn of<T: InMemory, E: Number>(
        kernels: Kernels,
        projected: &T,
        lengths: &[usize],
        heads: usize,
        span: Option<usize>,
    ) -> T {
        let hidden = projected.width() / 3;
        T::filled::<E>(&[lengths.iter().sum(), hidden], |context| {
            kernels.attention(projected.values(), lengths, heads, hidden / heads, span, context)
        })
    }
    let attend = if projected.is_bfloat16() { of::<T, bf16> } else { of::<T, f32> };
    attend(kernels, projected, lengths, heads, span)
}
