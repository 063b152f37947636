//! The model: embeddings, as many encoder layers as are needed, the pooler if it is.

use burn::tensor::{Bool, Device, Int, Tensor};

use crate::attention::Scope;
use crate::checkpoint::WeightSource;
use crate::embeddings::Embeddings;
use crate::encoder::{EncoderLayer, Linear};
use crate::random_weights::RandomWeights;
use crate::relative::RelativeBias;
use crate::weights::{Shapes, Weights};
use crate::{Checkpoint, Compute, Config, Error};

/// An encoder of any family whose parameters lie on one device.
pub(crate) struct BertModel {
    embeddings: Embeddings,
    relative_bias: Option<RelativeBias>,
    layers: Vec<EncoderLayer>,
    pooler: Option<Linear>,
    hidden_size: usize,
}

/// A batch on the device.
pub(crate) struct ModelInput {
    /// `[batch, seq_len]`
    pub(crate) input_ids: Tensor<2, Int>,
    /// `[batch, seq_len]`
    pub(crate) token_type_ids: Tensor<2, Int>,
    /// `[batch, seq_len]`, true for tokens and false for padding; absent where nothing is padded.
    pub(crate) attention_mask: Option<Tensor<2, Bool>>,
}

const POOLER: &str = "pooler.dense";
const POOLER_WEIGHT: &str = "pooler.dense.weight";
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
        let layer = |index| EncoderLayer::load(index, &weights, config, device, compute);
        Ok(Self {
            embeddings: Embeddings::load(&weights, config, device)?,
            relative_bias: RelativeBias::load(&weights, config, device)?,
            layers: (0..num_layers).map(layer).collect::<Result<_, _>>()?,
            pooler: with_pooler
                .then(|| Linear::load(POOLER, &weights, device, Compute::Float32))
                .transpose()?,
            hidden_size: config.hidden_size,
        })
    }

    /// Shows every hidden state, `[batch, seq_len, hidden_size]`, to `visit` with its number, from
    /// 0 (the embedding output) to the highest loaded layer, and returns the last.
    pub(crate) fn forward(&self, input: ModelInput, mut visit: impl FnMut(usize, &Tensor<3>)) -> Tensor<3> {
        let [batch, seq_len] = input.input_ids.dims();
        let mut state = self.embeddings.forward(input.input_ids, input.token_type_ids);
        visit(0, &state);
        let scope = self.scope(seq_len, input.attention_mask);
        for (index, layer) in self.layers.iter().enumerate() {
            // Folded to two dimensions: a product over three is a slow batched one.
            let hidden = state.reshape([batch * seq_len, self.hidden_size]);
            state = layer.forward(hidden, batch, &scope).reshape([batch, seq_len, self.hidden_size]);
            visit(index + 1, &state);
        }
        state
    }

    /// The attention of encoder layer `layer`, from 1, over the state below it:
    /// `[batch, heads, seq_len, seq_len]`.
    pub(crate) fn attention_weights(
        &self,
        layer: usize,
        below: &Tensor<3>,
        attention_mask: Option<Tensor<2, Bool>>,
    ) -> Tensor<4> {
        let [batch, seq_len, hidden_size] = below.dims();
        let hidden = below.clone().reshape([batch * seq_len, hidden_size]);
        self.layers[layer - 1].attention.weights(hidden, batch, &self.scope(seq_len, attention_mask))
    }

    fn scope(&self, seq_len: usize, attention_mask: Option<Tensor<2, Bool>>) -> Scope {
        match (&self.relative_bias, attention_mask) {
            (Some(bias), mask) => Scope::Biased(bias.forward(seq_len, mask)),
            (None, Some(mask)) => Scope::Masked(mask),
            (None, None) => Scope::All,
        }
    }

    /// The pooler's output, `[batch, hidden_size]`, from the last layer's hidden state; `None` if
    /// the pooler was not loaded.
    pub(crate) fn pooler_output(&self, last: &Tensor<3>) -> Option<Tensor<2>> {
        let first_token = last.clone().narrow(1, 0, 1).squeeze_dim::<2>(1);
        self.pooler.as_ref().map(|pooler| pooler.forward(first_token).tanh())
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
        Linear::shapes(POOLER, config.hidden_size, config.hidden_size, &mut pooler);
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
    for index in 0..config.num_hidden_layers {
        EncoderLayer::shapes(index, config, &mut shapes);
    }
    shapes
}
