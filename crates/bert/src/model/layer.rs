//! The encoder layers.

use burn::tensor::{Device, Tensor};

use crate::checkpoint::weights::{Shapes, Weights};
use crate::model::attention::{Scope, SelfAttention};
use crate::model::linear::Linear;
use crate::model::norm::LayerNorm;
use crate::{Activation, Compute, Config, Error};

/// One encoder layer: attention and feed-forward, each followed by residual and layer norm.
pub(crate) struct EncoderLayer {
    pub(crate) attention: SelfAttention,
    intermediate: Linear,
    activation: Activation,
    output: Linear,
    output_norm: LayerNorm,
}

impl EncoderLayer {
    pub(crate) fn shapes(index: usize, config: &Config, shapes: &mut Shapes) {
        let name = layer_name(index);
        SelfAttention::shapes(&format!("{name}.attention"), config, shapes);
        let (hidden, wide) = (config.hidden_size, config.intermediate_size);
        Linear::shapes(&format!("{name}.intermediate.dense"), wide, hidden, shapes);
        Linear::shapes(&format!("{name}.output.dense"), hidden, wide, shapes);
        LayerNorm::shapes(&format!("{name}.output.LayerNorm"), hidden, shapes);
    }

    pub(crate) fn load(
        index: usize,
        weights: &Weights,
        config: &Config,
        device: &Device,
        compute: Compute,
    ) -> Result<Self, Error> {
        let name = layer_name(index);
        let linear = |part: &str| Linear::load(&format!("{name}.{part}"), weights, device, compute);
        Ok(Self {
            attention: SelfAttention::load(&format!("{name}.attention"), weights, config, device, compute)?,
            intermediate: linear("intermediate.dense")?,
            activation: config.hidden_act,
            output: linear("output.dense")?,
            output_norm: LayerNorm::load(&format!("{name}.output.LayerNorm"), weights, config, device)?,
        })
    }

    /// `[tokens, hidden_size]` to the same shape.
    pub(crate) fn forward(&self, hidden: Tensor<2>, scope: &Scope) -> Tensor<2> {
        let lengths = scope.lengths;
        let hidden = self.attention.forward(hidden, scope);
        let wide = self.intermediate.forward_activated(hidden.clone(), lengths, self.activation);
        self.output.forward_add_norm(wide, lengths, hidden, &self.output_norm)
    }
}

fn layer_name(index: usize) -> String {
    format!("encoder.layer.{index}")
}
