//! Dense layers.

use burn::tensor::{Device, Tensor, activation};

use crate::checkpoint::weights::{Shapes, Weights};
use crate::model::norm::LayerNorm;
use crate::{Activation, Compute, Error, ops};

/// A dense layer with bias.
pub(crate) struct Linear {
    weight: ops::Weight,
    bias: Tensor<1>,
}

impl Linear {
    pub(crate) fn shapes(name: &str, output: usize, input: usize, shapes: &mut Shapes) {
        shapes.insert(format!("{name}.weight"), vec![output, input]);
        shapes.insert(format!("{name}.bias"), vec![output]);
    }

    pub(crate) fn load(
        name: &str,
        weights: &Weights,
        device: &Device,
        compute: Compute,
    ) -> Result<Self, Error> {
        Self::load_stacked(&[name.to_owned()], weights, device, compute)
    }

    /// Several layers over the same input as one, their outputs side by side.
    pub(crate) fn load_stacked(
        names: &[String],
        weights: &Weights,
        device: &Device,
        compute: Compute,
    ) -> Result<Self, Error> {
        let values: Vec<_> =
            names.iter().map(|name| weights.values(&format!("{name}.weight"))).collect::<Result<_, _>>()?;
        let rows: Vec<&[f32]> =
            values.iter().flat_map(|(values, shape)| values.chunks_exact(shape[1])).collect();
        let bias = names
            .iter()
            .map(|name| weights.load(&format!("{name}.bias"), device))
            .collect::<Result<_, _>>()?;
        let bias = Tensor::cat(bias, 0);
        Ok(Self { weight: ops::Weight::new(&rows, &bias, compute), bias })
    }

    /// `[tokens, in]` to `[tokens, out]`; `lengths` are the tokens of each text.
    pub(crate) fn forward(&self, input: Tensor<2>, lengths: &[usize]) -> Tensor<2> {
        ops::dense(input, lengths, &self.weight, self.bias.clone())
    }

    pub(crate) fn forward_activated(
        &self,
        input: Tensor<2>,
        lengths: &[usize],
        activation: Activation,
    ) -> Tensor<2> {
        if activation == Activation::Gelu {
            return ops::dense_gelu(input, lengths, &self.weight, self.bias.clone());
        }
        let output = self.forward(input, lengths);
        match activation {
            Activation::Gelu => activation::gelu(output),
            Activation::GeluNew => activation::gelu_approximate(output),
            Activation::Relu => activation::relu(output),
            Activation::Silu => activation::silu(output),
            Activation::Tanh => activation::tanh(output),
        }
    }

    /// `[tokens, in]` and a residual `[tokens, out]` to the normalized sum.
    pub(crate) fn forward_add_norm(
        &self,
        input: Tensor<2>,
        lengths: &[usize],
        residual: Tensor<2>,
        norm: &LayerNorm,
    ) -> Tensor<2> {
        ops::dense_add_norm(input, lengths, &self.weight, self.bias.clone(), residual, &norm.0)
    }
}
