//! The encoder's operations on libtorch.
#![expect(deprecated, reason = "burn-tch is kept for burn's deprecation window")]

use std::mem::MaybeUninit;
use std::ops::Range;
use std::slice;

use burn::backend::LibTorch;
use burn::tensor::{DType, FloatDType};
use burn_tch::TchTensor;
use strata_kernels::{Activation, Kernels};
use tch::{Device, Kind, Tensor};

use super::kernels::{Dense, InMemory, NormOf, Number, attention as attention_by_kernels, pack};
use super::{AddNorm, EncoderOps, matrix, processor};
use crate::ops::layout::{Block, Window, blocks, windows};

impl EncoderOps for LibTorch {
    fn pack(rows: &[&[f32]], bias: TchTensor, dtype: FloatDType) -> TchTensor {
        if let Some(packed) = kernels_for(&bias.tensor).and_then(|kernels| pack(kernels, rows, dtype)) {
            return TchTensor::new(packed);
        }
        let kind = if dtype == FloatDType::BF16 { Kind::BFloat16 } else { Kind::Float };
        let weight = TchTensor::from_data::<f32>(matrix(rows), bias.tensor.device());
        TchTensor::new(weight.tensor.to_kind(kind))
    }

    fn dense(input: TchTensor, lengths: &[usize], weight: TchTensor, bias: TchTensor) -> TchTensor {
        let (input, weight, bias) = (&input.tensor, &weight.tensor, &bias.tensor);
        if let Some(kernels) = kernels_of(weight) {
            let dense = Dense { kernels, input: &input.contiguous(), lengths, weight, bias };
            return TchTensor::new(dense.activated(Activation::None));
        }
        TchTensor::new(linear(input, weight, bias))
    }

    fn dense_gelu(input: TchTensor, lengths: &[usize], weight: TchTensor, bias: TchTensor) -> TchTensor {
        let (input, weight, bias) = (&input.tensor, &weight.tensor, &bias.tensor);
        if let Some(kernels) = kernels_of(weight) {
            let dense = Dense { kernels, input: &input.contiguous(), lengths, weight, bias };
            return TchTensor::new(dense.activated(Activation::Gelu));
        }
        TchTensor::new(linear(input, weight, bias).gelu("none"))
    }

    fn dense_add(
        input: TchTensor,
        lengths: &[usize],
        weight: TchTensor,
        bias: TchTensor,
        residual: TchTensor,
    ) -> TchTensor {
        let (input, weight, bias) = (&input.tensor, &weight.tensor, &bias.tensor);
        if let Some(kernels) = kernels_of(weight) {
            let dense = Dense { kernels, input: &input.contiguous(), lengths, weight, bias };
            return TchTensor::new(dense.added(&residual.tensor.contiguous(), None));
        }
        // The sum of float32 and bfloat16 is float32.
        TchTensor::new(linear(input, weight, bias) + residual.tensor)
    }

    fn dense_add_norm(
        input: TchTensor,
        lengths: &[usize],
        weight: TchTensor,
        bias: TchTensor,
        after: AddNorm<Self>,
    ) -> TchTensor {
        let (input, weight, bias) = (&input.tensor, &weight.tensor, &bias.tensor);
        let AddNorm { residual, weight: norm_weight, bias: norm_bias, epsilon } = after;
        let (norm_weight, norm_bias) = (&norm_weight.tensor, &norm_bias.tensor);
        if let Some(kernels) = kernels_of(weight) {
            let dense = Dense { kernels, input: &input.contiguous(), lengths, weight, bias };
            let norm = NormOf { weight: norm_weight, bias: norm_bias, epsilon };
            return TchTensor::new(dense.added(&residual.tensor.contiguous(), Some(norm)));
        }
        // The sum of float32 and bfloat16 is float32.
        let sum = linear(input, weight, bias) + residual.tensor;
        let width = norm_weight.size();
        TchTensor::new(sum.layer_norm(width, Some(norm_weight), Some(norm_bias), epsilon, false))
    }

    fn self_attention(projected: TchTensor, lengths: &[usize], heads: usize) -> TchTensor {
        let projected = &projected.tensor;
        if let Some(kernels) = kernels_for(projected) {
            return TchTensor::new(attention_by_kernels(
                kernels,
                &projected.contiguous(),
                lengths,
                heads,
                None,
            ));
        }
        TchTensor::new(attention_by_blocks(projected, None, lengths, heads))
    }

    fn local_self_attention(projected: TchTensor, lengths: &[usize], heads: usize, span: usize) -> TchTensor {
        let projected = &projected.tensor;
        if let Some(kernels) = kernels_for(projected) {
            let (projected, span) = (&projected.contiguous(), Some(span));
            return TchTensor::new(attention_by_kernels(kernels, projected, lengths, heads, span));
        }
        TchTensor::new(local_attention_by_blocks(projected, lengths, heads, span))
    }

    fn biased_self_attention(
        projected: TchTensor,
        bias: TchTensor,
        lengths: &[usize],
        heads: usize,
    ) -> TchTensor {
        let bias = bias.tensor.to_kind(projected.tensor.kind());
        TchTensor::new(attention_by_blocks(&projected.tensor, Some(&bias), lengths, heads))
    }
}

/// The kernels, if they can work on a tensor.
fn kernels_for(tensor: &Tensor) -> Option<Kernels> {
    processor::kernels().filter(|kernels| {
        let has_kind = tensor.kind() == Kind::Float || kernels.has_bfloat16();
        tensor.device() == Device::Cpu && has_kind
    })
}

/// The kernels, if these weights are packed for them.
fn kernels_of(weight: &Tensor) -> Option<Kernels> {
    processor::kernels().filter(|_| weight.dim() == 3)
}

impl InMemory for Tensor {
    fn is_bfloat16(&self) -> bool {
        self.kind() == Kind::BFloat16
    }

    fn width(&self) -> usize {
        self.size().last().map_or(1, |&width| width as usize)
    }

    fn values<E: Number>(&self) -> &[E] {
        assert_eq!(self.kind(), kind_of::<E>(), "a tensor's values are of its type");
        assert!(self.device() == Device::Cpu && self.is_contiguous(), "its values lie in memory row by row");
        if self.numel() == 0 {
            return &[];
        }
        // SAFETY: the tensor's memory has as many values of that type, nobody writes to a tensor that
        // is borrowed, and the memory stays as long as the tensor does.
        unsafe { slice::from_raw_parts(self.data_ptr().cast(), self.numel()) }
    }

    fn filled<E: Number>(shape: &[usize], fill: impl FnOnce(&mut [MaybeUninit<E>]) -> &mut [E]) -> Self {
        let sizes: Vec<i64> = shape.iter().map(|&size| size as i64).collect();
        let tensor = Self::empty(sizes, (kind_of::<E>(), Device::Cpu));
        let memory = if tensor.numel() == 0 {
            &mut []
        } else {
            // SAFETY: the memory has room for as many values of that type, and nobody else has it yet.
            unsafe { slice::from_raw_parts_mut(tensor.data_ptr().cast(), tensor.numel()) }
        };
        assert_eq!(fill(memory).len(), tensor.numel(), "all of a tensor was written");
        tensor
    }
}

fn kind_of<E: Number>() -> Kind {
    if E::dtype() == DType::BF16 { Kind::BFloat16 } else { Kind::Float }
}

fn linear(input: &Tensor, weight: &Tensor, bias: &Tensor) -> Tensor {
    let kind = weight.kind();
    input.to_kind(kind).linear(weight, Some(bias.to_kind(kind)))
}

/// `bias`, `[heads, longest, longest]`, is added to the scores.
fn attention_by_blocks(projected: &Tensor, bias: Option<&Tensor>, lengths: &[usize], heads: usize) -> Tensor {
    let heads = heads as i64;
    let of_block = |block: Block| {
        let [query, key, value] = heads_of(projected, &block, heads);
        let [rows, len] = [block.rows, block.len].map(|number| number as i64);
        let bias = bias.map(|bias| {
            let bias = bias.narrow(1, 0, len).narrow(2, 0, len);
            bias.unsqueeze(0).expand([rows, heads, len, len], false)
        });
        tokens_of(&attention(&query, &key, &value, bias), &block)
    };
    Tensor::cat(&blocks(lengths).map(of_block).collect::<Vec<_>>(), 0)
}

fn local_attention_by_blocks(projected: &Tensor, lengths: &[usize], heads: usize, span: usize) -> Tensor {
    let heads = heads as i64;
    let of_block = |block: Block| {
        let [query, key, value] = heads_of(projected, &block, heads);
        if block.len <= span.saturating_add(1) {
            return tokens_of(&attention(&query, &key, &value, None), &block);
        }
        let of_window = |window: Window| {
            let part =
                |of: &Tensor, places: &Range<usize>| of.narrow(2, places.start as i64, places.len() as i64);
            let (queries, keys) = (part(&query, &window.queries), part(&key, &window.keys));
            let mask = TchTensor::from_data::<f32>(window.mask(span), projected.device()).tensor;
            let mask = mask.to_kind(projected.kind()).expand(
                [block.rows as i64, heads, window.queries.len() as i64, window.keys.len() as i64],
                false,
            );
            attention(&queries, &keys, &part(&value, &window.keys), Some(mask))
        };
        let context = Tensor::cat(&windows(block.len, span).map(of_window).collect::<Vec<_>>(), 2);
        tokens_of(&context, &block)
    };
    Tensor::cat(&blocks(lengths).map(of_block).collect::<Vec<_>>(), 0)
}

fn attention(query: &Tensor, key: &Tensor, value: &Tensor, bias: Option<Tensor>) -> Tensor {
    Tensor::scaled_dot_product_attention(query, key, value, bias, 0.0, false, None, false)
}

/// Query, key and value of a block, `[rows, heads, len, head_size]` each.
fn heads_of(projected: &Tensor, block: &Block, heads: i64) -> [Tensor; 3] {
    let head_size = projected.size()[1] / 3 / heads;
    let [first, rows, len] = [block.first, block.rows, block.len].map(|number| number as i64);
    let joint = projected.narrow(0, first, rows * len).view([rows, len, 3, heads, head_size]);
    [0, 1, 2].map(|index| joint.select(2, index).transpose(1, 2))
}

/// `[tokens, hidden_size]` of `[rows, heads, len, head_size]`.
fn tokens_of(context: &Tensor, block: &Block) -> Tensor {
    context.transpose(1, 2).reshape([block.tokens() as i64, -1])
}

/// How many CUDA devices this libtorch can use.
pub(crate) fn cuda_devices() -> usize {
    if tch::Cuda::is_available() { usize::try_from(tch::Cuda::device_count()).unwrap_or(0) } else { 0 }
}

/// Bounds the threads that libtorch uses inside one operation.
pub(crate) fn set_threads(threads: usize) {
    tch::set_num_threads(i32::try_from(threads).unwrap_or(i32::MAX));
}
