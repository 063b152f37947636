//! Weights that no training has touched, from a seed: what a probe finds in them is in the
//! architecture and the tokens, not in what the model has learnt.

use chacha20::ChaCha8Rng;
use chacha20::rand_core::SeedableRng;
use rand_distr::{Distribution, StandardNormal};
use sha2::{Digest, Sha256};

use crate::Config;
use crate::checkpoint::architecture::Initialization;
use crate::checkpoint::families::Positions;

/// Initializes as transformers does: matrices and tables normally distributed around 0, biases 0,
/// norms 1, padding's row of a table 0; where the family says so, nothing is far from 0, output layers
/// are closer to it, and padding has a row as any token.
///
/// Each tensor has a generator of its own, seeded by the seed and its name, so a layer's weights do
/// not depend on which others are made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RandomWeights {
    seed: u32,
    standard_deviation: f32,
    pad_token_id: usize,
    pads_positions: bool,
    initialization: Initialization,
    sines: bool,
}

const POSITIONS: &str = "embeddings.position_embeddings.weight";
/// What transformers takes for a stated 0.
const DEFAULT_RANGE: f32 = 0.02;

impl RandomWeights {
    pub(crate) fn new(seed: u32, config: &Config) -> Self {
        let range = config.initializer_range as f32;
        Self {
            seed,
            standard_deviation: if range == 0.0 { DEFAULT_RANGE } else { range },
            pad_token_id: config.pad_token_id as usize,
            pads_positions: config.family.positions == Positions::AfterPadding,
            initialization: config.architecture.initialization,
            sines: config.sinusoidal_pos_embds,
        }
    }

    /// Values of the tensor that our modules call `name`, row-major.
    pub(crate) fn values(&self, name: &str, shape: &[usize]) -> Vec<f32> {
        let count = shape.iter().product();
        if name.ends_with(".bias") {
            return vec![0.0; count];
        }
        if name.ends_with("LayerNorm.weight") {
            return vec![1.0; count];
        }
        if self.sines && name == POSITIONS {
            return sines(shape);
        }
        let mut generator = self.generator(name);
        let Initialization { cutoff, outputs, zero_padding } = self.initialization;
        let scale = if name.ends_with("output.dense.weight") { outputs as f32 } else { 1.0 };
        let draw = || {
            let mut value: f32 = StandardNormal.sample(&mut generator);
            while cutoff.is_some_and(|cutoff| f64::from(value.abs()) > cutoff) {
                value = StandardNormal.sample(&mut generator);
            }
            value * (self.standard_deviation * scale)
        };
        let mut values: Vec<f32> = std::iter::repeat_with(draw).take(count).collect();
        let padded = match name {
            "embeddings.word_embeddings.weight" => zero_padding,
            POSITIONS => self.pads_positions,
            _ => false,
        };
        if let (true, [_, width]) = (padded, shape) {
            values[self.pad_token_id * width..][..*width].fill(0.0);
        }
        values
    }

    fn generator(&self, name: &str) -> ChaCha8Rng {
        let seed = Sha256::new().chain_update(self.seed.to_le_bytes()).chain_update(name);
        ChaCha8Rng::from_seed(seed.finalize().into())
    }
}

/// For each position the sines and cosines of its angles at falling frequencies, in turn, as in "Attention Is
/// All You Need".
fn sines(shape: &[usize]) -> Vec<f32> {
    let width = shape.last().copied().unwrap_or_default();
    let value = |index: usize| {
        let (position, place) = ((index / width) as f64, index % width);
        let angle = position / 10_000_f64.powf((place - place % 2) as f64 / width as f64);
        (if place % 2 == 0 { angle.sin() } else { angle.cos() }) as f32
    };
    (0..shape.iter().product()).map(value).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::*;

    const WORDS: &str = "embeddings.word_embeddings.weight";

    fn config(model_type: &str, range: f64) -> Config {
        let config = json!({
            "model_type": model_type, "vocab_size": 500, "hidden_size": 64, "num_hidden_layers": 2,
            "num_attention_heads": 4, "intermediate_size": 256, "max_position_embeddings": 40,
            "pad_token_id": 1, "initializer_range": range,
        });
        Config::parse(&config.to_string(), Path::new("config.json")).unwrap()
    }

    fn values(seed: u32, name: &str, shape: &[usize]) -> Vec<f32> {
        RandomWeights::new(seed, &config("bert", 0.05)).values(name, shape)
    }

    #[test]
    fn matrices_and_tables_are_normally_distributed() {
        for (range, expected) in [(0.05, 0.05), (0.0, 0.02)] {
            let random = RandomWeights::new(3, &config("bert", range));
            for name in
                ["encoder.layer.1.intermediate.dense.weight", "embeddings.token_type_embeddings.weight"]
            {
                let values: Vec<f64> = random.values(name, &[256, 64]).into_iter().map(f64::from).collect();
                let moment =
                    |power| values.iter().map(|value| value.powi(power)).sum::<f64>() / values.len() as f64;
                // With 16384 values the errors of these are about 0.008, 0.006 and 0.08 of their unit.
                assert!(moment(1).abs() < 0.04 * expected, "{name}: mean {}", moment(1));
                assert!((moment(2).sqrt() / expected - 1.0).abs() < 0.03, "{name}: {}", moment(2).sqrt());
                assert!((moment(4) / moment(2).powi(2) - 3.0).abs() < 0.4, "{name}: kurtosis");
            }
        }
    }

    #[test]
    fn biases_are_0_norms_1_and_the_row_of_padding_0() {
        assert!(values(3, "encoder.layer.0.output.dense.bias", &[64]).iter().all(|&value| value == 0.0));
        assert!(values(3, "embeddings.LayerNorm.bias", &[64]).iter().all(|&value| value == 0.0));
        assert!(values(3, "embeddings.LayerNorm.weight", &[64]).iter().all(|&value| value == 1.0));
        let zero_rows = |model_type, name, rows| {
            let table = RandomWeights::new(3, &config(model_type, 0.02)).values(name, &[rows, 64]);
            let zero = |row: &[f32]| row.iter().all(|&value| value == 0.0);
            table.chunks(64).enumerate().filter(|(_, row)| zero(row)).map(|(row, _)| row).collect::<Vec<_>>()
        };
        assert_eq!(zero_rows("bert", WORDS, 500), [1]);
        assert!(zero_rows("bert", "embeddings.position_embeddings.weight", 40).is_empty());
        assert_eq!(zero_rows("roberta", "embeddings.position_embeddings.weight", 40), [1]);
    }

    #[test]
    fn positions_of_distilbert_may_be_sines() {
        let positions = |sines: bool| {
            let config = json!({
                "model_type": "distilbert", "vocab_size": 9, "dim": 6, "n_layers": 1, "n_heads": 2,
                "hidden_dim": 8, "max_position_embeddings": 4, "sinusoidal_pos_embds": sines,
            });
            let config = Config::parse(&config.to_string(), Path::new("config.json")).unwrap();
            RandomWeights::new(3, &config).values("embeddings.position_embeddings.weight", &[4, 6])
        };
        // As `DistilBertModel` of transformers 5 has them.
        let expected = [
            [0.0, 1.0, 0.0, 1.0, 0.0, 1.0],
            [0.841_471, 0.540_302, 0.046_399, 0.998_923, 0.002_154, 0.999_998],
            [0.909_297, -0.416_147, 0.092_699, 0.995_694, 0.004_309, 0.999_991],
            [0.141_120, -0.989_992, 0.138_798, 0.990_321, 0.006_463, 0.999_979],
        ];
        for (found, expected) in positions(true).iter().zip(expected.as_flattened()) {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
        assert!(positions(false)[0] != 0.0);
        let bert = json!({"model_type": "bert", "sinusoidal_pos_embds": true});
        let bert = Config::parse(&bert.to_string(), Path::new("config.json")).unwrap();
        assert!(!bert.sinusoidal_pos_embds, "BERT knows no such key");
    }

    #[test]
    fn a_family_may_cut_them_and_have_narrower_outputs_and_no_row_of_zeros() {
        let random = RandomWeights::new(3, &config("modernbert", 0.05));
        for (name, range) in [
            ("encoder.layer.1.attention.self.query.weight", 0.05),
            ("encoder.layer.1.attention.output.dense.weight", 0.025),
            ("encoder.layer.1.output.dense.weight", 0.025),
            (WORDS, 0.05),
        ] {
            let values = random.values(name, &[500, 64]);
            let farthest = values.iter().fold(0.0, |farthest: f32, value| farthest.max(value.abs()));
            assert!(farthest <= 2.0 * range && farthest > 1.98 * range, "{name}: {farthest}");
            // What remains of a normal distribution that is cut at two deviations.
            let expected = f64::from(range) * 0.8796;
            let square = values.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>() / 32_000.0;
            assert!((square.sqrt() / expected - 1.0).abs() < 0.02, "{name}: {}", square.sqrt());
            assert!(values[64..128].iter().all(|&value| value != 0.0), "{name}: the row of padding");
        }
    }

    #[test]
    fn a_tensor_follows_from_the_seed_and_its_name() {
        let shape = [20, 64];
        assert_eq!(values(3, WORDS, &shape), values(3, WORDS, &shape));
        assert_ne!(values(3, WORDS, &shape), values(4, WORDS, &shape));
        assert_ne!(values(3, WORDS, &shape), values(3, "embeddings.token_type_embeddings.weight", &shape));
        // Held down so that an output can still be made again with a later version.
        let first: Vec<f32> = values(3, "encoder.layer.0.output.dense.weight", &[2, 2]);
        assert_eq!(first, [0.028231842, -0.018593509, -0.08875864, 0.014198809]);
    }
}
