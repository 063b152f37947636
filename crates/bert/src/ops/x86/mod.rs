//! Dense layers and attention for x86-64 processors with AVX-512.
//!
//! What follows a product happens on its sums while they are in cache, in float32. Where there are
//! tile registers (AMX), libtorch multiplies.

mod attention;
mod dense;
mod element;
mod panels;
mod product;
mod scratch;
mod simd;
mod strassen;
mod sys;

pub(crate) use attention::attention;
pub(crate) use dense::{After, dense};
pub(crate) use panels::{can_pack, pack};
pub(crate) use simd::available;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tch::{Device, Kind, Tensor};

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn a_text_has_the_same_bits_in_any_company(
            lengths in prop::collection::vec(prop_oneof![1usize..8, 1usize..200], 1..9),
            inputs in prop_oneof![Just(64i64), Just(512), Just(544), Just(1040)],
            outputs in prop_oneof![Just(80i64), Just(512), Just(640)],
            after in 0..4,
        ) {
            if !available() {
                return Ok(());
            }
            let random = |shape: &[i64]| Tensor::randn(shape, (Kind::Float, Device::Cpu));
            let tokens = lengths.iter().sum::<usize>() as i64;
            let (input, residual) = (random(&[tokens, inputs]), random(&[tokens, outputs]));
            let (bias, weight) = (random(&[outputs]), random(&[outputs, inputs]));
            let values: Vec<f32> = Vec::try_from(weight.view([-1])).unwrap();
            let packed = pack(&values.chunks_exact(inputs as usize).collect::<Vec<_>>(), Kind::Float);
            let run = |first: i64, lengths: &[usize]| {
                let part = |of: &Tensor| of.narrow(0, first, lengths.iter().sum::<usize>() as i64);
                let residual = &part(&residual);
                let after = match after {
                    0 => After::Nothing,
                    1 => After::Gelu,
                    2 => After::Add { residual },
                    _ => After::AddNorm { residual, weight: &bias, bias: &bias, epsilon: 1e-12 },
                };
                dense(&part(&input), lengths, &packed, &bias, after)
            };
            let together = run(0, &lengths);
            let mut first = 0;
            for &len in &lengths {
                prop_assert!(run(first, &[len]).equal(&together.narrow(0, first, len as i64)));
                first += len as i64;
            }
        }

        #[test]
        fn a_text_attends_with_the_same_bits_in_any_company_whatever_the_size_of_heads(
            lengths in prop::collection::vec(1usize..70, 1..6),
            heads in 1usize..4,
            head_size in prop_oneof![Just(4i64), Just(8), Just(24), Just(64)],
            span in prop_oneof![Just(None), (0usize..70).prop_map(Some)],
        ) {
            if !available() {
                return Ok(());
            }
            let tokens = lengths.iter().sum::<usize>() as i64;
            let width = 3 * heads as i64 * head_size;
            let projected = Tensor::randn([tokens, width], (Kind::Float, Device::Cpu));
            let together = attention(&projected, &lengths, heads, span);
            let mut first = 0;
            for &len in &lengths {
                let alone = attention(&projected.narrow(0, first, len as i64), &[len], heads, span);
                prop_assert!(alone.equal(&together.narrow(0, first, len as i64)));
                first += len as i64;
            }
        }
    }
}
