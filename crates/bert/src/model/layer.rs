//! The encoder layers.

use burn::tensor::{Device, FloatDType, Tensor};

use crate::checkpoint::architecture::Layer;
use crate::checkpoint::weights::{Shapes, Weights};
use crate::model::attention::{Scope, SelfAttention};
use crate::model::linear::Linear;
use crate::model::residual::{Residual, ResidualShape};
use crate::{Activation, Compute, Config, Error};

/// One encoder layer: attention and feed-forward, each with residual and layer norm.
pub(crate) struct EncoderLayer {
    pub(crate) attention: SelfAttention,
    wide: Linear,
    /// What is activated in the place of `wide` and multiplied with it.
    gate: Option<Linear>,
    activation: Activation,
    residual: Residual,
}

const WIDE: &str = "intermediate.dense";
const GATE: &str = "intermediate.gate";

impl EncoderLayer {
    pub(crate) fn shapes(layer: &Layer, config: &Config, shapes: &mut Shapes) {
        let (name, architecture) = (&layer.name, &config.architecture);
        SelfAttention::shapes(layer, config, shapes);
        let (wide, hidden) = (config.intermediate_size, config.hidden_size);
        for input in if architecture.gated { vec![WIDE, GATE] } else { vec![WIDE] } {
            let input = format!("{name}.{input}");
            Linear::shapes(&input, wide, hidden, architecture.wide_bias, shapes);
        }
        Residual::shapes(name, Self::residual(config), config, shapes);
    }

    pub(crate) fn load(
        layer: &Layer,
        weights: &Weights,
        config: &Config,
        device: &Device,
        compute: Compute,
    ) -> Result<Self, Error> {
        let (name, architecture) = (&layer.name, &config.architecture);
        let linear = |input: &str| {
            let (name, has_bias) = (format!("{name}.{input}"), architecture.wide_bias);
            Linear::load(&name, has_bias, weights, device, compute)
        };
        Ok(Self {
            attention: SelfAttention::load(layer, weights, config, device, compute)?,
            wide: linear(WIDE)?,
            gate: architecture.gated.then(|| linear(GATE)).transpose()?,
            activation: config.hidden_act,
            residual: Residual::load(name, Self::residual(config), weights, config, device, compute)?,
        })
    }

    fn residual(config: &Config) -> ResidualShape {
        let has_bias = config.architecture.narrow_bias;
        ResidualShape { input: config.intermediate_size, has_bias, has_norm: true }
    }

    /// `[tokens, hidden_size]` to the same shape.
    pub(crate) fn forward(&self, hidden: Tensor<2>, scope: &Scope) -> Tensor<2> {
        let hidden = self.attention.forward(hidden, scope);
        let begun = self.residual.begin(hidden.clone());
        let wide = match &self.gate {
            None => self.wide.forward_activated(begun, self.activation),
            Some(gate) => {
                let gate = gate.forward_activated(begun.clone(), self.activation);
                gate.cast(FloatDType::F32) * self.wide.forward(begun).cast(FloatDType::F32)
            }
        };
        self.residual.end(wide, hidden)
    }
}
