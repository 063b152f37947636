//! Token ids to the embedding output, hidden state 0.

use burn::tensor::module::{embedding, layer_norm};
use burn::tensor::{Device, Int, Tensor};

use crate::ops::Norm;
use crate::weights::{Shapes, Weights};
use crate::{Config, Error};

/// `word_embeddings + position_embeddings + token_type_embeddings`, normalized.
pub(crate) struct Embeddings {
    word_embeddings: Tensor<2>,
    position_embeddings: Tensor<2>,
    token_type_embeddings: Tensor<2>,
    layer_norm: LayerNorm,
}

impl Embeddings {
    pub(crate) fn shapes(config: &Config, shapes: &mut Shapes) {
        let rows = [
            ("word", config.vocab_size),
            ("position", config.max_position_embeddings),
            ("token_type", config.type_vocab_size),
        ];
        for (table, rows) in rows {
            shapes.insert(format!("embeddings.{table}_embeddings.weight"), vec![rows, config.hidden_size]);
        }
        LayerNorm::shapes("embeddings.LayerNorm", config, shapes);
    }

    pub(crate) fn load(weights: &Weights, config: &Config, device: &Device) -> Result<Self, Error> {
        Ok(Self {
            word_embeddings: weights.load("embeddings.word_embeddings.weight", device)?,
            position_embeddings: weights.load("embeddings.position_embeddings.weight", device)?,
            token_type_embeddings: weights.load("embeddings.token_type_embeddings.weight", device)?,
            layer_norm: LayerNorm::load("embeddings.LayerNorm", weights, config, device)?,
        })
    }

    /// `[batch, seq_len]` ids to `[batch, seq_len, hidden_size]`.
    pub(crate) fn forward(&self, input_ids: Tensor<2, Int>, token_type_ids: Tensor<2, Int>) -> Tensor<3> {
        let [_, seq_len] = input_ids.dims();
        let words = embedding(self.word_embeddings.clone(), input_ids);
        let types = embedding(self.token_type_embeddings.clone(), token_type_ids);
        let positions = self.position_embeddings.clone().narrow(0, 0, seq_len).unsqueeze();
        self.layer_norm.forward(words + positions + types)
    }
}

/// Layer norm over the last dimension, with the checkpoint's own epsilon.
pub(crate) struct LayerNorm(pub(crate) Norm);

impl LayerNorm {
    pub(crate) fn shapes(name: &str, config: &Config, shapes: &mut Shapes) {
        for part in ["weight", "bias"] {
            shapes.insert(format!("{name}.{part}"), vec![config.hidden_size]);
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
