//! Multi-head self-attention.

use burn::tensor::activation::softmax;
use burn::tensor::{Bool, Device, FloatDType, Tensor};

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

    /// How much each token looks at each other, `[batch, heads, seq_len, seq_len]`, computed beside
    /// [`SelfAttention::forward`], whose kernels keep none of it.
    pub(crate) fn weights(&self, hidden: Tensor<2>, batch: usize, scope: &Scope) -> Tensor<4> {
        let [tokens, hidden_size] = hidden.dims();
        let (seq_len, head_size) = (tokens / batch, hidden_size / self.heads);
        let projected = self.query_key_value.forward(hidden).cast(FloatDType::F32);
        let joint = projected.reshape([batch, seq_len, 3, self.heads, head_size]);
        let part = |index| {
            let part = joint.clone().narrow(2, index, 1).reshape([batch, seq_len, self.heads, head_size]);
            part.swap_dims(1, 2)
        };
        let scores = part(0).matmul(part(1).swap_dims(2, 3)) / (head_size as f32).sqrt();
        let scores = match scope {
            Scope::All => scores,
            Scope::Masked(attend) => {
                let left_out = attend.clone().bool_not().reshape([batch, 1, 1, seq_len]);
                scores.mask_fill(left_out.expand([batch, self.heads, seq_len, seq_len]), f32::NEG_INFINITY)
            }
            Scope::Biased(bias) => scores + bias.clone(),
        };
        softmax(scores, 3)
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
