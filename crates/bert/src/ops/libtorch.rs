//! The encoder's operations on libtorch.
#![expect(deprecated, reason = "burn-tch is kept for burn's deprecation window")]

use std::ops::Range;

use burn::backend::LibTorch;
use burn::tensor::FloatDType;
use burn_tch::TchTensor;
use tch::{Device, Kind, Tensor};

#[cfg(target_arch = "x86_64")]
use super::x86;
use super::{AddNorm, EncoderOps, matrix};
use crate::ops::layout::{Block, Window, blocks, windows};

impl EncoderOps for LibTorch {
    fn pack(rows: &[&[f32]], bias: TchTensor, dtype: FloatDType) -> TchTensor {
        let kind = if dtype == FloatDType::BF16 { Kind::BFloat16 } else { Kind::Float };
        #[cfg(target_arch = "x86_64")]
        if is_on_kernels(&bias.tensor) && x86::can_pack(rows) {
            return TchTensor::new(x86::pack(rows, kind));
        }
        let weight = TchTensor::from_data::<f32>(matrix(rows), bias.tensor.device());
        TchTensor::new(weight.tensor.to_kind(kind))
    }

    fn dense(input: TchTensor, lengths: &[usize], weight: TchTensor, bias: TchTensor) -> TchTensor {
        let (input, weight, bias) = (&input.tensor, &weight.tensor, &bias.tensor);
        #[cfg(target_arch = "x86_64")]
        if is_packed(weight) {
            return TchTensor::new(x86::dense(input, lengths, weight, bias, x86::After::Nothing));
        }
        TchTensor::new(linear(input, weight, bias))
    }

    fn dense_gelu(input: TchTensor, lengths: &[usize], weight: TchTensor, bias: TchTensor) -> TchTensor {
        let (input, weight, bias) = (&input.tensor, &weight.tensor, &bias.tensor);
        #[cfg(target_arch = "x86_64")]
        if is_packed(weight) {
            return TchTensor::new(x86::dense(input, lengths, weight, bias, x86::After::Gelu));
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
        #[cfg(target_arch = "x86_64")]
        if is_packed(weight) {
            let residual = &residual.tensor.contiguous();
            return TchTensor::new(x86::dense(input, lengths, weight, bias, x86::After::Add { residual }));
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
        #[cfg(target_arch = "x86_64")]
        if is_packed(weight) {
            let residual = &residual.tensor.contiguous();
            let after = x86::After::AddNorm { residual, weight: norm_weight, bias: norm_bias, epsilon };
            return TchTensor::new(x86::dense(input, lengths, weight, bias, after));
        }
        // The sum of float32 and bfloat16 is float32.
        let sum = linear(input, weight, bias) + residual.tensor;
        let width = norm_weight.size();
        TchTensor::new(sum.layer_norm(width, Some(norm_weight), Some(norm_bias), epsilon, false))
    }

    fn self_attention(projected: TchTensor, lengths: &[usize], heads: usize) -> TchTensor {
        let projected = &projected.tensor;
        #[cfg(target_arch = "x86_64")]
        if is_on_kernels(projected) {
            return TchTensor::new(x86::attention(&projected.contiguous(), lengths, heads, None));
        }
        TchTensor::new(attention_by_blocks(projected, None, lengths, heads))
    }

    fn local_self_attention(projected: TchTensor, lengths: &[usize], heads: usize, span: usize) -> TchTensor {
        let projected = &projected.tensor;
        #[cfg(target_arch = "x86_64")]
        if is_on_kernels(projected) {
            return TchTensor::new(x86::attention(&projected.contiguous(), lengths, heads, Some(span)));
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

/// Whether the kernels of [`x86`] can work on a tensor.
#[cfg(target_arch = "x86_64")]
fn is_on_kernels(tensor: &Tensor) -> bool {
    tensor.device() == Device::Cpu && x86::available()
}

/// Packed weights have a dimension more than a matrix.
#[cfg(target_arch = "x86_64")]
fn is_packed(weight: &Tensor) -> bool {
    weight.dim() == 3
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

/// Whether this processor multiplies bfloat16 by instructions of its own.
pub(crate) fn has_bfloat16() -> bool {
    #[cfg(target_arch = "x86_64")]
    return x86::available() && is_x86_feature_detected!("avx512bf16");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// Bounds the threads that libtorch uses inside one operation.
pub(crate) fn set_threads(threads: usize) {
    tch::set_num_threads(i32::try_from(threads).unwrap_or(i32::MAX));
}
