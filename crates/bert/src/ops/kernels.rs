//! The kernels of `strata-kernels`, over the tensors of any backend that has them in memory.

use std::mem::MaybeUninit;

use burn::backend::TensorMetadata;
use burn::backend::tensor::FloatTensor;
use burn::tensor::DType;
use half::bf16;
use strata_kernels::{Activation, Kernels, Layer, Norm, can_pack, packed_int8_len, packed_len};

use super::backend::BackendOps;
use super::{AddNorm, EncoderOps, processor};
use crate::Compute;

/// What tensors that kernels work on consist of.
pub(super) trait Number: strata_kernels::Element + burn::tensor::Element + bytemuck::Pod {}

impl Number for f32 {}
impl Number for bf16 {}

/// A tensor of float32 or bfloat16 of whose values kernels can be told, if the processor has them.
pub(super) trait InMemory: TensorMetadata {
    fn is_on_processor(&self) -> bool;

    /// The same, with its values row by row.
    fn contiguous(self) -> Self;

    /// All of them, of the tensor's own type.
    fn values<E: Number>(&self) -> &[E];

    /// A tensor whose memory `fill` has written and given back.
    fn filled<E: Number>(shape: &[usize], fill: impl FnOnce(&mut [MaybeUninit<E>]) -> &mut [E]) -> Self;
}

/// Kernels where they can work, the backend's own operators where not.
impl<B: BackendOps> EncoderOps for B
where
    FloatTensor<B>: InMemory,
{
    fn pack(rows: &[&[f32]], bias: FloatTensor<B>, compute: Compute) -> FloatTensor<B> {
        let packed = kernels_for(&bias).and_then(|kernels| pack(kernels, rows, compute));
        packed.unwrap_or_else(|| B::matrix(rows, &bias.device(), compute.dtype()))
    }

    fn dense(input: FloatTensor<B>, weight: FloatTensor<B>, bias: FloatTensor<B>) -> FloatTensor<B> {
        match Dense::new(&input, &weight, &bias) {
            Some(dense) => dense.activated(Activation::None),
            None => B::affine(input, weight, bias),
        }
    }

    fn dense_gelu(input: FloatTensor<B>, weight: FloatTensor<B>, bias: FloatTensor<B>) -> FloatTensor<B> {
        match Dense::new(&input, &weight, &bias) {
            Some(dense) => dense.activated(Activation::Gelu),
            None => B::activated(B::affine(input, weight, bias)),
        }
    }

    fn dense_add(
        input: FloatTensor<B>,
        weight: FloatTensor<B>,
        bias: FloatTensor<B>,
        residual: FloatTensor<B>,
    ) -> FloatTensor<B> {
        match Dense::new(&input, &weight, &bias) {
            Some(dense) => dense.added(residual, None),
            None => B::added(B::affine(input, weight, bias), residual),
        }
    }

    fn dense_add_norm(
        input: FloatTensor<B>,
        weight: FloatTensor<B>,
        bias: FloatTensor<B>,
        after: AddNorm<B>,
    ) -> FloatTensor<B> {
        match Dense::new(&input, &weight, &bias) {
            Some(dense) => {
                let AddNorm { residual, weight, bias, epsilon } = after;
                dense.added(residual, Some(NormOf { weight: &weight, bias: &bias, epsilon }))
            }
            None => B::added_and_normalized(B::affine(input, weight, bias), after),
        }
    }

    fn self_attention(projected: FloatTensor<B>, lengths: &[usize], heads: usize) -> FloatTensor<B> {
        match kernels_for(&projected) {
            Some(kernels) => attention(kernels, projected, lengths, heads, None),
            None => B::attention_over_all(projected, None, lengths, heads),
        }
    }

    fn biased_self_attention(
        projected: FloatTensor<B>,
        bias: FloatTensor<B>,
        lengths: &[usize],
        heads: usize,
    ) -> FloatTensor<B> {
        let bias = B::float_cast(bias, projected.dtype().into());
        B::attention_over_all(projected, Some(bias), lengths, heads)
    }

    fn local_self_attention(
        projected: FloatTensor<B>,
        lengths: &[usize],
        heads: usize,
        span: usize,
    ) -> FloatTensor<B> {
        match kernels_for(&projected) {
            Some(kernels) => attention(kernels, projected, lengths, heads, Some(span)),
            None => B::attention_within(projected, lengths, heads, span),
        }
    }
}

/// The kernels, if they can work on a tensor.
fn kernels_for(tensor: &impl InMemory) -> Option<Kernels> {
    let has_type = |kernels: &Kernels| !is_bfloat16(tensor) || kernels.has_bfloat16();
    processor::kernels().filter(has_type).filter(|_| tensor.is_on_processor())
}

fn is_bfloat16(tensor: &impl InMemory) -> bool {
    tensor.dtype() == DType::BF16
}

fn width(tensor: &impl InMemory) -> usize {
    tensor.shape().last().copied().unwrap_or(1)
}

/// A dimension more than a matrix has tells packed weights apart.
const PACKED_RANK: usize = 3;
/// Two more tell that it is words of int8, in the bits of float32.
const INT8_RANK: usize = 4;

/// The weights of each output as products take them, if kernels take such.
fn pack<T: InMemory>(kernels: Kernels, rows: &[&[f32]], compute: Compute) -> Option<T> {
    let inputs = rows.first().map_or(0, |row| row.len());
    if !can_pack(rows.len(), inputs) {
        return None;
    }
    let shape = [1, inputs, packed_len(rows.len(), inputs) / inputs];
    Some(match compute {
        Compute::BFloat16 => T::filled::<bf16>(&shape, |panels| kernels.pack(rows, panels)),
        Compute::Int8 => {
            let words = packed_int8_len(rows.len(), inputs);
            T::filled::<f32>(&[1, 1, 1, words], |panels| kernels.pack_int8(rows, panels))
        }
        Compute::Float32 => T::filled::<f32>(&shape, |panels| kernels.pack(rows, panels)),
    })
}

/// A dense layer over weights from [`pack`], and what it is to work on.
struct Dense<'a, T> {
    kernels: Kernels,
    input: T,
    weight: &'a T,
    bias: &'a T,
}

/// What normalizes what a dense layer gives.
struct NormOf<'a, T> {
    weight: &'a T,
    bias: &'a T,
    epsilon: f64,
}

impl<T: InMemory> NormOf<'_, T> {
    fn values(&self) -> Norm<'_> {
        Norm { weight: self.weight.values(), bias: self.bias.values(), epsilon: self.epsilon as f32 }
    }
}

impl<'a, T: InMemory> Dense<'a, T> {
    /// None if the weights are not packed.
    fn new(input: &T, weight: &'a T, bias: &'a T) -> Option<Self> {
        let kernels = processor::kernels().filter(|_| weight.rank() >= PACKED_RANK)?;
        Some(Self { kernels, input: input.clone().contiguous(), weight, bias })
    }

    fn is_int8(&self) -> bool {
        self.weight.rank() == INT8_RANK
    }

    /// Of the weights' type, or float32 if that is int8.
    fn activated(&self, activation: Activation) -> T {
        if self.is_int8() {
            let (input, layer) = (self.input.values(), self.layer());
            return T::filled(&self.output_shape(), |output| {
                self.kernels.dense_int8(input, layer, activation, output)
            });
        }
        match (is_bfloat16(&self.input), is_bfloat16(self.weight)) {
            (false, false) => self.activated_of::<f32, f32>(activation),
            (false, true) => self.activated_of::<f32, bf16>(activation),
            (true, false) => self.activated_of::<bf16, f32>(activation),
            (true, true) => self.activated_of::<bf16, bf16>(activation),
        }
    }

    /// Float32.
    fn added(&self, residual: T, norm: Option<NormOf<T>>) -> T {
        let residual = &residual.contiguous();
        let norm = norm.as_ref().map(NormOf::values);
        if self.is_int8() {
            let (input, layer, residual) = (self.input.values(), self.layer(), residual.values());
            return T::filled(&self.output_shape(), |output| {
                self.kernels.dense_add_int8(input, layer, residual, norm, output)
            });
        }
        match (is_bfloat16(&self.input), is_bfloat16(self.weight)) {
            (false, false) => self.added_of::<f32, f32>(residual, norm),
            (false, true) => self.added_of::<f32, bf16>(residual, norm),
            (true, false) => self.added_of::<bf16, f32>(residual, norm),
            (true, true) => self.added_of::<bf16, bf16>(residual, norm),
        }
    }

    fn activated_of<I: Number, E: Number>(&self, activation: Activation) -> T {
        let (input, layer) = (self.input.values::<I>(), self.layer::<E>());
        T::filled(&self.output_shape(), |output| self.kernels.dense(input, layer, activation, output))
    }

    fn added_of<I: Number, E: Number>(&self, residual: &T, norm: Option<Norm>) -> T {
        let (input, layer, residual) = (self.input.values::<I>(), self.layer::<E>(), residual.values());
        T::filled(&self.output_shape(), |output| self.kernels.dense_add(input, layer, residual, norm, output))
    }

    fn layer<E: Number>(&self) -> Layer<'_, E> {
        Layer { inputs: width(&self.input), panels: self.weight.values(), bias: self.bias.values() }
    }

    fn output_shape(&self) -> [usize; 2] {
        [self.input.shape()[0], width(self.bias)]
    }
}

/// Self-attention over query, key and value side by side.
fn attention<T: InMemory>(
    kernels: Kernels,
    projected: T,
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
        let hidden = width(projected) / 3;
        T::filled::<E>(&[lengths.iter().sum(), hidden], |context| {
            kernels.attention(projected.values(), lengths, heads, hidden / heads, span, context)
        })
    }
    let attend = if is_bfloat16(&projected) { of::<T, bf16> } else { of::<T, f32> };
    attend(kernels, &projected.contiguous(), lengths, heads, span)
}
