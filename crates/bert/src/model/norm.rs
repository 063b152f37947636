//! Layer norm.

use burn::tensor::module::layer_norm;
use burn::tensor::{Device, Tensor};

use crate::checkpoint::weights::{Shapes, Weights};
use crate::ops::Norm;
use crate::{Config, Error};

/// Layer norm over the last dimension, with the checkpoint's own epsilon.
pub(crate) struct LayerNorm(pub(crate) Norm);

impl LayerNorm {
    pub(crate) fn shapes(name: &str, width: usize, config: &Config, shapes: &mut Shapes) {
        shapes.insert(format!("{name}.weight"), vec![width]);
        if config.architecture.norm_bias {
            shapes.insert(format!("{name}.bias"), vec![width]);
        }
    }

    pub(crate) fn load(
        name: &str,
        weights: &Weights,
        config: &Config,
        device: &Device,
    ) -> Result<Self, Error> {
        let weight = weights.load::<1>(&format!("{name}.weight"), device)?;
        let bias = if config.architecture.norm_bias {
            weights.load(&format!("{name}.bias"), device)?
        } else {
            weight.zeros_like()
        };
        Ok(Self(Norm { weight, bias, epsilon: config.layer_norm_eps }))
    }

    pub(crate) fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        layer_norm(input, self.0.weight.clone(), Some(self.0.bias.clone()), self.0.epsilon)
    }
}
