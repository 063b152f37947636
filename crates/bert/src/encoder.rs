//! The encoder layers.

use burn::tensor::{Device, Tensor, activation};

use crate::attention::{Scope, SelfAttention};
use crate::config::Activation;
use crate::embeddings::LayerNorm;
use crate::weights::{Shapes, Weights};
use crate::{Compute, Config, Error, ops};

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

    fn forward_activated(&self, input: Tensor<2>, lengths: &[usize], activation: Activation) -> Tensor<2> {
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
