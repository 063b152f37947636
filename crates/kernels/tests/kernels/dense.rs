//! Dense layers.

use half::bf16;
use proptest::prelude::*;
use strata_kernels::{Activation, Kernels, Layer, Norm, packed_len};

use crate::support::{Number, assert_close, filled, kernels_of, numbers, on_threads};

/// What follows the product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tail {
    Nothing,
    Gelu,
    Add,
    AddNorm,
}

/// A layer and its tokens.
#[derive(Debug, Clone)]
struct Case {
    lengths: Vec<usize>,
    inputs: usize,
    outputs: usize,
    tail: Tail,
}

const EPSILON: f32 = 1e-12;

impl Case {
    fn tokens(&self) -> usize {
        self.lengths.iter().sum()
    }

    /// Of about as large outputs as inputs, whatever their number.
    fn weights(&self) -> Vec<f32> {
        let scale = (self.inputs as f32).sqrt().recip();
        numbers::<f32>(2, self.outputs * self.inputs).into_iter().map(|value| value * scale).collect()
    }

    fn bias(&self) -> Vec<f32> {
        numbers(3, self.outputs)
    }

    fn residual(&self) -> Vec<f32> {
        numbers(4, self.tokens() * self.outputs)
    }

    fn norm(&self) -> [Vec<f32>; 2] {
        [numbers(5, self.outputs), numbers(6, self.outputs)]
    }

    fn pack<E: Number>(&self, kernels: Kernels) -> Vec<E> {
        let weights = self.weights();
        let rows: Vec<&[f32]> = weights.chunks_exact(self.inputs).collect();
        filled(packed_len(self.outputs, self.inputs), |panels| kernels.pack(&rows, panels))
    }

    /// The texts that begin at token `first`, of inputs of type `I` and weights of type `E`.
    fn run<I: Number, E: Number>(&self, kernels: Kernels, first: usize, lengths: &[usize]) -> Vec<f64> {
        let tokens: usize = lengths.iter().sum();
        let (input, residual) = (numbers::<I>(1, self.tokens() * self.inputs), self.residual());
        let input = &input[first * self.inputs..][..tokens * self.inputs];
        let residual = &residual[first * self.outputs..][..tokens * self.outputs];
        let ([weight, bias], panels, of_layer) = (self.norm(), self.pack::<E>(kernels), self.bias());
        let layer = Layer { inputs: self.inputs, panels: &panels, bias: &of_layer };
        let norm = Norm { weight: &weight, bias: &bias, epsilon: EPSILON };
        let count = tokens * self.outputs;
        let activated = |activation| {
            let output = filled(count, |output| kernels.dense(input, layer, activation, output));
            output.into_iter().map(E::exactly).collect()
        };
        let added = |norm| {
            let output = filled(count, |output| kernels.dense_add(input, layer, residual, norm, output));
            output.into_iter().map(f64::from).collect()
        };
        match self.tail {
            Tail::Nothing => activated(Activation::None),
            Tail::Gelu => activated(Activation::Gelu),
            Tail::Add => added(None),
            Tail::AddNorm => added(Some(norm)),
        }
    }

    /// The same by its definition, of operands rounded as the type has them.
    fn defined<I: Number, E: Number>(&self) -> Vec<f64> {
        // Inputs become what the weights are.
        let input = numbers::<I>(1, self.tokens() * self.inputs).into_iter();
        let input: Vec<f64> = input.map(|value| E::new(value.exactly() as f32).exactly()).collect();
        let weights: Vec<f64> = self.weights().into_iter().map(|value| E::new(value).exactly()).collect();
        let (bias, residual, [weight, bias_of_norm]) = (self.bias(), self.residual(), self.norm());
        let mut output = Vec::new();
        for (token, input) in input.chunks_exact(self.inputs).enumerate() {
            let sum_of = |(output, weights): (usize, &[f64])| {
                let product: f64 = input.iter().zip(weights).map(|(a, b)| a * b).sum();
                let sum = product + f64::from(bias[output]);
                match self.tail {
                    Tail::Nothing => sum,
                    Tail::Gelu => sum / 2.0 * (1.0 + erf(sum / std::f64::consts::SQRT_2)),
                    Tail::Add | Tail::AddNorm => sum + f64::from(residual[token * self.outputs + output]),
                }
            };
            let row: Vec<f64> = weights.chunks_exact(self.inputs).enumerate().map(sum_of).collect();
            if self.tail != Tail::AddNorm {
                output.extend(row);
                continue;
            }
            let mean = row.iter().sum::<f64>() / row.len() as f64;
            let variance = row.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / row.len() as f64;
            let scale = (variance + f64::from(EPSILON)).sqrt().recip();
            let terms = weight.iter().zip(&bias_of_norm);
            let normalized = row.iter().zip(terms).map(|(value, (weight, bias))| {
                (value - mean) * scale * f64::from(*weight) + f64::from(*bias)
            });
            output.extend(normalized);
        }
        output
    }
}

/// The error function, by its series where that converges quickly, and 1 beyond.
fn erf(x: f64) -> f64 {
    if x.abs() > 5.0 {
        return x.signum();
    }
    let (mut sum, mut term) = (x, x);
    for n in 1..200 {
        let n = f64::from(n);
        term *= -x * x / n;
        sum += term / (2.0 * n + 1.0);
    }
    sum * 2.0 / std::f64::consts::PI.sqrt()
}

fn tails() -> impl Strategy<Value = Tail> {
    prop_oneof![Just(Tail::Nothing), Just(Tail::Gelu), Just(Tail::Add), Just(Tail::AddNorm)]
}

/// Sizes that fill panels, blocks and sums, and that do not.
fn cases() -> impl Strategy<Value = Case> {
    let lengths = prop::collection::vec(prop_oneof![Just(1usize), 0usize..80], 1..5);
    let inputs = prop_oneof![Just(16usize), Just(48), Just(144), Just(512), Just(544), Just(1040)];
    let outputs = prop_oneof![Just(16usize), Just(80), Just(144), Just(512), Just(640)];
    (lengths, inputs, outputs, tails()).prop_map(|(lengths, inputs, outputs, tail)| Case {
        lengths,
        inputs,
        outputs,
        tail,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_layer_computes_what_its_definition_says(case in cases()) {
        for kernels in kernels_of::<f32>("a_layer_computes_what_its_definition_says") {
            assert_close(&single(case.run::<f32, f32>(kernels, 0, &case.lengths)), &case.defined::<f32, f32>(), 2e-5);
        }
    }

    #[test]
    fn a_layer_in_bfloat16_computes_what_its_definition_says(case in cases()) {
        for kernels in kernels_of::<bf16>("a_layer_in_bfloat16_computes_what_its_definition_says") {
            // Where the result is float32, only operands are rounded.
            let tolerance = if matches!(case.tail, Tail::Add | Tail::AddNorm) { 2e-5 } else { 1.0 / 256.0 };
            let found = case.run::<bf16, bf16>(kernels, 0, &case.lengths);
            assert_close(&single(found), &case.defined::<bf16, bf16>(), tolerance);
            let found = case.run::<f32, bf16>(kernels, 0, &case.lengths);
            assert_close(&single(found), &case.defined::<f32, bf16>(), tolerance);
        }
    }

    #[test]
    fn a_text_has_the_same_bits_in_any_company(case in cases()) {
        for kernels in kernels_of::<f32>("a_text_has_the_same_bits_in_any_company") {
            assert_alone_equals_together(&case, &|first, lengths| case.run::<f32, f32>(kernels, first, lengths));
        }
    }

    #[test]
    fn a_text_in_bfloat16_has_the_same_bits_in_any_company(case in cases()) {
        for kernels in kernels_of::<bf16>("a_text_in_bfloat16_has_the_same_bits_in_any_company") {
            assert_alone_equals_together(&case, &|first, lengths| case.run::<f32, bf16>(kernels, first, lengths));
        }
    }
}

/// As float32, which holds every result.
fn single(values: Vec<f64>) -> Vec<f32> {
    values.into_iter().map(|value| value as f32).collect()
}

fn assert_alone_equals_together(case: &Case, run: &dyn Fn(usize, &[usize]) -> Vec<f64>) {
    let together = run(0, &case.lengths);
    let mut first = 0;
    for &len in &case.lengths {
        let alone = run(first, &[len]);
        assert!(alone == together[first * case.outputs..][..alone.len()]);
        first += len;
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    for kernels in kernels_of::<f32>("any_number_of_threads_gives_the_same_bits") {
        for (inputs, outputs) in [(144, 80), (512, 640)] {
            let case = Case { lengths: vec![60, 61, 3, 1, 20], inputs, outputs, tail: Tail::AddNorm };
            let run = |threads| on_threads(threads, || case.run::<f32, f32>(kernels, 0, &case.lengths));
            let alone = run(1);
            assert!([2, 3, 16].into_iter().all(|threads| run(threads) == alone));
        }
    }
}

#[test]
fn a_long_sum_is_not_rounded_away() {
    for kernels in kernels_of::<f32>("a_long_sum_is_not_rounded_away") {
        let (inputs, outputs) = (3072, 64);
        let value = |seed: usize| (seed * 7919 % 1999) as f32 / 1999.0;
        let input: Vec<f32> = (0..inputs).map(value).collect();
        let weights: Vec<f32> = (0..inputs * outputs).map(|at| value(at + 31)).collect();
        let rows: Vec<&[f32]> = weights.chunks_exact(inputs).collect();
        let panels = filled(packed_len(outputs, inputs), |panels| kernels.pack(&rows, panels));
        let layer = Layer::<f32> { inputs, panels: &panels, bias: &vec![0.0; outputs] };
        let found = filled(outputs, |output| kernels.dense(&input, layer, Activation::None, output));
        for (output, (found, weights)) in found.iter().zip(rows).enumerate() {
            let exact: f64 = input.iter().zip(weights).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
            let error = (f64::from(*found) / exact - 1.0).abs();
            assert!(error < 5e-7, "output {output} is off by {error:e}");
        }
    }
}
