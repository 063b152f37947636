//! Multi-head self-attention.

use burn::tensor::activation::softmax;
use burn::tensor::{Device, FloatDType, Tensor};

use crate::checkpoint::weights::{Shapes, Weights};
use crate::model::linear::Linear;
use crate::model::norm::LayerNorm;
use crate::ops::layout::{Block, blocks};
use crate::{Compute, Config, Error, ops};

/// Self-attention with its output projection, residual and norm.
pub(crate) struct SelfAttention {
    /// Query, key and value in one product: `[3 · hidden_size, hidden_size]`.
    query_key_value: Linear,
    output: Linear,
    output_norm: LayerNorm,
    heads: usize,
}

/// What the tokens of a batch attend to: those of their own row.
pub(crate) struct Scope<'a> {
    /// Tokens of each row.
    pub(crate) lengths: &'a [usize],
    /// `[heads, longest, longest]`, added to the scores.
    pub(crate) bias: Option<Tensor<3>>,
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

    /// How much each token looks at each other, `[rows, heads, len, len]` of each block of rows of
    /// one length; computed beside [`SelfAttention::forward`], whose kernels keep none of it.
    pub(crate) fn weights(&self, hidden: Tensor<2>, scope: &Scope) -> Vec<Tensor<4>> {
        let head_size = hidden.dims()[1] / self.heads;
        let projected = self.query_key_value.forward(hidden, scope.lengths).cast(FloatDType::F32);
        let of_block = |block: Block| {
            let Block { rows, len, .. } = block;
            let joint = block.of(&projected).reshape([rows, len, 3, self.heads, head_size]);
            let part = |index| {
                let part = joint.clone().narrow(2, index, 1).reshape([rows, len, self.heads, head_size]);
                part.swap_dims(1, 2)
            };
            let scores = part(0).matmul(part(1).swap_dims(2, 3)) / (head_size as f32).sqrt();
            let bias = scope.bias.clone().map(|bias| bias.narrow(1, 0, len).narrow(2, 0, len).unsqueeze());
            softmax(if let Some(bias) = bias { scores + bias } else { scores }, 3)
        };
        blocks(scope.lengths).map(of_block).collect()
    }

    /// `[tokens, hidden_size]` to the same shape.
    pub(crate) fn forward(&self, hidden: Tensor<2>, scope: &Scope) -> Tensor<2> {
        let projected = self.query_key_value.forward(hidden.clone(), scope.lengths);
        let context = ops::self_attention(projected, scope.bias.clone(), scope.lengths, self.heads);
        self.output.forward_add_norm(context, scope.lengths, hidden, &self.output_norm)
    }
}
