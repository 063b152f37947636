//! Token ids to the embedding output, hidden state 0.

use burn::tensor::module::{embedding, layer_norm};
use burn::tensor::{Device, Int, Tensor};

use crate::encoder::Linear;
use crate::family::{Positions, TokenTypes};
use crate::ops::Norm;
use crate::weights::{Shapes, Weights};
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
    hidden_size: usize,
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
            hidden_size: config.hidden_size,
        })
    }

    /// `[batch, seq_len]` ids to `[batch, seq_len, hidden_size]`.
    pub(crate) fn forward(&self, input_ids: Tensor<2, Int>, token_type_ids: Tensor<2, Int>) -> Tensor<3> {
        let [batch, seq_len] = input_ids.dims();
        let positions = self.positions(&input_ids);
        let mut sum = embedding(self.word_embeddings.clone(), input_ids) + positions;
        if let Some(types) = self.token_type_embeddings.clone() {
            let one_for_all = types.dims()[0] == 1;
            sum = sum + if one_for_all { types.unsqueeze() } else { embedding(types, token_type_ids) };
        }
        let embedded = self.layer_norm.forward(sum);
        let Some(projection) = &self.projection else { return embedded };
        let [_, _, width] = embedded.dims();
        let projected = projection.forward(embedded.reshape([batch * seq_len, width]));
        projected.reshape([batch, seq_len, self.hidden_size])
    }

    /// `[batch, seq_len, width]`, or one row for the whole batch.
    fn positions(&self, input_ids: &Tensor<2, Int>) -> Tensor<3> {
        let table = self.position_embeddings.clone();
        match self.positions {
            Positions::FromZero => table.narrow(0, 0, input_ids.dims()[1]).unsqueeze(),
            Positions::AfterPadding => {
                let counts = input_ids.clone().not_equal_elem(self.pad_token_id).int();
                embedding(table, counts.clone().cumsum(1) * counts + self.pad_token_id)
            }
        }
    }
}

/// Layer norm over the last dimension, with the checkpoint's own epsilon.
pub(crate) struct LayerNorm(pub(crate) Norm);

impl LayerNorm {
    pub(crate) fn shapes(name: &str, width: usize, shapes: &mut Shapes) {
        for part in ["weight", "bias"] {
            shapes.insert(format!("{name}.{part}"), vec![width]);
        }
    }

    pub(crate) fn load(
        name: &str,
        weights: &Weights,
        config: &Config,
        device: &Device,
    ) -> Result<Self, Error> {
        Ok(Self(Norm {
            weight: weights.load(&format!("{name}.weight"), device)?,
            bias: weights.load(&format!("{name}.bias"), device)?,
            epsilon: config.layer_norm_eps,
        }))
    }

    pub(crate) fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        layer_norm(input, self.0.weight.clone(), Some(self.0.bias.clone()), self.0.epsilon)
    }
}
