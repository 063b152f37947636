//! Multi-head self-attention.

use burn::tensor::{Bool, Device, Tensor};

use crate::embeddings::LayerNorm;
use crate::encoder::Linear;
use crate::weights::{Shapes, Weights};
use crate::{Compute, Config, Error, ops};

/// Self-attention with its output projection, residual and norm.
pub(crate) struct SelfAttention {
    /// Query, key and value in one product: `[3 · hidden_size, hidden_size]`.
    query_key_value: Linear,
    output: Linear,
    output_norm: LayerNorm,
    heads: usize,
}

/// What each token of a batch attends to.
pub(crate) enum Scope {
    /// Every token of its row.
    All,
    /// As [`ops::self_attention`] takes it.
    Masked(Tensor<2, Bool>),
    /// As [`ops::biased_self_attention`] takes it.
    Biased(Tensor<4>),
}

const PROJECTIONS: [&str; 3] = ["query", "key", "value"];

impl SelfAttention {
    pub(crate) fn shapes(name: &str, config: &Config, shapes: &mut Shapes) {
        let hidden = config.hidden_size;
        for projection in PROJECTIONS {
            Linear::shapes(&format!("{name}.self.{projection}"), hidden, hidden, shapes);
        }
        Linear::shapes(&format!("{name}.output.dense"), hidden, hidden, shapes);
        LayerNorm::shapes(&format!("{name}.output.LayerNorm"), hidden, shapes);
    }

    pub(crate) fn load(
        name: &str,
        weights: &Weights,
        config: &Config,
        device: &Device,
        compute: Compute,
    ) -> Result<Self, Error> {
        let names = PROJECTIONS.map(|projection| format!("{name}.self.{projection}"));
        Ok(Self {
            query_key_value: Linear::load_stacked(&names, weights, device, compute)?,
            output: Linear::load(&format!("{name}.output.dense"), weights, device, compute)?,
            output_norm: LayerNorm::load(&format!("{name}.output.LayerNorm"), weights, config, device)?,
            heads: config.num_attention_heads,
        })
    }

    /// `[batch · seq_len, hidden_size]` to the same shape.
    pub(crate) fn forward(&self, hidden: Tensor<2>, batch: usize, scope: &Scope) -> Tensor<2> {
        let projected = self.query_key_value.forward(hidden.clone());
        let context = match scope {
            Scope::All => ops::self_attention(projected, None, batch, self.heads),
            Scope::Masked(attend) => ops::self_attention(projected, Some(attend.clone()), batch, self.heads),
            Scope::Biased(bias) => ops::biased_self_attention(projected, bias.clone(), batch, self.heads),
        };
        self.output.forward_add_norm(context, hidden, &self.output_norm)
    }
}
