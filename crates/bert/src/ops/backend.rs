//! The encoder's operations in a backend's own operators. Those of burn are the definition.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Flex, TensorMetadata};
use burn::tensor::{FloatDType, TensorData};

use super::AddNorm;
use super::attention::{attention_by_blocks, local_attention_by_blocks};

/// What kernels do not do; a backend overrides what it does faster.
pub(super) trait BackendOps: Backend {
    /// `[out, in]`, of some rows.
    fn matrix(rows: &[&[f32]], device: &Self::Device, dtype: FloatDType) -> FloatTensor<Self> {
        let shape = [rows.len(), rows.first().map_or(0, |row| row.len())];
        Self::float_cast(Self::float_from_data(TensorData::new(rows.concat(), shape), device), dtype)
    }

    /// Of the weight's type.
    fn affine(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let (dtype, width) = (weight.dtype().into(), bias.shape()[0]);
        let product = Self::float_matmul(Self::float_cast(input, dtype), Self::float_transpose(weight));
        Self::float_add(product, Self::float_cast(Self::float_reshape(bias, [1, width].into()), dtype))
    }

    fn activated(values: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::gelu(values)
    }

    /// Float32.
    fn added(values: FloatTensor<Self>, residual: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::float_add(Self::float_cast(values, FloatDType::F32), residual)
    }

    fn added_and_normalized(values: FloatTensor<Self>, after: AddNorm<Self>) -> FloatTensor<Self> {
        let sum = Self::added(values, after.residual);
        Self::layer_norm(sum, after.weight, Some(after.bias), after.epsilon)
    }

    /// `bias`, `[heads, longest, longest]`, is added to the scores.
    fn attention_over_all(
        projected: FloatTensor<Self>,
        bias: Option<FloatTensor<Self>>,
        lengths: &[usize],
        heads: usize,
    ) -> FloatTensor<Self> {
        attention_by_blocks::<Self>(projected, bias, lengths, heads)
    }

    /// Each token sees `span` to either side.
    fn attention_within(
        projected: FloatTensor<Self>,
        lengths: &[usize],
        heads: usize,
        span: usize,
    ) -> FloatTensor<Self> {
        local_attention_by_blocks::<Self>(projected, lengths, heads, span)
    }
}

impl BackendOps for Flex {}
