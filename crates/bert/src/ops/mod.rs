//! The operations an encoder layer is made of.
//!
//! Where `strata-kernels` has kernels for the processor, the layers' weights are packed for them, and
//! what follows a product (bias, gelu, residual and norm) is done while it is in cache. Elsewhere the
//! backend's own operators run. Nothing outside this folder knows libtorch.
#![cfg_attr(
    feature = "libtorch",
    expect(deprecated, reason = "burn-tch is kept for burn's deprecation window")
)]

mod attention;
mod backend;
mod flex;
mod kernels;
pub(crate) mod layout;
#[cfg(feature = "libtorch")]
mod libtorch;
mod processor;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, ExtensionType, backend_extension};
use burn::tensor::Tensor;

use crate::Compute;

#[cfg(feature = "libtorch")]
pub(crate) use libtorch::{cuda_devices, set_threads};
pub(crate) use processor::{
    check as check_processor, has_bfloat16, has_int8, has_kernels, is_fast_in_bfloat16, is_slow_in_bfloat16,
};

/// What follows a product that is added to the residual stream.
#[derive(ExtensionType)]
struct AddNorm<B: Backend> {
    residual: FloatTensor<B>,
    weight: FloatTensor<B>,
    bias: FloatTensor<B>,
    epsilon: f64,
}

/// What the encoder needs beyond burn's own operations. `kernels` fulfils it for every backend.
#[backend_extension(LibTorch: cfg(feature = "libtorch"), Flex)]
trait EncoderOps: Backend {
    /// The weight of a dense layer as the products below take it, not a matrix to anybody else, on
    /// the device of `bias`. There is one row of inputs' weights for each output.
    fn pack(rows: &[&[f32]], bias: FloatTensor<Self>, compute: Compute) -> FloatTensor<Self>;

    fn dense(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> FloatTensor<Self>;

    fn dense_gelu(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> FloatTensor<Self>;

    fn dense_add(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        residual: FloatTensor<Self>,
    ) -> FloatTensor<Self>;

    fn dense_add_norm(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        #[extension_type] after: AddNorm<Self>,
    ) -> FloatTensor<Self>;

    fn self_attention(projected: FloatTensor<Self>, lengths: &[usize], heads: usize) -> FloatTensor<Self>;

    fn biased_self_attention(
        projected: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        lengths: &[usize],
        heads: usize,
    ) -> FloatTensor<Self>;

    fn local_self_attention(
        projected: FloatTensor<Self>,
        lengths: &[usize],
        heads: usize,
        span: usize,
    ) -> FloatTensor<Self>;
}

/// The weight of a dense layer, ready for products of one type.
pub(crate) struct Weight(FloatTensor<Dispatch>);

impl Weight {
    /// Of a layer with this bias, `[out]`, and as many `rows`, `[in]` each.
    pub(crate) fn new(rows: &[&[f32]], bias: &Tensor<1>, compute: Compute) -> Self {
        Self(Dispatch::pack(rows, bias.clone().into_dispatch(), compute))
    }
}

/// `input · weightᵀ + bias`, from `[tokens, in]`, `[out, in]` and `[out]` to `[tokens, out]`. `input`
/// may be float32 or of the weight's type, which is the result's.
pub(crate) fn dense(input: Tensor<2>, weight: &Weight, bias: Tensor<1>) -> Tensor<2> {
    let (input, bias) = (input.into_dispatch(), bias.into_dispatch());
    Tensor::from_dispatch(Dispatch::dense(input, weight.0.clone(), bias))
}

/// [`dense`] and the exact gelu.
pub(crate) fn dense_gelu(input: Tensor<2>, weight: &Weight, bias: Tensor<1>) -> Tensor<2> {
    let (input, bias) = (input.into_dispatch(), bias.into_dispatch());
    Tensor::from_dispatch(Dispatch::dense_gelu(input, weight.0.clone(), bias))
}

/// [`dense`], plus a float32 `residual` `[tokens, out]`; float32.
pub(crate) fn dense_add(
    input: Tensor<2>,
    weight: &Weight,
    bias: Tensor<1>,
    residual: Tensor<2>,
) -> Tensor<2> {
    let (input, bias, residual) = (input.into_dispatch(), bias.into_dispatch(), residual.into_dispatch());
    Tensor::from_dispatch(Dispatch::dense_add(input, weight.0.clone(), bias, residual))
}

/// What normalizes each row: `weight` and `bias` are `[out]`.
pub(crate) struct Norm {
    pub(crate) weight: Tensor<1>,
    pub(crate) bias: Tensor<1>,
    pub(crate) epsilon: f64,
}

/// [`dense`], plus a float32 `residual` `[tokens, out]`, normalized; float32.
pub(crate) fn dense_add_norm(
    input: Tensor<2>,
    weight: &Weight,
    bias: Tensor<1>,
    residual: Tensor<2>,
    norm: &Norm,
) -> Tensor<2> {
    let after = AddNorm {
        residual: residual.into_dispatch(),
        weight: norm.weight.clone().into_dispatch(),
        bias: norm.bias.clone().into_dispatch(),
        epsilon: norm.epsilon,
    };
    let (input, bias) = (input.into_dispatch(), bias.into_dispatch());
    Tensor::from_dispatch(Dispatch::dense_add_norm(input, weight.0.clone(), bias, after))
}

/// `softmax(query · keyᵀ / √head_size + bias) · value` of every head and row, from query, key and
/// value side by side, `[tokens, 3 · hidden_size]`, to `[tokens, hidden_size]`.
///
/// The tokens of each row attend to each other, to those at most `span` away if there is one; `lengths`
/// says how many there are of each row, one row after the other. Of `bias`, `[heads, longest, longest]`,
/// shorter rows use the beginning; no family has both.
pub(crate) fn self_attention(
    projected: Tensor<2>,
    bias: Option<Tensor<3>>,
    span: Option<usize>,
    lengths: &[usize],
    heads: usize,
) -> Tensor<2> {
    let projected = projected.into_dispatch();
    Tensor::from_dispatch(match (bias, span) {
        (None, None) => Dispatch::self_attention(projected, lengths, heads),
        (None, Some(span)) => Dispatch::local_self_attention(projected, lengths, heads, span),
        (Some(bias), _) => Dispatch::biased_self_attention(projected, bias.into_dispatch(), lengths, heads),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DeviceKind;
    use crate::ops::layout::{Block, Window, blocks};
    use crate::ops::processor::tests::without_kernels;
    use burn::tensor::{Device, FloatDType, TensorData};
    use proptest::prelude::*;

    /// Values between -1 and 1 that look random and are the same on every device.
    fn floats(seed: usize, count: usize) -> Vec<f32> {
        (0..count).map(|at| ((at * 7919 + seed * 104_729 + 17) % 1999) as f32 / 999.5 - 1.0).collect()
    }

    fn values<const D: usize>(seed: usize, shape: [usize; D], device: &Device) -> Tensor<D> {
        Tensor::from_data(TensorData::new(floats(seed, shape.iter().product()), shape), device)
    }

    /// For `inputs` inputs, of about 1 / 8.
    fn weight(seed: usize, inputs: usize, bias: &Tensor<1>, compute: Compute) -> Weight {
        let values: Vec<f32> =
            floats(seed, inputs * bias.dims()[0]).into_iter().map(|value| value / 8.0).collect();
        Weight::new(&values.chunks_exact(inputs).collect::<Vec<_>>(), bias, compute)
    }

    /// On either backend, with kernels where the processor has them and without; burn's own definition first.
    fn on_all<const D: usize>(compute: impl Fn(&Device) -> Tensor<D>) -> [Vec<f32>; 4] {
        let on = |device: DeviceKind| {
            let result = compute(&device.open().unwrap()).cast(FloatDType::F32);
            result.into_data().try_to_vec().unwrap()
        };
        let [plain, other] = [DeviceKind::Flex, DeviceKind::Cpu].map(|device| without_kernels(|| on(device)));
        [plain, other, on(DeviceKind::Flex), on(DeviceKind::Cpu)]
    }

    fn worst(one: &[f32], other: &[f32]) -> f32 {
        assert_eq!(one.len(), other.len());
        one.iter().zip(other).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
    }

    /// The most that any differs by from the first.
    fn worst_of_all(results: &[Vec<f32>; 4]) -> f32 {
        results.iter().map(|result| worst(&results[0], result)).fold(0.0, f32::max)
    }

    /// Sizes that fill panels and blocks, that do not, that no kernel takes, and of which products of
    /// sums are made.
    fn width() -> impl Strategy<Value = usize> {
        prop_oneof![
            prop_oneof![Just(20), Just(48), Just(64), Just(144), Just(1040)],
            prop_oneof![Just(512), Just(640)],
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn dense_layers_are_the_same_with_kernels_and_without_and_for_a_text_alone(
            lengths in prop::collection::vec(prop_oneof![Just(1usize), 1usize..80], 1..5),
            inputs in width(),
            outputs in width(),
            what in 0..4,
        ) {
            let tokens: usize = lengths.iter().sum();
            let run = |device: &Device, first: usize, lengths: &[usize]| {
                let tokens_of = |seed, width| {
                    values(seed, [tokens, width], device).narrow(0, first, lengths.iter().sum())
                };
                let bias = values(3, [outputs], device);
                let weight = weight(2, inputs, &bias, Compute::Float32);
                let input = tokens_of(1, inputs);
                match what {
                    0 => dense(input, &weight, bias),
                    1 => dense_gelu(input, &weight, bias),
                    2 => dense_add(input, &weight, bias, tokens_of(6, outputs)),
                    _ => {
                        let (weight_of_norm, bias_of_norm) = (values(4, [outputs], device), values(5, [outputs], device));
                        let norm = Norm { weight: weight_of_norm, bias: bias_of_norm, epsilon: 1e-12 };
                        dense_add_norm(input, &weight, bias, tokens_of(6, outputs), &norm)
                    }
                }
            };
            let together = on_all(|device| run(device, 0, &lengths));
            prop_assert!(worst_of_all(&together) < 1e-4, "{}", worst_of_all(&together));
            let mut first = 0;
            for &len in &lengths {
                for (alone, together) in on_all(|device| run(device, first, &[len])).iter().zip(&together) {
                    let text = &together[first * outputs..][..alone.len()];
                    let difference = worst(alone, text);
                    prop_assert!(difference < 1e-4, "{difference}");
                }
                first += len;
            }
        }

        #[test]
        fn attention_is_the_same_with_kernels_and_without_and_for_a_row_alone(
            lengths in prop::collection::vec(prop_oneof![Just(7usize), 1usize..100], 1..5),
            heads in 1usize..4,
            head_size in prop_oneof![Just(8usize), Just(16), Just(32), Just(48), Just(80)],
            (biased, span) in prop_oneof![
                Just((true, None)),
                prop_oneof![Just(None), (0usize..80).prop_map(Some)].prop_map(|span| (false, span)),
            ],
        ) {
            let tokens: usize = lengths.iter().sum();
            let longest = lengths.iter().copied().max().unwrap_or(0);
            let run = |device: &Device, rows: &[usize], first: usize| {
                let projected = values(1, [tokens, 3 * heads * head_size], device) * 3;
                let bias = biased.then(|| values(2, [heads, longest, longest], device) * 2);
                self_attention(projected.narrow(0, first, rows.iter().sum()), bias, span, rows, heads)
            };
            let together = on_all(|device| run(device, &lengths, 0));
            prop_assert!(worst_of_all(&together) < 1e-4, "{}", worst_of_all(&together));
            let mut first = 0;
            for &len in &lengths {
                for (alone, together) in on_all(|device| run(device, &[len], first)).iter().zip(&together) {
                    let row = &together[first * heads * head_size..][..alone.len()];
                    let difference = worst(alone, row);
                    prop_assert!(difference < 1e-4, "{difference}");
                }
                first += len;
            }
        }
    }

    #[test]
    fn attention_reaches_as_far_as_its_span_and_no_farther() {
        let (lengths, heads, head_size) = ([150, 150, 9], 2, 16);
        for device in [DeviceKind::Cpu, DeviceKind::Flex].map(|device| device.open().unwrap()) {
            let projected = values(1, [309, 3 * heads * head_size], &device) * 3;
            for span in [0, 1, 40, 64, 148, 149, 1000] {
                let found = self_attention(projected.clone(), None, Some(span), &lengths, heads);
                let of_block = |block: Block| {
                    let [query, key, value] = block.heads_of(&projected, heads);
                    let scores = query.matmul(key.swap_dims(2, 3)) / (head_size as f32).sqrt();
                    let mask = Tensor::from_data(Window::whole(block.len).mask(span), &device);
                    let context = burn::tensor::activation::softmax(scores + mask, 3).matmul(value);
                    context.swap_dims(1, 2).reshape([block.tokens(), heads * head_size])
                };
                let expected = Tensor::cat(blocks(&lengths).map(of_block).collect(), 0);
                let [found, expected]: [Vec<f32>; 2] =
                    [found, expected].map(|tensor: Tensor<2>| tensor.into_data().try_to_vec().unwrap());
                assert!(worst(&found, &expected) < 1e-4, "{span}");
            }
        }
    }

    #[test]
    fn bfloat16_and_int8_stay_within_their_precision_of_float32() {
        let reduced = [Compute::BFloat16, Compute::Int8]
            .into_iter()
            .filter(|&compute| !crate::precision::skips(compute));
        for (compute, device_kind) in
            reduced.flat_map(|compute| [DeviceKind::Cpu, DeviceKind::Flex].map(|device| (compute, device)))
        {
            let device = device_kind.open().unwrap();
            let run = |compute: Compute| {
                let hidden = values(1, [70, 64], &device);
                let (wide, narrow) = (values(3, [192], &device), values(7, [64], &device));
                let projected = dense(hidden.clone(), &weight(2, 64, &wide, compute), wide);
                let context = self_attention(projected, None, None, &[35, 35], 2);
                let norm =
                    Norm { weight: values(4, [64], &device), bias: values(5, [64], &device), epsilon: 1e-12 };
                let output = dense_add_norm(context, &weight(6, 64, &narrow, compute), narrow, hidden, &norm);
                assert_eq!(output.dtype(), FloatDType::F32.into(), "the residual stream is float32");
                output.into_data().try_to_vec::<f32>().unwrap()
            };
            let difference = worst(&run(Compute::Float32), &run(compute));
            assert!(difference > 0.0 && difference < 0.05, "{compute} on {device_kind}: {difference}");
        }
    }
}
