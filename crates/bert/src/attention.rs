//! Multi-head self-attention.

use burn::tensor::{Bool, Device, Tensor};

use crate::encoder::Linear;
use crate::weights::{Shapes, Weights};
use crate::{Config, Error, ops};

/// Self-attention up to and with its output projection, without the residual.
pub(crate) struct SelfAttention {
    /// Query, key and value in one product: `[3 · hidden_size, hidden_size]`.
    query_key_value: Linear,
    output: Linear,
    heads: usize,
    head_size: usize,
}

const PROJECTIONS: [&str; 3] = ["query", "key", "value"];

impl SelfAttention {
    pub(crate) fn shapes(name: &str, config: &Config, shapes: &mut Shapes) {
        let hidden = config.hidden_size;
        for projection in PROJECTIONS {
            Linear::shapes(&format!("{name}.self.{projection}"), hidden, hidden, shapes);
        }
        Linear::shapes(&format!("{name}.output.dense"), hidden, hidden, shapes);
    }

    pub(crate) fn load(
        name: &str,
        weights: &Weights,
        config: &Config,
        device: &Device,
    ) -> Result<Self, Error> {
        let names = PROJECTIONS.map(|projection| format!("{name}.self.{projection}"));
        Ok(Self {
            query_key_value: Linear::load_stacked(&names, weights, device)?,
            output: Linear::load(&format!("{name}.output.dense"), weights, device)?,
            heads: config.num_attention_heads,
            head_size: config.head_size(),
        })
    }

    /// `[batch · seq_len, hidden_size]` to the same shape; `attend` as in [`ops::attention`].
    pub(crate) fn forward(
        &self,
        hidden: Tensor<2>,
        batch: usize,
        attend: Option<Tensor<4, Bool>>,
    ) -> Tensor<2> {
        let [tokens, hidden_size] = hidden.dims();
        let seq_len = tokens / batch;
        // [batch · seq_len, 3 · hidden] → 3 × [batch, heads, seq_len, head_size], without a copy.
        let projected =
            self.query_key_value.forward(hidden).reshape([batch, seq_len, 3, self.heads, self.head_size]);
        let part = |index: usize| projected.clone().narrow(2, index, 1).squeeze_dim::<4>(2).swap_dims(1, 2);
        let context = ops::attention(part(0), part(1), part(2), attend);
        self.output.forward(context.swap_dims(1, 2).reshape([tokens, hidden_size]))
    }
}
