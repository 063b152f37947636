//! Multi-head self-attention.

use burn::tensor::activation::softmax;
use burn::tensor::{Device, FloatDType, Tensor};

use crate::checkpoint::architecture::Layer;
use crate::checkpoint::weights::{Shapes, Weights};
use crate::model::linear::Linear;
use crate::model::position::{Disentangled, Rotation};
use crate::model::residual::{Residual, ResidualShape};
use crate::ops::layout::{Block, Window, blocks};
use crate::{Compute, Config, Error, ops};

/// Self-attention with its output projection, residual and norm.
pub(crate) struct SelfAttention {
    /// Query, key and value in one product: `[3 · hidden_size, hidden_size]`.
    query_key_value: Linear,
    residual: Residual,
    heads: usize,
    /// How many tokens to either side are seen, if not all.
    span: Option<usize>,
    /// By which base queries and keys are rotated, if they are.
    rotation: Option<f64>,
    disentangled: Option<Disentangled>,
}

/// What the tokens of a batch attend to: those of their own row.
pub(crate) struct Scope<'a> {
    /// Tokens of each row.
    pub(crate) lengths: &'a [usize],
    /// `[heads, longest, longest]`, added to the scores.
    pub(crate) bias: Option<Tensor<3>>,
    /// One for each base.
    pub(crate) rotations: Vec<Rotation>,
}

impl SelfAttention {
    pub(crate) fn shapes(layer: &Layer, config: &Config, shapes: &mut Shapes) {
        let (hidden, architecture) = (config.hidden_size, &config.architecture);
        for name in input_names(layer) {
            Linear::shapes(&name, hidden, hidden, architecture.attention_bias, shapes);
        }
        Disentangled::shapes(&layer.name, config, shapes);
        Residual::shapes(&part_name(layer), Self::residual(layer, config), config, shapes);
    }

    pub(crate) fn load(
        layer: &Layer,
        weights: &Weights,
        config: &Config,
        device: &Device,
        compute: Compute,
    ) -> Result<Self, Error> {
        let (names, has_bias) = (input_names(layer), config.architecture.attention_bias);
        let residual = Self::residual(layer, config);
        Ok(Self {
            query_key_value: Linear::load_stacked(&names, has_bias, weights, device, compute)?,
            residual: Residual::load(&part_name(layer), residual, weights, config, device, compute)?,
            heads: config.num_attention_heads,
            span: layer.span,
            rotation: layer.rotation,
            disentangled: Disentangled::load(&layer.name, weights, config, device)?,
        })
    }

    fn residual(layer: &Layer, config: &Config) -> ResidualShape {
        let has_bias = config.architecture.attention_bias;
        ResidualShape { input: config.hidden_size, has_bias, has_norm: layer.has_attention_norm }
    }

    /// How much each token looks at each other, `[rows, heads, len, len]` of each block of rows of
    /// one length; computed beside [`SelfAttention::forward`], whose kernels keep none of it.
    pub(crate) fn weights(&self, hidden: Tensor<2>, scope: &Scope) -> Vec<Tensor<4>> {
        let projected = self.projected(self.residual.begin(hidden), scope).cast(FloatDType::F32);
        let of_block = |block: Block| {
            let [query, key, _] = block.heads_of(&projected, self.heads);
            if let Some(disentangled) = &self.disentangled {
                return disentangled.weights(query, key, 0..block.len);
            }
            let head_size = query.dims()[3];
            let mut scores = query.matmul(key.swap_dims(2, 3)) / (head_size as f32).sqrt();
            if let Some(bias) = scope.bias.clone() {
                scores = scores + bias.narrow(1, 0, block.len).narrow(2, 0, block.len).unsqueeze();
            }
            if let Some(span) = self.span.filter(|&span| block.len > span.saturating_add(1)) {
                scores =
                    scores.clone() + Tensor::from_data(Window::whole(block.len).mask(span), &scores.device());
            }
            softmax(scores, 3)
        };
        blocks(scope.lengths).map(of_block).collect()
    }

    /// `[tokens, hidden_size]` to the same shape.
    pub(crate) fn forward(&self, hidden: Tensor<2>, scope: &Scope) -> Tensor<2> {
        let projected = self.projected(self.residual.begin(hidden.clone()), scope);
        let context = match &self.disentangled {
            Some(disentangled) => disentangled.attend(projected, scope.lengths, self.heads),
            None => ops::self_attention(projected, scope.bias.clone(), self.span, scope.lengths, self.heads),
        };
        self.residual.end(context, hidden)
    }

    /// Query, key and value of each token, side by side, as attention takes them.
    fn projected(&self, hidden: Tensor<2>, scope: &Scope) -> Tensor<2> {
        let projected = self.query_key_value.forward(hidden);
        let rotation = scope.rotations.iter().find(|rotation| Some(rotation.base) == self.rotation);
        match rotation {
            Some(rotation) => rotation.rotate(projected, self.heads),
            None => projected,
        }
    }
}

fn part_name(layer: &Layer) -> String {
    format!("{}.attention", layer.name)
}

fn input_names(layer: &Layer) -> [String; 3] {
    ["query", "key", "value"].map(|input| format!("{}.attention.self.{input}", layer.name))
}
