//! Attention that depends on how far two tokens are apart.

use burn::tensor::module::embedding;
use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::checkpoint::architecture::Relative;
use crate::checkpoint::weights::{Shapes, Weights};
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

const NAME: &str = "encoder.relative_attention_bias.weight";

/// As many classes as that code makes, whatever the configuration states: half for each direction,
/// and half of those for one distance each.
const BUCKETS: i64 = 32;

impl RelativeBias {
    pub(crate) fn shapes(config: &Config, shapes: &mut Shapes) {
        if config.architecture.relative == Relative::Bias {
            shapes.insert(NAME.to_owned(), vec![BUCKETS as usize, config.num_attention_heads]);
        }
    }

    /// None in families without it.
    pub(crate) fn load(weights: &Weights, config: &Config, device: &Device) -> Result<Option<Self>, Error> {
        let load = || Ok(Self { table: weights.load(NAME, device)?, device: device.clone() });
        (config.architecture.relative == Relative::Bias).then(load).transpose()
    }

    /// `[heads, len, len]`, of which shorter rows use the beginning.
    pub(crate) fn forward(&self, len: usize) -> Tensor<3> {
        let places = 0..len as i64;
        let buckets: Vec<i64> =
            places.clone().flat_map(|query| places.clone().map(move |key| bucket(key - query))).collect();
        let buckets = Tensor::<2, Int>::from_data(TensorData::new(buckets, [len, len]), &self.device);
        embedding(self.table.clone(), buckets).permute([2, 0, 1])
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
    use super::*;

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
