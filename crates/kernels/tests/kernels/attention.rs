//! Self-attention.

use half::bf16;
use proptest::prelude::*;
use strata_kernels::Kernels;

use crate::support::{Number, assert_close, filled, kernels_of, numbers, on_threads};

#[derive(Debug, Clone)]
struct Case {
    lengths: Vec<usize>,
    heads: usize,
    head_size: usize,
    span: Option<usize>,
}

impl Case {
    fn hidden(&self) -> usize {
        self.heads * self.head_size
    }

    /// Large enough that some keys weigh much more than others.
    fn projected<E: Number>(&self) -> Vec<E> {
        let tokens: usize = self.lengths.iter().sum();
        numbers::<f32>(1, tokens * 3 * self.hidden()).into_iter().map(|value| E::new(value * 3.0)).collect()
    }

    fn run<E: Number>(&self, kernels: Kernels, first: usize, lengths: &[usize]) -> Vec<E> {
        let (tokens, projected) = (lengths.iter().sum::<usize>(), self.projected::<E>());
        let projected = &projected[first * 3 * self.hidden()..][..tokens * 3 * self.hidden()];
        filled(tokens * self.hidden(), |context| {
            kernels.attention(projected, lengths, self.heads, self.head_size, self.span, context)
        })
    }

    fn defined<E: Number>(&self) -> Vec<f64> {
        let (hidden, projected) = (self.hidden(), self.projected::<E>());
        let mut context = vec![0.0; projected.len() / 3];
        let mut first = 0;
        for &len in &self.lengths {
            let part = |token: usize, part: usize, head: usize| {
                let at = (first + token) * 3 * hidden + part * hidden + head * self.head_size;
                projected[at..][..self.head_size].iter().map(|value| value.exactly())
            };
            for (query, head) in (0..len).flat_map(|query| (0..self.heads).map(move |head| (query, head))) {
                let span = self.span.unwrap_or(len);
                let keys = query.saturating_sub(span)..len.min(query.saturating_add(span).saturating_add(1));
                let score = |key| {
                    let product: f64 = part(query, 0, head).zip(part(key, 1, head)).map(|(a, b)| a * b).sum();
                    (product / (self.head_size as f64).sqrt()).exp()
                };
                let weights: Vec<f64> = keys.clone().map(score).collect();
                let total: f64 = weights.iter().sum();
                let target = &mut context[(first + query) * hidden + head * self.head_size..];
                for (weight, key) in weights.iter().zip(keys) {
                    for (target, value) in target.iter_mut().zip(part(key, 2, head)) {
                        *target += weight / total * value;
                    }
                }
            }
            first += len;
        }
        context
    }

    fn assert_alone_equals_together<E: Number>(&self, kernels: Kernels) {
        let together = self.run::<E>(kernels, 0, &self.lengths);
        let mut first = 0;
        for &len in &self.lengths {
            let alone = self.run::<E>(kernels, first, &[len]);
            assert!(alone == together[first * self.hidden()..][..alone.len()]);
            first += len;
        }
    }
}

fn cases() -> impl Strategy<Value = Case> {
    let lengths = prop_oneof![
        4 => prop::collection::vec(0usize..70, 1..6),
        1 => prop::collection::vec(prop_oneof![100usize..200, Just(400)], 1..3),
    ];
    let head_size = prop_oneof![
        prop_oneof![Just(4usize), Just(7), Just(24), Just(32), Just(48), Just(64)],
        prop_oneof![Just(80usize), Just(128)],
    ];
    let span = prop_oneof![Just(None), Just(Some(usize::MAX)), (0usize..70).prop_map(Some)];
    (lengths, 1usize..4, head_size, span).prop_map(|(lengths, heads, head_size, span)| Case {
        lengths,
        heads,
        head_size,
        span,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn attention_is_what_its_definition_says(case in cases()) {
        for kernels in kernels_of::<f32>("attention_is_what_its_definition_says") {
            // The wider a head, the larger its scores, and what is rounded of them.
            let tolerance = 1e-5 * (case.head_size as f64 / 32.0).max(1.0);
            assert_close(&case.run::<f32>(kernels, 0, &case.lengths), &case.defined::<f32>(), tolerance);
        }
    }

    #[test]
    fn attention_in_bfloat16_is_what_its_definition_says(case in cases()) {
        for kernels in kernels_of::<bf16>("attention_in_bfloat16_is_what_its_definition_says") {
            assert_close(&case.run::<bf16>(kernels, 0, &case.lengths), &case.defined::<bf16>(), 1.0 / 128.0);
        }
    }

    #[test]
    fn a_text_attends_with_the_same_bits_in_any_company(case in cases()) {
        for kernels in kernels_of::<f32>("a_text_attends_with_the_same_bits_in_any_company") {
            case.assert_alone_equals_together::<f32>(kernels);
        }
    }

    #[test]
    fn a_text_attends_in_bfloat16_with_the_same_bits_in_any_company(case in cases()) {
        for kernels in kernels_of::<bf16>("a_text_attends_in_bfloat16_with_the_same_bits_in_any_company") {
            case.assert_alone_equals_together::<bf16>(kernels);
        }
    }
}

#[test]
fn attention_has_the_same_bits_with_any_number_of_threads() {
    for kernels in kernels_of::<f32>("attention_has_the_same_bits_with_any_number_of_threads") {
        let case = Case { lengths: vec![100, 49, 48, 1], heads: 3, head_size: 32, span: None };
        let run = |threads| on_threads(threads, || case.run::<f32>(kernels, 0, &case.lengths));
        let alone = run(1);
        assert!([2, 3, 16].into_iter().all(|threads| run(threads) == alone));
    }
}
