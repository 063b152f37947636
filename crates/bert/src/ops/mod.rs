//! The operations an encoder layer is made of, behind a trait that burn's own operations fulfil on
//! every backend and libtorch faster. Nothing outside this folder knows libtorch.
//!
//! On an x86-64 processor with AVX-512 the layers' weights are packed for libtorch's small matrix
//! product, and what follows a product (bias, gelu, residual and norm) is done while it is in cache.
//! Elsewhere libtorch's own operators run.
#![expect(deprecated, reason = "burn-tch is kept for burn's deprecation window")]

mod libtorch;
#[cfg(target_arch = "x86_64")]
mod x86;

use burn::backend::ops::AttentionModuleOptions;
use burn::backend::tensor::{BoolTensor, FloatTensor};
use burn::backend::{Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::tensor::{Bool, FloatDType, Slice, Tensor};

use crate::Compute;

pub(crate) use libtorch::{cuda_devices, has_bfloat16, set_threads};

/// What the encoder needs beyond burn's own operations. The default bodies are the definition; a
/// backend overrides them only to be faster.
#[backend_extension(LibTorch, Flex)]
trait EncoderOps: Backend {
    /// A weight as the products below take it; not a matrix to anybody else.
    fn pack(weight: FloatTensor<Self>, dtype: FloatDType) -> FloatTensor<Self> {
        Self::float_cast(weight, dtype)
    }

    fn dense(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let product = Self::float_matmul(input, Self::float_transpose(weight));
        let width = bias.shape()[0];
        Self::float_add(product, Self::float_reshape(bias, [1, width].into()))
    }

    fn dense_gelu(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        Self::gelu(Self::dense(input, weight, bias))
    }

    fn dense_add_norm(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        residual: FloatTensor<Self>,
        norm_weight: FloatTensor<Self>,
        norm_bias: FloatTensor<Self>,
        epsilon: f64,
    ) -> FloatTensor<Self> {
        let sum = Self::float_add(Self::dense(input, weight, bias), residual);
        Self::layer_norm(sum, norm_weight, Some(norm_bias), epsilon)
    }

    fn self_attention(projected: FloatTensor<Self>, batch: usize, heads: usize) -> FloatTensor<Self> {
        attention_of_parts::<Self>(projected, None, None, batch, heads)
    }

    fn masked_self_attention(
        projected: FloatTensor<Self>,
        attend: BoolTensor<Self>,
        batch: usize,
        heads: usize,
    ) -> FloatTensor<Self> {
        attention_of_parts::<Self>(projected, Some(attend), None, batch, heads)
    }

    fn biased_self_attention(
        projected: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        batch: usize,
        heads: usize,
    ) -> FloatTensor<Self> {
        attention_of_parts::<Self>(projected, None, Some(bias), batch, heads)
    }
}

fn attention_of_parts<B: Backend>(
    projected: FloatTensor<B>,
    attend: Option<BoolTensor<B>>,
    bias: Option<FloatTensor<B>>,
    batch: usize,
    heads: usize,
) -> FloatTensor<B> {
    let [tokens, width] = projected.shape().dims();
    let (seq_len, hidden) = (tokens / batch, width / 3);
    let joint = B::float_reshape(projected, [batch, seq_len, 3, heads, hidden / heads].into());
    let part = |index: isize| {
        let all = Slice::full();
        let one = Slice::new(index, Some(index + 1), 1);
        let part = B::float_slice(joint.clone(), &[all, all, one, all, all]);
        let part = B::float_reshape(part, [batch, seq_len, heads, hidden / heads].into());
        B::float_swap_dims(part, 1, 2)
    };
    // burn's mask marks what is left out.
    let mask = attend.map(|attend| {
        let left_out = B::bool_reshape(B::bool_not(attend), [batch, 1, 1, seq_len].into());
        B::bool_expand(left_out, [batch, heads, seq_len, seq_len].into())
    });
    let context = B::attention(part(0), part(1), part(2), mask, bias, AttentionModuleOptions::default());
    B::float_reshape(B::float_swap_dims(context, 1, 2), [tokens, hidden].into())
}

impl EncoderOps for Flex {}

/// The weight of a dense layer, ready for products of one type.
pub(crate) struct Weight(FloatTensor<Dispatch>);

impl Weight {
    /// `weight` is float32, `[out, in]`.
    pub(crate) fn new(weight: Tensor<2>, compute: Compute) -> Self {
        Self(Dispatch::pack(weight.into_dispatch(), compute.dtype()))
    }
}

/// `input · weightᵀ + bias`, from `[rows, in]`, `[out, in]` and `[out]` to `[rows, out]`. `input` may
/// be float32 or of the weight's type, which is the result's.
pub(crate) fn dense(input: Tensor<2>, weight: &Weight, bias: Tensor<1>) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::dense(input.into_dispatch(), weight.0.clone(), bias.into_dispatch()))
}

/// [`dense`] and the exact gelu.
pub(crate) fn dense_gelu(input: Tensor<2>, weight: &Weight, bias: Tensor<1>) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::dense_gelu(input.into_dispatch(), weight.0.clone(), bias.into_dispatch()))
}

/// What normalizes each row: `weight` and `bias` are `[out]`.
pub(crate) struct Norm {
    pub(crate) weight: Tensor<1>,
    pub(crate) bias: Tensor<1>,
    pub(crate) epsilon: f64,
}

/// [`dense`], plus a float32 `residual` `[rows, out]`, normalized; float32.
pub(crate) fn dense_add_norm(
    input: Tensor<2>,
    weight: &Weight,
    bias: Tensor<1>,
    residual: Tensor<2>,
    norm: &Norm,
) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::dense_add_norm(
        input.into_dispatch(),
        weight.0.clone(),
        bias.into_dispatch(),
        residual.into_dispatch(),
        norm.weight.clone().into_dispatch(),
        norm.bias.clone().into_dispatch(),
        norm.epsilon,
    ))
}

/// `softmax(query · keyᵀ / √head_size) · value` of every head, from query, key and value side by
/// side, `[batch · seq_len, 3 · hidden_size]`, to `[batch · seq_len, hidden_size]`.
///
/// `attend` is `[batch, seq_len]` and true for the tokens with which each row begins; padding after
/// them is not looked at, and what comes out for it has no meaning. Without it there is none.
pub(crate) fn self_attention(
    projected: Tensor<2>,
    attend: Option<Tensor<2, Bool>>,
    batch: usize,
    heads: usize,
) -> Tensor<2> {
    let projected = projected.into_dispatch();
    Tensor::from_dispatch(match attend {
        None => Dispatch::self_attention(projected, batch, heads),
        Some(attend) => Dispatch::masked_self_attention(projected, attend.into_dispatch(), batch, heads),
    })
}

/// [`self_attention`] among all tokens of a row, with `bias` added to its scores: `[batch, heads,
/// seq_len, seq_len]`, or one for the whole batch.
pub(crate) fn biased_self_attention(
    projected: Tensor<2>,
    bias: Tensor<4>,
    batch: usize,
    heads: usize,
) -> Tensor<2> {
    let [_, _, queries, keys] = bias.dims();
    let bias = bias.expand([batch, heads, queries, keys]);
    Tensor::from_dispatch(Dispatch::biased_self_attention(
        projected.into_dispatch(),
        bias.into_dispatch(),
        batch,
        heads,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DeviceKind;
    use burn::tensor::{Device, TensorData};
    use proptest::prelude::*;

    /// Values between -1 and 1 that look random and are the same on every device.
    fn values<const D: usize>(seed: usize, shape: [usize; D], device: &Device) -> Tensor<D> {
        let count: usize = shape.iter().product();
        let value = |at: usize| ((at * 7919 + seed * 104_729 + 17) % 1999) as f32 / 999.5 - 1.0;
        Tensor::from_data(TensorData::new((0..count).map(value).collect(), shape), device)
    }

    fn on_both<const D: usize>(compute: impl Fn(&Device) -> Tensor<D>) -> [Vec<f32>; 2] {
        [DeviceKind::Cpu, DeviceKind::Flex].map(|device| {
            let result = compute(&device.open().unwrap()).cast(FloatDType::F32);
            result.into_data().try_to_vec().unwrap()
        })
    }

    fn worst([one, other]: &[Vec<f32>; 2]) -> f32 {
        assert_eq!(one.len(), other.len());
        one.iter().zip(other).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
    }

    /// Sizes that fill panels and blocks, that do not, and that no kernel takes.
    fn sizes() -> impl Strategy<Value = (usize, usize, usize)> {
        let width = || prop_oneof![Just(20), Just(48), Just(64), Just(144), Just(1040)];
        (1usize..150, width(), width())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn dense_layers_are_the_same_on_either_backend((rows, inputs, outputs) in sizes()) {
            let run = |device: &Device, what: usize| {
                let input = values(1, [rows, inputs], device);
                let weight = Weight::new(values(2, [outputs, inputs], device) / 8, Compute::Float32);
                let bias = values(3, [outputs], device);
                match what {
                    0 => dense(input, &weight, bias),
                    1 => dense_gelu(input, &weight, bias),
                    _ => {
                        let (weight_of_norm, bias_of_norm) = (values(4, [outputs], device), values(5, [outputs], device));
                        let norm = Norm { weight: weight_of_norm, bias: bias_of_norm, epsilon: 1e-12 };
                        dense_add_norm(input, &weight, bias, values(6, [rows, outputs], device), &norm)
                    }
                }
            };
            for what in 0..3 {
                let difference = worst(&on_both(|device| run(device, what)));
                prop_assert!(difference < 1e-4, "{what}: {difference}");
            }
        }

        #[test]
        fn attention_is_the_same_on_either_backend(
            lengths in prop::collection::vec(1usize..100, 1..4),
            heads in 1usize..4,
            head_size in prop_oneof![Just(8usize), Just(16), Just(32), Just(64)],
            mask in any::<bool>(),
        ) {
            let (batch, seq_len) = (lengths.len(), lengths.iter().copied().max().unwrap_or(1));
            let there = |row: usize, at: usize| !mask || at < lengths[row];
            let flags: Vec<bool> = (0..batch * seq_len).map(|token| there(token / seq_len, token % seq_len)).collect();
            let mut both = on_both(|device| {
                let projected = values(1, [batch * seq_len, 3 * heads * head_size], device) * 3;
                let attend = mask
                    .then(|| Tensor::from_data(TensorData::new(flags.clone(), [batch, seq_len]), device));
                self_attention(projected, attend, batch, heads)
            });
            for result in &mut both {
                // What comes out for padding has no meaning.
                for (token, vector) in result.chunks_exact_mut(heads * head_size).enumerate() {
                    if !flags[token] {
                        vector.fill(0.0);
                    }
                }
            }
            let difference = worst(&both);
            prop_assert!(difference < 1e-5, "{difference}");
        }
    }

    #[test]
    fn bfloat16_stays_within_its_precision_of_float32() {
        if Compute::BFloat16.check(DeviceKind::Cpu).is_err() {
            return;
        }
        let device = DeviceKind::Cpu.open().unwrap();
        let run = |compute: Compute| {
            let hidden = values(1, [70, 64], &device);
            let weight = |seed, shape| Weight::new(values(seed, shape, &device) / 4, compute);
            let projected = dense(hidden.clone(), &weight(2, [192, 64]), values(3, [192], &device));
            let context = self_attention(projected, None, 2, 2);
            let norm =
                Norm { weight: values(4, [64], &device), bias: values(5, [64], &device), epsilon: 1e-12 };
            let output =
                dense_add_norm(context, &weight(6, [64, 64]), values(7, [64], &device), hidden, &norm);
            assert_eq!(output.dtype(), FloatDType::F32.into(), "the residual stream is float32");
            output.into_data().try_to_vec::<f32>().unwrap()
        };
        let difference = worst(&[run(Compute::Float32), run(Compute::BFloat16)]);
        assert!(difference > 0.0 && difference < 0.05, "{difference}");
    }

    #[test]
    fn a_key_that_may_not_be_looked_at_has_no_weight_on_either_backend() {
        // The query is indifferent, so the result is the mean of the values that may be looked at.
        let attend_to = |device: &Device, attend: Option<[bool; 2]>| {
            let projected = Tensor::<2>::from_floats([[0.0, 0.0, 3.0], [0.0, 0.0, 5.0]], device);
            let attend =
                attend.map(|attend| Tensor::from_data(TensorData::new(attend.to_vec(), [1, 2]), device));
            self_attention(projected, attend, 1, 1)
        };
        for (attend, expected) in [(Some([true, false]), 3.0), (None, 4.0)] {
            for result in on_both(|device| attend_to(device, attend)) {
                assert_eq!(result[0], expected);
            }
        }
    }
}
