//! Attention that depends on how far two tokens are apart.

use burn::tensor::module::embedding;
use burn::tensor::{Bool, Device, Int, Tensor, TensorData};

use crate::weights::{Shapes, Weights};
use crate::{Config, Error};

/// Learnt additions to the scores of attention, a row for each class of distances and a column for
/// each head; all layers share them.
///
/// Source: `compute_position_bias` in
/// <https://github.com/huggingface/transformers/blob/main/src/transformers/models/mpnet/modeling_mpnet.py>
pub(crate) struct RelativeBias {
    /// `[BUCKETS, heads]`
    table: Tensor<2>,
    device: Device,
}

/// Finite, as a backend that goes block by block must make sense of one that holds nothing else.
const LEFT_OUT: f32 = f32::MIN / 2.0;

const NAME: &str = "encoder.relative_attention_bias.weight";

/// As many classes as that code makes, whatever the configuration states: half for each direction,
/// and half of those for one distance each.
const BUCKETS: i64 = 32;

impl RelativeBias {
    pub(crate) fn shapes(config: &Config, shapes: &mut Shapes) {
        if config.family.relative_positions {
            shapes.insert(NAME.to_owned(), vec![BUCKETS as usize, config.num_attention_heads]);
        }
    }

    /// None in families without it.
    pub(crate) fn load(weights: &Weights, config: &Config, device: &Device) -> Result<Option<Self>, Error> {
        let load = || Ok(Self { table: weights.load(NAME, device)?, device: device.clone() });
        config.family.relative_positions.then(load).transpose()
    }

    /// `[batch, heads, seq_len, seq_len]`, or one for the whole batch where nothing is padded; far
    /// below any score where `attend`, `[batch, seq_len]`, is false.
    pub(crate) fn forward(&self, seq_len: usize, attend: Option<Tensor<2, Bool>>) -> Tensor<4> {
        let places = 0..seq_len as i64;
        let buckets: Vec<i64> =
            places.clone().flat_map(|query| places.clone().map(move |key| bucket(key - query))).collect();
        let buckets = Tensor::<2, Int>::from_data(TensorData::new(buckets, [seq_len, seq_len]), &self.device);
        let bias = embedding(self.table.clone(), buckets).permute([2, 0, 1]).unsqueeze::<4>();
        let Some(attend) = attend else { return bias };
        let [_, heads, ..] = bias.dims();
        let [batch, _] = attend.dims();
        let shape = [batch, heads, seq_len, seq_len];
        let left_out = attend.bool_not().reshape([batch, 1, 1, seq_len]).expand(shape);
        bias.expand(shape).mask_fill(left_out, LEFT_OUT)
    }
}

/// The class of a key that stands `distance` tokens after the query. Classes of more than one
/// distance begin at 8 · 2^(i/2).
fn bucket(distance: i64) -> i64 {
    let (half, exact) = (BUCKETS / 2, BUCKETS / 4);
    let apart = distance.abs();
    let class = if apart < exact {
        apart
    } else {
        let doubled = (apart * apart / (exact * exact)).ilog2();
        (exact + i64::from(doubled)).min(half - 1)
    };
    if distance > 0 { half + class } else { class }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{DeviceKind, ops};

    /// Values between -1 and 1 that no two places share by rule.
    fn values<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
        let value = |at: usize| ((at * 7919 + 17) % 1999) as f32 / 999.5 - 1.0;
        let values: Vec<f32> = (0..shape.iter().product()).map(value).collect();
        Tensor::from_data(TensorData::new(values, shape), device)
    }

    proptest! {
        #[test]
        fn padding_changes_nothing_on_either_backend(length in 1_usize..150, padding in 0_usize..150) {
            let (heads, head_size) = (2, 4);
            let width = heads * head_size;
            let run = |kind: DeviceKind, padding: usize| {
                let device = kind.open().unwrap();
                let seq_len = length + padding;
                let tokens = values([length, 3 * width], &device) * 3;
                let padded = Tensor::cat(vec![tokens, Tensor::ones([padding, 3 * width], &device) * 9], 0);
                let flags: Vec<bool> = (0..seq_len).map(|at| at < length).collect();
                let attend = (padding > 0)
                    .then(|| Tensor::<2, Bool>::from_data(TensorData::new(flags, [1, seq_len]), &device));
                let table = values([BUCKETS as usize, heads], &device) * 2;
                let bias = RelativeBias { table, device: device.clone() }.forward(seq_len, attend);
                let context = ops::biased_self_attention(padded, bias, 1, heads);
                context.narrow(0, 0, length).into_data().try_to_vec::<f32>().unwrap()
            };
            let alone = run(DeviceKind::Cpu, 0);
            for (kind, padding) in [(DeviceKind::Cpu, padding), (DeviceKind::Flex, 0), (DeviceKind::Flex, padding)] {
                let found = run(kind, padding);
                let worst = alone.iter().zip(&found).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                prop_assert!(worst < 1e-5 && found.iter().all(|value| value.is_finite()), "{kind}: {worst}");
            }
        }
    }

    #[test]
    fn distances_have_the_classes_of_the_reference() {
        // Where relative_position_bucket of transformers 5.23.0 changes, from -600 to 600.
        let first = [
            (-600, 15),
            (-90, 14),
            (-63, 13),
            (-45, 12),
            (-31, 11),
            (-22, 10),
            (-15, 9),
            (-11, 8),
            (-7, 7),
            (-6, 6),
            (-5, 5),
            (-4, 4),
            (-3, 3),
            (-2, 2),
            (-1, 1),
            (0, 0),
            (1, 17),
            (2, 18),
            (3, 19),
            (4, 20),
            (5, 21),
            (6, 22),
            (7, 23),
            (8, 24),
            (12, 25),
            (16, 26),
            (23, 27),
            (32, 28),
            (46, 29),
            (64, 30),
            (91, 31),
        ];
        for distance in -600..=600 {
            let (_, expected) = first.iter().rfind(|(from, _)| *from <= distance).unwrap();
            assert_eq!(bucket(distance), *expected, "{distance}");
        }
    }
}
