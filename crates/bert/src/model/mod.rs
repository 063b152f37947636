//! The model: embeddings, as many encoder layers as are needed, the pooler if it is.

pub(crate) mod attention;
mod convolution;
pub(crate) mod embeddings;
pub(crate) mod input;
pub(crate) mod layer;
pub(crate) mod linear;
pub(crate) mod norm;
pub(crate) mod position;
mod residual;

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use burn::tensor::{Device, Tensor};

use crate::checkpoint::WeightSource;
use crate::checkpoint::architecture::Norms;
use crate::checkpoint::random_weights::RandomWeights;
use crate::checkpoint::weights::{Shapes, Weights};
use crate::model::attention::Scope;
use crate::model::convolution::Convolution;
use crate::model::embeddings::Embeddings;
use crate::model::input::ModelInput;
use crate::model::layer::EncoderLayer;
use crate::model::linear::Linear;
use crate::model::norm::LayerNorm;
use crate::model::position::{Disentangled, RelativeBias, Rotation};
use crate::ops::layout::{Block, blocks};
use crate::{Checkpoint, Compute, Config, Encoding, Error};

/// An encoder of any family whose parameters lie on one device.
pub(crate) struct BertModel {
    embeddings: Embeddings,
    relative_bias: Option<RelativeBias>,
    /// By which bases layers rotate, each once.
    rotations: Vec<f64>,
    head_size: usize,
    convolution: Option<Convolution>,
    /// Each once, and then which of them compute, in this order.
    layers: Vec<EncoderLayer>,
    order: Vec<usize>,
    /// After the last layer of all.
    final_norm: Option<LayerNorm>,
    pooler: Option<Linear>,
    device: Device,
}

const POOLER: &str = "pooler.dense";
const POOLER_WEIGHT: &str = "pooler.dense.weight";
const FINAL_NORM: &str = "final.LayerNorm";
/// More than any encoder has: 16 GiB of them.
const MOST_RANDOM_WEIGHTS: usize = 1 << 32;

impl BertModel {
    /// Checks names and shapes of all of the checkpoint's tensors; reads none of them.
    pub(crate) fn check(checkpoint: &Checkpoint, with_pooler: bool) -> Result<(), Error> {
        checked_weights(checkpoint, with_pooler).map(drop)
    }

    /// Checks all of the checkpoint's tensors and loads the first `num_layers` encoder layers, and
    /// the pooler only if `with_pooler`.
    pub(crate) fn load(
        checkpoint: &Checkpoint,
        num_layers: usize,
        with_pooler: bool,
        device: &Device,
        compute: Compute,
    ) -> Result<Self, Error> {
        let config = &checkpoint.config;
        let weights = checked_weights(checkpoint, with_pooler)?;
        // First, as nothing else is as large while it is read.
        let embeddings = Embeddings::load(&weights, config, device)?;
        let (mut layers, mut places, mut order) = (Vec::new(), HashMap::new(), Vec::new());
        let mut rotations = Vec::new();
        for layer in &config.architecture.layers[..num_layers] {
            let place = match places.entry(layer.name.as_str()) {
                Entry::Occupied(place) => *place.get(),
                Entry::Vacant(place) => {
                    layers.push(EncoderLayer::load(layer, &weights, config, device, compute)?);
                    *place.insert(layers.len() - 1)
                }
            };
            order.push(place);
            rotations.extend(layer.rotation.filter(|base| !rotations.contains(base)));
        }
        let is_whole = num_layers == config.num_hidden_layers;
        let ends_in_norm = config.architecture.norms == Norms::Before && is_whole;
        Ok(Self {
            embeddings,
            relative_bias: RelativeBias::load(&weights, config, device)?,
            rotations,
            head_size: config.head_size(),
            convolution: Convolution::load(&weights, config, device, compute)?,
            layers,
            order,
            final_norm: ends_in_norm
                .then(|| LayerNorm::load(FINAL_NORM, &weights, config, device))
                .transpose()?,
            pooler: with_pooler
                .then(|| Linear::load(POOLER, true, &weights, device, Compute::Float32))
                .transpose()?,
            device: device.clone(),
        })
    }

    /// Brings rows to the model's device.
    pub(crate) fn input(&self, rows: &[&Encoding]) -> ModelInput {
        ModelInput::new(rows, |input_ids| self.embeddings.position_ids(input_ids), &self.device)
    }

    /// Shows every hidden state, `[tokens, hidden_size]`, to `visit` with its number, from 0 (the
    /// embedding output) to the highest loaded layer, and returns the last.
    pub(crate) fn forward(&self, input: &ModelInput, mut visit: impl FnMut(usize, &Tensor<2>)) -> Tensor<2> {
        let mut state = self.embeddings.forward(input);
        visit(0, &state);
        let scope = self.scope(input);
        for (index, &place) in self.order.iter().enumerate() {
            let below = (index == 0).then(|| state.clone());
            state = self.layers[place].forward(state, &scope);
            if let (Some(convolution), Some(below)) = (&self.convolution, below) {
                state = convolution.forward(&below, state, &input.lengths);
            }
            if let (Some(norm), true) = (&self.final_norm, index + 1 == self.order.len()) {
                state = norm.forward(state);
            }
            visit(index + 1, &state);
        }
        state
    }

    /// The attention of encoder layer `layer`, from 1, over the state below it:
    /// `[rows, heads, len, len]` of each block of rows of one length.
    pub(crate) fn attention_weights(
        &self,
        layer: usize,
        below: &Tensor<2>,
        input: &ModelInput,
    ) -> Vec<Tensor<4>> {
        self.layers[self.order[layer - 1]].attention.weights(below.clone(), &self.scope(input))
    }

    fn scope<'a>(&self, input: &'a ModelInput) -> Scope<'a> {
        let lengths = &input.lengths;
        let longest = lengths.iter().copied().max().unwrap_or(0);
        let rotation =
            |&base: &f64| Rotation::new(base, self.head_size, &input.position_ids, longest, &self.device);
        Scope {
            lengths,
            bias: self.relative_bias.as_ref().map(|bias| bias.forward(longest)),
            rotations: self.rotations.iter().map(rotation).collect(),
        }
    }

    /// The pooler's output, `[rows, hidden_size]`, from the last layer's hidden state; `None` if the
    /// pooler was not loaded.
    pub(crate) fn pooler_output(&self, last: &Tensor<2>, lengths: &[usize]) -> Option<Tensor<2>> {
        let pooler = self.pooler.as_ref()?;
        let first_token = |block: Block| block.of(last).narrow(1, 0, 1).squeeze_dim::<2>(1);
        let first_tokens = Tensor::cat(blocks(lengths).map(first_token).collect(), 0);
        Some(pooler.forward(first_tokens).tanh())
    }
}

fn checked_weights(checkpoint: &Checkpoint, with_pooler: bool) -> Result<Weights, Error> {
    let config = &checkpoint.config;
    if with_pooler && !config.family.has_pooler {
        let family = config.model_type();
        return Err(Error::Combination(format!("pooling is pooler, but models of type {family} have none")));
    }
    let (expected, mut pooler) = (encoder_shapes(config), Shapes::new());
    if config.family.has_pooler {
        Linear::shapes(POOLER, config.hidden_size, config.hidden_size, true, &mut pooler);
    }
    let weights = match checkpoint.weights() {
        WeightSource::Files(files) => Weights::open(files, config.family, checkpoint.weights_name())?,
        WeightSource::Random(seed) => {
            refuse_absurd_size(&expected)?;
            Weights::random(RandomWeights::new(*seed, config), config.family, &[&expected, &pooler])
        }
    };
    if with_pooler && !weights.contains(POOLER_WEIGHT) {
        let path = checkpoint.weights_name().display();
        return Err(Error::Combination(format!("pooling is pooler, but {path} holds no `{POOLER_WEIGHT}`")));
    }
    weights.check(&expected, &pooler)?;
    Ok(weights)
}

/// No file bounds what is drawn at random.
fn refuse_absurd_size(shapes: &Shapes) -> Result<(), Error> {
    let count = |shape: &Vec<usize>| shape.iter().try_fold(1_usize, |count, &size| count.checked_mul(size));
    let total = shapes.values().try_fold(0_usize, |total, shape| total.checked_add(count(shape)?));
    if total.is_some_and(|total| total <= MOST_RANDOM_WEIGHTS) {
        return Ok(());
    }
    Err(Error::Combination(format!(
        "the configuration implies more weights than are made at random, {MOST_RANDOM_WEIGHTS}"
    )))
}

fn encoder_shapes(config: &Config) -> Shapes {
    let mut shapes = Shapes::new();
    Embeddings::shapes(config, &mut shapes);
    RelativeBias::shapes(config, &mut shapes);
    Disentangled::shared_shapes(config, &mut shapes);
    Convolution::shapes(config, &mut shapes);
    for layer in &config.architecture.layers {
        EncoderLayer::shapes(layer, config, &mut shapes);
    }
    if config.architecture.norms == Norms::Before {
        LayerNorm::shapes(FINAL_NORM, config.hidden_size, config, &mut shapes);
    }
    shapes
}
