//! What the two parts of an encoder layer have in common.

use burn::tensor::{Device, Tensor};

use crate::checkpoint::architecture::Norms;
use crate::checkpoint::weights::{Shapes, Weights};
use crate::model::linear::Linear;
use crate::model::norm::LayerNorm;
use crate::{Compute, Config, Error};

/// The end of a part of a layer, its output layer and the sum with what the part began with; and the
/// part's norm, which stands at its beginning or at its end.
pub(crate) struct Residual {
    output: Linear,
    norm: Option<LayerNorm>,
    norms: Norms,
}

/// What a [`Residual`] is made of, beside its name.
#[derive(Clone, Copy)]
pub(crate) struct ResidualShape {
    /// Width of what the output layer takes.
    pub(crate) input: usize,
    pub(crate) has_bias: bool,
    pub(crate) has_norm: bool,
}

impl Residual {
    pub(crate) fn shapes(name: &str, shape: ResidualShape, config: &Config, shapes: &mut Shapes) {
        let hidden = config.hidden_size;
        Linear::shapes(&format!("{name}.output.dense"), hidden, shape.input, shape.has_bias, shapes);
        if shape.has_norm {
            LayerNorm::shapes(&format!("{name}.output.LayerNorm"), hidden, config, shapes);
        }
    }

    pub(crate) fn load(
        name: &str,
        shape: ResidualShape,
        weights: &Weights,
        config: &Config,
        device: &Device,
        compute: Compute,
    ) -> Result<Self, Error> {
        let norm = || LayerNorm::load(&format!("{name}.output.LayerNorm"), weights, config, device);
        Ok(Self {
            output: Linear::load(&format!("{name}.output.dense"), shape.has_bias, weights, device, compute)?,
            norm: shape.has_norm.then(norm).transpose()?,
            norms: config.architecture.norms,
        })
    }

    /// What the part works on, `[tokens, hidden_size]`, of what comes in.
    pub(crate) fn begin(&self, hidden: Tensor<2>) -> Tensor<2> {
        match (self.norms, &self.norm) {
            (Norms::Before, Some(norm)) => norm.forward(hidden),
            (Norms::Before, None) | (Norms::After, _) => hidden,
        }
    }

    /// The sum with `hidden`, which came in, of what the part made of it, `[tokens, input]`.
    pub(crate) fn end(&self, made: Tensor<2>, hidden: Tensor<2>) -> Tensor<2> {
        match (self.norms, &self.norm) {
            (Norms::After, Some(norm)) => self.output.forward_add_norm(made, hidden, norm),
            (Norms::Before, _) | (Norms::After, None) => self.output.forward_add(made, hidden),
        }
    }
}
