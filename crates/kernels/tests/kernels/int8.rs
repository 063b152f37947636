//! Dense layers in int8.

use proptest::prelude::*;
use strata_kernels::{Activation, Kernels, Layer, Norm, packed_int8_len};

use crate::support::{filled, numbers, on_threads, say_skipped};

/// Those that take int8.
fn kernels(test: &'static str) -> Vec<Kernels> {
    let mut all = Kernels::all();
    all.retain(|kernels| kernels.has_int8());
    if all.is_empty() {
        say_skipped(test, "instructions for int8 (avx512_vnni or avx_vnni)");
    }
    all
}

/// A layer, its tokens, and by how much a few of the inputs are larger.
#[derive(Debug, Clone)]
struct Case {
    lengths: Vec<usize>,
    inputs: usize,
    outputs: usize,
    outlier: f32,
}

impl Case {
    fn tokens(&self) -> usize {
        self.lengths.iter().sum()
    }

    fn input(&self) -> Vec<f32> {
        let mut input = numbers::<f32>(1, self.tokens() * self.inputs);
        input.iter_mut().skip(5).step_by(self.inputs.max(97)).for_each(|value| *value *= self.outlier);
        input
    }

    fn weights(&self) -> Vec<f32> {
        let scale = (self.inputs as f32).sqrt().recip();
        numbers::<f32>(2, self.outputs * self.inputs).into_iter().map(|value| value * scale).collect()
    }

    fn bias(&self) -> Vec<f32> {
        numbers(3, self.outputs)
    }

    fn run(&self, kernels: Kernels, first: usize, lengths: &[usize]) -> Vec<f32> {
        let (input, weights, bias, tokens) =
            (self.input(), self.weights(), self.bias(), lengths.iter().sum::<usize>());
        let panels = pack(kernels, &weights, self.inputs);
        let layer = Layer { inputs: self.inputs, panels: &panels, bias: &bias };
        let input = &input[first * self.inputs..][..tokens * self.inputs];
        filled(tokens * self.outputs, |output| kernels.dense_int8(input, layer, Activation::None, output))
    }

    /// In 64 bits, and how far off int8 may be: half a step of either operand for each product.
    fn defined(&self) -> Vec<(f64, f64)> {
        let (input, weights, bias) = (self.input(), self.weights(), self.bias());
        let mut expected = Vec::new();
        for input in input.chunks_exact(self.inputs) {
            let limit = |among: f64| {
                let squares = input.iter().map(|&value| f64::from(value).powi(2));
                let squares = squares.filter(|square| square.sqrt() <= among);
                6.0 * (squares.sum::<f64>() / self.inputs as f64).sqrt()
            };
            let limit = limit(limit(f64::INFINITY));
            for (weights, bias) in weights.chunks_exact(self.inputs).zip(&bias) {
                let (mut sum, mut slack) = (f64::from(*bias), 0.0);
                for (input, weights) in input.chunks_exact(64).zip(weights.chunks_exact(64)) {
                    let wide =
                        |values: &[f32]| -> Vec<f64> { values.iter().map(|&value| value.into()).collect() };
                    let (input, weights) = (wide(input), wide(weights));
                    let clipped = || input.iter().map(|value| value.clamp(-limit, limit));
                    let range = clipped().fold(f64::MIN, f64::max) - clipped().fold(f64::MAX, f64::min);
                    let largest = weights.iter().fold(0.0_f64, |largest, weight| largest.max(weight.abs()));
                    sum += input.iter().zip(&weights).map(|(a, b)| a * b).sum::<f64>();
                    slack += input.iter().map(|value| value.abs() * largest / 127.0 / 2.0).sum::<f64>();
                    slack += weights.iter().map(|weight| weight.abs() * range / 255.0 / 2.0).sum::<f64>();
                }
                expected.push((sum, slack * 1.01 + 1e-5));
            }
        }
        expected
    }
}

fn pack(kernels: Kernels, weights: &[f32], inputs: usize) -> Vec<f32> {
    let rows: Vec<&[f32]> = weights.chunks_exact(inputs).collect();
    filled(packed_int8_len(rows.len(), inputs), |panels| kernels.pack_int8(&rows, panels))
}

fn cases() -> impl Strategy<Value = Case> {
    let lengths = prop::collection::vec(prop_oneof![Just(1usize), 0usize..80], 1..5);
    let inputs = prop_oneof![Just(64usize), Just(192), Just(384), Just(1536), Just(6208)];
    let outputs = prop_oneof![Just(16usize), Just(80), Just(128), Just(384)];
    let outlier = prop_oneof![Just(1.0f32), Just(40.0), Just(1e6)];
    (lengths, inputs, outputs, outlier).prop_map(|(lengths, inputs, outputs, outlier)| Case {
        lengths,
        inputs,
        outputs,
        outlier,
    })
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn int8_is_off_by_no_more_than_its_steps(case in cases()) {
        for kernels in kernels("int8_is_off_by_no_more_than_its_steps") {
            let found = case.run(kernels, 0, &case.lengths);
            for (place, (found, (expected, slack))) in found.iter().zip(case.defined()).enumerate() {
                let difference = (f64::from(*found) - expected).abs();
                prop_assert!(difference <= slack, "{} of {kernels:?}: {found} is {difference:e} off {expected}, {slack:e} allowed", place);
            }
        }
    }

    #[test]
    fn a_text_in_int8_has_the_same_bits_in_any_company_and_with_any_instructions(case in cases()) {
        let all = kernels("a_text_in_int8_has_the_same_bits_in_any_company_and_with_any_instructions");
        let mut others: Option<Vec<u32>> = None;
        for kernels in all {
            let together = bits(&case.run(kernels, 0, &case.lengths));
            let mut first = 0;
            for &len in &case.lengths {
                let alone = bits(&case.run(kernels, first, &[len]));
                prop_assert!(alone == together[first * case.outputs..][..alone.len()]);
                first += len;
            }
            prop_assert!(others.get_or_insert_with(|| together.clone()) == &together, "{:?}", kernels);
        }
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bits_in_int8() {
    for kernels in kernels("any_number_of_threads_gives_the_same_bits_in_int8") {
        let case = Case { lengths: vec![60, 61, 3, 1, 20], inputs: 384, outputs: 80, outlier: 40.0 };
        let run = |threads| on_threads(threads, || bits(&case.run(kernels, 0, &case.lengths)));
        let alone = run(1);
        assert!([2, 3, 16].into_iter().all(|threads| run(threads) == alone));
    }
}

#[test]
fn an_outlier_takes_no_digits_from_the_others_of_its_token() {
    for kernels in kernels("an_outlier_takes_no_digits_from_the_others_of_its_token") {
        let case = Case { lengths: vec![1], inputs: 384, outputs: 384, outlier: 1.0 };
        let (mut input, mut weights) = (case.input(), case.weights());
        // Nothing is multiplied with the outlier.
        weights.chunks_exact_mut(case.inputs).for_each(|row| row[70] = 0.0);
        let panels = pack(kernels, &weights, case.inputs);
        let layer = Layer { inputs: case.inputs, panels: &panels, bias: &case.bias() };
        let mut run = |outlier| {
            input[70] = outlier;
            filled(case.outputs, |output| kernels.dense_int8(&input, layer, Activation::None, output))
        };
        let (without, with) = (run(0.0), run(2000.0));
        let largest = without.iter().zip(&with).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        // Of bytes over the whole range, a step would be 8.
        assert!(largest < 0.05, "{largest}");
    }
}

#[test]
fn a_whole_group_of_outliers_counts_once() {
    for kernels in kernels("a_whole_group_of_outliers_counts_once") {
        let inputs = 3072;
        let weights = numbers::<f32>(2, 16 * inputs);
        let panels = pack(kernels, &weights, inputs);
        let layer = Layer { inputs, panels: &panels, bias: &[0.0; 16] };
        for value in [100.0, -100.0, 1e-25, -1e-25, 0.0] {
            let input: Vec<f32> = (0..inputs).map(|at| if at < 64 { value } else { 0.0 }).collect();
            let found = filled(16, |output| kernels.dense_int8(&input, layer, Activation::None, output));
            for (found, weights) in found.iter().zip(weights.chunks_exact(inputs)) {
                let expected: f64 = weights[..64].iter().map(|&weight| f64::from(weight * value)).sum();
                let slack = f64::from(value.abs()) * 64.0 / 127.0;
                assert!((f64::from(*found) - expected).abs() <= slack, "{value:e}: {found} for {expected}");
            }
        }
    }
}

/// Where sums of two products saturate in 16 bits, machines differ.
#[test]
fn the_largest_bytes_do_not_saturate() {
    for kernels in kernels("the_largest_bytes_do_not_saturate") {
        for (sign, inputs) in [(1.0, 64), (-1.0, 64), (1.0, 1536), (-1.0, 1536)] {
            let panels = pack(kernels, &vec![sign; 16 * inputs], inputs);
            let layer = Layer { inputs, panels: &panels, bias: &[0.0; 16] };
            let input: Vec<f32> = (0..inputs).map(|at| if at % 64 == 9 { -1.0 } else { 1.0 }).collect();
            let found = filled(16, |output| kernels.dense_int8(&input, layer, Activation::None, output));
            let expected = sign * input.iter().sum::<f32>();
            assert!(
                found.iter().all(|found| (found / expected - 1.0).abs() < 1e-5),
                "{found:?} for {expected}"
            );
        }
    }
}

#[test]
fn weights_of_zero_leave_the_bias() {
    for kernels in kernels("weights_of_zero_leave_the_bias") {
        let case = Case { lengths: vec![3], inputs: 128, outputs: 32, outlier: 40.0 };
        let panels = pack(kernels, &vec![0.0; 128 * 32], 128);
        let layer = Layer { inputs: 128, panels: &panels, bias: &case.bias() };
        let found = filled(96, |output| kernels.dense_int8(&case.input(), layer, Activation::None, output));
        assert_eq!(found, case.bias().repeat(3));
    }
}

#[test]
fn residual_and_norm_follow_a_product_in_int8() {
    for kernels in kernels("residual_and_norm_follow_a_product_in_int8") {
        let case = Case { lengths: vec![3, 2], inputs: 128, outputs: 80, outlier: 1.0 };
        let (input, panels, bias) = (case.input(), pack(kernels, &case.weights(), case.inputs), case.bias());
        let layer = Layer { inputs: case.inputs, panels: &panels, bias: &bias };
        let (residual, weight, shift) =
            (numbers::<f32>(4, 5 * 80), numbers::<f32>(5, 80), numbers::<f32>(6, 80));
        let norm = Norm { weight: &weight, bias: &shift, epsilon: 1e-12 };
        let found =
            filled(5 * 80, |output| kernels.dense_add_int8(&input, layer, &residual, Some(norm), output));
        let sums = case.run(kernels, 0, &case.lengths);
        let rows = found.chunks(80).zip(sums.chunks(80).zip(residual.chunks(80)));
        for (found, (sums, residual)) in rows {
            let sums: Vec<f64> = sums.iter().zip(residual).map(|(a, b)| f64::from(a + b)).collect();
            let mean = sums.iter().sum::<f64>() / 80.0;
            let scale = (sums.iter().map(|sum| (sum - mean).powi(2)).sum::<f64>() / 80.0).sqrt().recip();
            for (at, found) in found.iter().enumerate() {
                let expected = (sums[at] - mean) * scale * f64::from(weight[at]) + f64::from(shift[at]);
                assert!((f64::from(*found) - expected).abs() < 1e-5);
            }
        }
    }
}

#[test]
fn what_is_no_number_stays_none_in_int8() {
    for kernels in kernels("what_is_no_number_stays_none_in_int8") {
        let case = Case { lengths: vec![2], inputs: 64, outputs: 16, outlier: 1.0 };
        let (mut input, mut weights) = (case.input(), case.weights());
        let run = |input: &[f32], weights: &[f32]| {
            let panels = pack(kernels, weights, case.inputs);
            let layer = Layer { inputs: case.inputs, panels: &panels, bias: &case.bias() };
            filled(32, |output| kernels.dense_int8(input, layer, Activation::None, output))
        };
        for value in [f32::NAN, f32::INFINITY] {
            input[3] = value;
            let found = run(&input, &weights);
            assert!(
                found[..16].iter().all(|value| value.is_nan())
                    && found[16..].iter().all(|value| value.is_finite())
            );
        }
        weights[64] = f32::NAN;
        let found = run(&case.input(), &weights);
        assert!(found.iter().enumerate().all(|(at, value)| value.is_nan() == (at % 16 == 1)));
    }
}
