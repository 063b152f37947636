//! The encoder layers.

use burn::tensor::{Bool, Device, Tensor, activation};

use crate::attention::SelfAttention;
use crate::config::Activation;
use crate::embeddings::LayerNorm;
use crate::weights::{Shapes, Weights};
use crate::{Config, Error, ops};

/// One encoder layer: attention and feed-forward, each followed by residual and layer norm.
pub(crate) struct EncoderLayer {
    attention: SelfAttention,
    attention_norm: LayerNorm,
    intermediate: Linear,
    activation: Activation,
    output: Linear,
    output_norm: LayerNorm,
}

impl EncoderLayer {
    pub(crate) fn shapes(index: usize, config: &Config, shapes: &mut Shapes) {
        let name = layer_name(index);
        SelfAttention::shapes(&format!("{name}.attention"), config, shapes);
        LayerNorm::shapes(&format!("{name}.attention.output.LayerNorm"), config, shapes);
        let (hidden, wide) = (config.hidden_size, config.intermediate_size);
        Linear::shapes(&format!("{name}.intermediate.dense"), wide, hidden, shapes);
        Linear::shapes(&format!("{name}.output.dense"), hidden, wide, shapes);
        LayerNorm::shapes(&format!("{name}.output.LayerNorm"), config, shapes);
    }

    pub(crate) fn load(
        index: usize,
        weights: &Weights,
        config: &Config,
        device: &Device,
    ) -> Result<Self, Error> {
        let name = layer_name(index);
        let norm = |part: &str| LayerNorm::load(&format!("{name}.{part}"), weights, config, device);
        let linear = |part: &str| Linear::load(&format!("{name}.{part}"), weights, device);
        Ok(Self {
            attention: SelfAttention::load(&format!("{name}.attention"), weights, config, device)?,
            attention_norm: norm("attention.output.LayerNorm")?,
            intermediate: linear("intermediate.dense")?,
            activation: config.hidden_act,
            output: linear("output.dense")?,
            output_norm: norm("output.LayerNorm")?,
        })
    }

    /// `[batch · seq_len, hidden_size]` to the same shape.
    pub(crate) fn forward(
        &self,
        hidden: Tensor<2>,
        batch: usize,
        attend: Option<Tensor<4, Bool>>,
    ) -> Tensor<2> {
        let attended = self.attention.forward(hidden.clone(), batch, attend);
        let hidden = self.attention_norm.forward(attended + hidden);
        let wide = activate(self.activation, self.intermediate.forward(hidden.clone()));
        self.output_norm.forward(self.output.forward(wide) + hidden)
    }
}

fn layer_name(index: usize) -> String {
    format!("encoder.layer.{index}")
}

fn activate(activation: Activation, input: Tensor<2>) -> Tensor<2> {
    match activation {
        Activation::Gelu => activation::gelu(input),
        Activation::GeluNew => activation::gelu_approximate(input),
        Activation::Relu => activation::relu(input),
        Activation::Silu => activation::silu(input),
        Activation::Tanh => activation::tanh(input),
    }
}

/// A dense layer with bias. The weight is `[out, in]`, as checkpoints store it.
pub(crate) struct Linear {
    weight: Tensor<2>,
    bias: Tensor<1>,
}

impl Linear {
    pub(crate) fn shapes(name: &str, output: usize, input: usize, shapes: &mut Shapes) {
        shapes.insert(format!("{name}.weight"), vec![output, input]);
        shapes.insert(format!("{name}.bias"), vec![output]);
    }

    pub(crate) fn load(name: &str, weights: &Weights, device: &Device) -> Result<Self, Error> {
        Self::load_stacked(&[name.to_owned()], weights, device)
    }

    /// Several layers over the same input as one, their outputs side by side.
    pub(crate) fn load_stacked(names: &[String], weights: &Weights, device: &Device) -> Result<Self, Error> {
        let part = |name: &String| {
            Ok((
                weights.load(&format!("{name}.weight"), device)?,
                weights.load(&format!("{name}.bias"), device)?,
            ))
        };
        let parts: Result<Vec<(Tensor<2>, Tensor<1>)>, Error> = names.iter().map(part).collect();
        let (weight, bias): (Vec<_>, Vec<_>) = parts?.into_iter().unzip();
        Ok(Self { weight: Tensor::cat(weight, 0), bias: Tensor::cat(bias, 0) })
    }

    /// `[rows, in]` to `[rows, out]`.
    pub(crate) fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        ops::linear(input, self.weight.clone(), self.bias.clone())
    }
}
