//! Token ids to the embedding output, hidden state 0.

use burn::tensor::{Device, Int, Tensor};

use crate::checkpoint::families::{Positions, TokenTypes};
use crate::checkpoint::weights::{Shapes, Weights};
use crate::model::input::ModelInput;
use crate::model::linear::Linear;
use crate::model::norm::LayerNorm;
use crate::{Compute, Config, Error};

/// `word_embeddings + position_embeddings + token_type_embeddings`, normalized, and projected where
/// they are not as wide as the hidden states.
pub(crate) struct Embeddings {
    word_embeddings: Tensor<2>,
    position_embeddings: Tensor<2>,
    positions: Positions,
    pad_token_id: u32,
    /// A single row is every token's.
    token_type_embeddings: Option<Tensor<2>>,
    layer_norm: LayerNorm,
    projection: Option<Linear>,
}

const PROJECTION: &str = "embeddings_project";

impl Embeddings {
    pub(crate) fn shapes(config: &Config, shapes: &mut Shapes) {
        let width = config.embedding_size();
        let rows = [
            ("word", config.vocab_size),
            ("position", config.max_position_embeddings),
            ("token_type", config.type_vocab_size),
        ];
        for (table, rows) in rows.into_iter().filter(|&(_, rows)| rows > 0) {
            shapes.insert(format!("embeddings.{table}_embeddings.weight"), vec![rows, width]);
        }
        LayerNorm::shapes("embeddings.LayerNorm", width, shapes);
        if width != config.hidden_size {
            Linear::shapes(PROJECTION, config.hidden_size, width, shapes);
        }
    }

    pub(crate) fn load(weights: &Weights, config: &Config, device: &Device) -> Result<Self, Error> {
        let types = || weights.load::<2>("embeddings.token_type_embeddings.weight", device);
        let projected = config.embedding_size() != config.hidden_size;
        Ok(Self {
            word_embeddings: weights.load("embeddings.word_embeddings.weight", device)?,
            position_embeddings: weights.load("embeddings.position_embeddings.weight", device)?,
            positions: config.family.positions,
            pad_token_id: config.pad_token_id,
            token_type_embeddings: match config.family.token_types {
                TokenTypes::OfTokenizer => Some(types()?),
                TokenTypes::First => Some(types()?.narrow(0, 0, 1)),
                TokenTypes::None => None,
            },
            layer_norm: LayerNorm::load("embeddings.LayerNorm", weights, config, device)?,
            projection: projected
                .then(|| Linear::load(PROJECTION, weights, device, Compute::Float32))
                .transpose()?,
        })
    }

    /// `[tokens, hidden_size]`
    pub(crate) fn forward(&self, input: &ModelInput) -> Tensor<2> {
        let of = |table: &Tensor<2>, ids: &Tensor<1, Int>| table.clone().select(0, ids.clone());
        let mut sum =
            of(&self.word_embeddings, &input.input_ids) + of(&self.position_embeddings, &input.position_ids);
        if let Some(types) = &self.token_type_embeddings {
            let one_for_all = types.dims()[0] == 1;
            sum = sum + if one_for_all { types.clone() } else { of(types, &input.token_type_ids) };
        }
        let embedded = self.layer_norm.forward(sum);
        match &self.projection {
            Some(projection) => projection.forward(embedded, &input.lengths),
            None => embedded,
        }
    }

    /// Which row of the position embeddings each token of a row gets.
    pub(crate) fn position_ids(&self, input_ids: &[u32]) -> Vec<i64> {
        self.positions.of(input_ids, self.pad_token_id)
    }
}
