//! Dense layers.

use burn::tensor::{Device, Tensor, activation};

use crate::checkpoint::weights::{Shapes, Weights};
use crate::model::norm::LayerNorm;
use crate::{Activation, Compute, Error, ops};

/// A dense layer.
pub(crate) struct Linear {
    weight: ops::Weight,
    bias: Tensor<1>,
}

impl Linear {
    pub(crate) fn shapes(name: &str, output: usize, input: usize, has_bias: bool, shapes: &mut Shapes) {
        shapes.insert(format!("{name}.weight"), vec![output, input]);
        if has_bias {
            shapes.insert(format!("{name}.bias"), vec![output]);
        }
    }

    pub(crate) fn load(
        name: &str,
        has_bias: bool,
        weights: &Weights,
        device: &Device,
        compute: Compute,
    ) -> Result<Self, Error> {
        Self::load_stacked(&[name.to_owned()], has_bias, weights, device, compute)
    }

    /// Several layers over the same input as one, their outputs side by side.
    pub(crate) fn load_stacked(
        names: &[String],
        has_bias: bool,
        weights: &Weights,
        device: &Device,
        compute: Compute,
    ) -> Result<Self, Error> {
        let values: Vec<_> =
            names.iter().map(|name| weights.values(&format!("{name}.weight"))).collect::<Result<_, _>>()?;
        let rows: Vec<&[f32]> =
            values.iter().flat_map(|(values, shape)| values.chunks_exact(shape[1])).collect();
        let bias = if has_bias {
            let bias = |name| weights.load(&format!("{name}.bias"), device);
            Tensor::cat(names.iter().map(bias).collect::<Result<_, _>>()?, 0)
        } else {
            Tensor::zeros([rows.len()], device)
        };
        Ok(Self::new(&rows, bias, compute))
    }

    /// One whose outputs have these rows of inputs' weights.
    pub(crate) fn new(rows: &[&[f32]], bias: Tensor<1>, compute: Compute) -> Self {
        Self { weight: ops::Weight::new(rows, &bias, compute), bias }
    }

    /// `[tokens, in]` to `[tokens, out]`.
    pub(crate) fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        ops::dense(input, &self.weight, self.bias.clone())
    }

    pub(crate) fn forward_activated(&self, input: Tensor<2>, activation: Activation) -> Tensor<2> {
        if activation == Activation::Gelu {
            return ops::dense_gelu(input, &self.weight, self.bias.clone());
        }
        activate(self.forward(input), activation)
    }

    /// `[tokens, in]` and a residual `[tokens, out]` to the sum.
    pub(crate) fn forward_add(&self, input: Tensor<2>, residual: Tensor<2>) -> Tensor<2> {
        ops::dense_add(input, &self.weight, self.bias.clone(), residual)
    }

    /// `[tokens, in]` and a residual `[tokens, out]` to the normalized sum.
    pub(crate) fn forward_add_norm(
        &self,
        input: Tensor<2>,
        residual: Tensor<2>,
        norm: &LayerNorm,
    ) -> Tensor<2> {
        ops::dense_add_norm(input, &self.weight, self.bias.clone(), residual, &norm.0)
    }
}

pub(crate) fn activate(values: Tensor<2>, activation: Activation) -> Tensor<2> {
    match activation {
        Activation::Gelu => activation::gelu(values),
        Activation::GeluNew => activation::gelu_approximate(values),
        Activation::Relu => activation::relu(values),
        Activation::Silu => activation::silu(values),
        Activation::Tanh => activation::tanh(values),
    }
}
