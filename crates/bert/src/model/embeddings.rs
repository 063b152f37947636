//! Token ids to the embedding output, hidden state 0.

use burn::tensor::{Device, Int, Tensor};

use crate::checkpoint::architecture::Projection;
use crate::checkpoint::families::{Positions, TokenTypes};
use crate::checkpoint::weights::{Shapes, Weights};
use crate::model::input::ModelInput;
use crate::model::linear::Linear;
use crate::model::norm::LayerNorm;
use crate::{Compute, Config, Error};

/// `word_embeddings + position_embeddings + token_type_embeddings`, as far as there are any,
/// normalized, and projected where they are not as wide as the hidden states.
pub(crate) struct Embeddings {
    word_embeddings: Tensor<2>,
    position_embeddings: Option<Tensor<2>>,
    positions: Positions,
    pad_token_id: u32,
    /// A single row is every token's.
    token_type_embeddings: Option<Tensor<2>>,
    layer_norm: LayerNorm,
    projection: Option<Linear>,
    projects_first: bool,
}

const PROJECTION: &str = "embeddings_project";

impl Embeddings {
    pub(crate) fn shapes(config: &Config, shapes: &mut Shapes) {
        let (width, hidden) = (config.embedding_size(), config.hidden_size);
        let architecture = &config.architecture;
        let positions = if architecture.position_embeddings { config.max_position_embeddings } else { 0 };
        let rows =
            [("word", config.vocab_size), ("position", positions), ("token_type", config.type_vocab_size)];
        for (table, rows) in rows.into_iter().filter(|&(_, rows)| rows > 0) {
            shapes.insert(format!("embeddings.{table}_embeddings.weight"), vec![rows, width]);
        }
        let (normalized, bias) = match architecture.projection {
            Projection::None => (width, None),
            Projection::AfterNorm => (width, Some(true)),
            Projection::BeforeNorm => (hidden, Some(false)),
        };
        LayerNorm::shapes("embeddings.LayerNorm", normalized, config, shapes);
        if let Some(has_bias) = bias {
            Linear::shapes(PROJECTION, hidden, width, has_bias, shapes);
        }
    }

    pub(crate) fn load(weights: &Weights, config: &Config, device: &Device) -> Result<Self, Error> {
        let table = |name| weights.load::<2>(&format!("embeddings.{name}_embeddings.weight"), device);
        let types = || table("token_type");
        let projection = config.architecture.projection;
        let projects_first = projection == Projection::BeforeNorm;
        let load = || Linear::load(PROJECTION, !projects_first, weights, device, Compute::Float32);
        Ok(Self {
            word_embeddings: table("word")?,
            position_embeddings: config
                .architecture
                .position_embeddings
                .then(|| table("position"))
                .transpose()?,
            positions: config.family.positions,
            pad_token_id: config.pad_token_id,
            token_type_embeddings: match config.family.token_types {
                _ if config.type_vocab_size == 0 => None,
                TokenTypes::OfTokenizer => Some(types()?),
                TokenTypes::None => None,
            },
            layer_norm: LayerNorm::load("embeddings.LayerNorm", weights, config, device)?,
            projection: (projection != Projection::None).then(load).transpose()?,
            projects_first,
        })
    }

    /// `[tokens, hidden_size]`
    pub(crate) fn forward(&self, input: &ModelInput) -> Tensor<2> {
        let of = |table: &Tensor<2>, ids: &Tensor<1, Int>| table.clone().select(0, ids.clone());
        let mut sum = of(&self.word_embeddings, &input.input_ids);
        if let Some(positions) = &self.position_embeddings {
            sum = sum + of(positions, &input.position_ids);
        }
        if let Some(types) = &self.token_type_embeddings {
            let one_for_all = types.dims()[0] == 1;
            sum = sum + if one_for_all { types.clone() } else { of(types, &input.token_type_ids) };
        }
        match &self.projection {
            None => self.layer_norm.forward(sum),
            Some(projection) if self.projects_first => self.layer_norm.forward(projection.forward(sum)),
            Some(projection) => projection.forward(self.layer_norm.forward(sum)),
        }
    }

    /// Which row of the position embeddings each token of a row gets.
    pub(crate) fn position_ids(&self, input_ids: &[u32]) -> Vec<i64> {
        self.positions.of(input_ids, self.pad_token_id)
    }
}
