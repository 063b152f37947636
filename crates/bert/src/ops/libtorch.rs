//! libtorch's operators and tensors.
#![expect(deprecated, reason = "burn-tch is kept for burn's deprecation window")]

use std::mem::MaybeUninit;
use std::ops::Range;
use std::slice;

use burn::backend::LibTorch;
use burn::tensor::{DType, FloatDType, TensorData};
use burn_tch::{LibTorchDevice, TchTensor};
use tch::{Device, Kind, Tensor};

use super::AddNorm;
use super::backend::BackendOps;
use super::kernels::{InMemory, Number};
use crate::ops::layout::{Block, Window, blocks, windows};

impl BackendOps for LibTorch {
    fn matrix(rows: &[&[f32]], device: &LibTorchDevice, dtype: FloatDType) -> TchTensor {
        let shape = [rows.len(), rows.first().map_or(0, |row| row.len())];
        let matrix = TchTensor::from_data::<f32>(TensorData::new(rows.concat(), shape), (*device).into());
        let kind = if dtype == FloatDType::BF16 { Kind::BFloat16 } else { Kind::Float };
        TchTensor::new(matrix.tensor.to_kind(kind))
    }

    fn affine(input: TchTensor, weight: TchTensor, bias: TchTensor) -> TchTensor {
        let kind = weight.tensor.kind();
        let (input, bias) = (input.tensor.to_kind(kind), bias.tensor.to_kind(kind));
        TchTensor::new(input.linear(&weight.tensor, Some(bias)))
    }

    fn activated(values: TchTensor) -> TchTensor {
        TchTensor::new(values.tensor.gelu("none"))
    }

    fn added(values: TchTensor, residual: TchTensor) -> TchTensor {
        // The sum of float32 and bfloat16 is float32.
        TchTensor::new(values.tensor + residual.tensor)
    }

    fn added_and_normalized(values: TchTensor, after: AddNorm<Self>) -> TchTensor {
        let (sum, width) = (values.tensor + after.residual.tensor, after.weight.tensor.size());
        let (weight, bias) = (Some(after.weight.tensor), Some(after.bias.tensor));
        TchTensor::new(sum.layer_norm(width, weight, bias, after.epsilon, false))
    }

    fn attention_over_all(
        projected: TchTensor,
        bias: Option<TchTensor>,
        lengths: &[usize],
        heads: usize,
    ) -> TchTensor {
        let bias = bias.map(|bias| bias.tensor);
        TchTensor::new(attention_by_blocks(&projected.tensor, bias.as_ref(), lengths, heads))
    }

    fn attention_within(projected: TchTensor, lengths: &[usize], heads: usize, span: usize) -> TchTensor {
        TchTensor::new(local_attention_by_blocks(&projected.tensor, lengths, heads, span))
    }
}

impl InMemory for TchTensor {
    fn is_on_processor(&self) -> bool {
        self.tensor.device() == Device::Cpu
    }

    fn contiguous(self) -> Self {
        Self::new(self.tensor.contiguous())
    }

    fn values<E: Number>(&self) -> &[E] {
        let tensor = &self.tensor;
        assert_eq!(tensor.kind(), kind_of::<E>(), "a tensor's values are of its type");
        assert!(self.is_on_processor() && tensor.is_contiguous(), "its values lie in memory row by row");
        if tensor.numel() == 0 {
            return &[];
        }
        // SAFETY: the tensor's memory has as many values of that type, nobody writes to a tensor that
        // is borrowed, and the memory stays as long as the tensor does.
        unsafe { slice::from_raw_parts(tensor.data_ptr().cast(), tensor.numel()) }
    }

    fn filled<E: Number>(shape: &[usize], fill: impl FnOnce(&mut [MaybeUninit<E>]) -> &mut [E]) -> Self {
        let sizes: Vec<i64> = shape.iter().map(|&size| size as i64).collect();
        let tensor = Tensor::empty(sizes, (kind_of::<E>(), Device::Cpu));
        let memory = if tensor.numel() == 0 {
            &mut []
        } else {
            // SAFETY: the memory has room for as many values of that type, and nobody else has it yet.
            unsafe { slice::from_raw_parts_mut(tensor.data_ptr().cast(), tensor.numel()) }
        };
        assert_eq!(fill(memory).len(), tensor.numel(), "all of a tensor was written");
        Self::new(tensor)
    }
}

fn kind_of<E: Number>() -> Kind {
    if E::dtype() == DType::BF16 { Kind::BFloat16 } else { Kind::Float }
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
