//! The few operations that go to libtorch directly, behind a trait that burn's other backends
//! fulfil with burn's own operations. Nothing outside this file knows libtorch.
#![expect(deprecated, reason = "burn-tch is kept for burn's deprecation window")]

use burn::backend::ops::AttentionModuleOptions;
use burn::backend::tensor::{BoolTensor, FloatTensor};
use burn::backend::{Backend, Dispatch, Flex, LibTorch, TensorMetadata, backend_extension};
use burn::tensor::{Bool, Tensor};
use burn_tch::TchTensor;

/// What the encoder needs beyond burn's own operations. The default bodies are the definition; a
/// backend overrides them only to be faster.
#[backend_extension(LibTorch, Flex)]
trait EncoderOps: Backend {
    fn linear_with_bias(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let product = Self::float_matmul(input, Self::float_transpose(weight));
        let width = bias.shape()[0];
        Self::float_add(product, Self::float_reshape(bias, [1, width].into()))
    }

    fn full_attention(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        Self::attention(query, key, value, None, None, AttentionModuleOptions::default())
    }

    fn masked_attention(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        attend: BoolTensor<Self>,
    ) -> FloatTensor<Self> {
        let [batch, heads, seq_len, _] = query.shape().dims();
        // burn's mask marks what is left out.
        let mask = Self::bool_expand(Self::bool_not(attend), [batch, heads, seq_len, seq_len].into());
        Self::attention(query, key, value, Some(mask), None, AttentionModuleOptions::default())
    }
}

impl EncoderOps for Flex {}

impl EncoderOps for LibTorch {
    fn linear_with_bias(input: TchTensor, weight: TchTensor, bias: TchTensor) -> TchTensor {
        TchTensor::new(input.tensor.linear(&weight.tensor, Some(&bias.tensor)))
    }

    // Not through burn: it hands its mask to libtorch unchanged, where `true` means the opposite.
    fn masked_attention(query: TchTensor, key: TchTensor, value: TchTensor, attend: TchTensor) -> TchTensor {
        TchTensor::new(tch::Tensor::scaled_dot_product_attention(
            &query.tensor,
            &key.tensor,
            &value.tensor,
            Some(&attend.tensor),
            0.0,
            false,
            None,
            false,
        ))
    }
}

/// `input · weightᵀ + bias`, from `[rows, in]`, `[out, in]` and `[out]` to `[rows, out]`.
pub(crate) fn linear(input: Tensor<2>, weight: Tensor<2>, bias: Tensor<1>) -> Tensor<2> {
    Tensor::from_dispatch(<Dispatch as EncoderOps>::linear_with_bias(
        input.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
    ))
}

/// `softmax(query · keyᵀ / √head_size) · value`, all `[batch, heads, seq_len, head_size]`.
///
/// `attend` is `[batch, 1, 1, seq_len]` and true where a key may be looked at; without it all may.
pub(crate) fn attention(
    query: Tensor<4>,
    key: Tensor<4>,
    value: Tensor<4>,
    attend: Option<Tensor<4, Bool>>,
) -> Tensor<4> {
    let (query, key, value) = (query.into_dispatch(), key.into_dispatch(), value.into_dispatch());
    Tensor::from_dispatch(match attend {
        None => <Dispatch as EncoderOps>::full_attention(query, key, value),
        Some(attend) => <Dispatch as EncoderOps>::masked_attention(query, key, value, attend.into_dispatch()),
    })
}

/// How many CUDA devices this libtorch can use.
pub(crate) fn cuda_devices() -> usize {
    if tch::Cuda::is_available() { usize::try_from(tch::Cuda::device_count()).unwrap_or(0) } else { 0 }
}

/// Bounds the threads that libtorch uses inside one operation.
pub(crate) fn set_threads(threads: usize) {
    tch::set_num_threads(i32::try_from(threads).unwrap_or(i32::MAX));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DeviceKind;
    use burn::tensor::TensorData;

    /// One head of size 1 and two keys; the query is indifferent, so the result is the mean of the
    /// values that may be looked at.
    fn attend_to(device: DeviceKind, mask: Option<[bool; 2]>) -> f32 {
        let device = device.open().unwrap();
        let zeros = Tensor::<4>::zeros([1, 1, 2, 1], &device);
        let value = Tensor::<1>::from_floats([3.0, 5.0], &device).reshape([1, 1, 2, 1]);
        let attend = mask
            .map(|mask| Tensor::<1, Bool>::from_data(TensorData::from(mask), &device).reshape([1, 1, 1, 2]));
        attention(zeros.clone(), zeros, value, attend).into_data().to_vec::<f32>().unwrap()[0]
    }

    #[test]
    fn a_key_that_may_not_be_looked_at_has_no_weight_on_either_backend() {
        for device in [DeviceKind::Cpu, DeviceKind::Flex] {
            assert_eq!(attend_to(device, Some([true, false])), 3.0, "{device}");
            assert_eq!(attend_to(device, Some([false, true])), 5.0, "{device}");
            assert_eq!(attend_to(device, None), 4.0, "{device}");
        }
    }
}
