//! The last layer's states to sentence vectors, by the modules of a sentence-transformers folder.

use burn::tensor::{Device, Tensor, activation};

use crate::checkpoint::WeightSource;
use crate::checkpoint::families::Family;
use crate::checkpoint::files::WeightFiles;
use crate::checkpoint::sentence::{Dense, ModuleActivation, PoolingMode, State, Step};
use crate::checkpoint::weights::{Shapes, Weights};
use crate::model::linear::{Linear, activate};
use crate::model::norm::LayerNorm;
use crate::ops::layout::{Block, blocks};
use crate::request::Sentence;
use crate::{Checkpoint, Compute, Config, Error, ops};

/// Modules whose weights lie on one device, in float32.
pub(crate) struct SentenceHead {
    modules: Vec<Module>,
    prefix_tokens: usize,
    width: usize,
}

enum Module {
    Pooling { modes: Vec<PoolingMode>, include_prompt: bool },
    Dense(Box<DenseLayer>, State),
    Normalize(State),
    LayerNorm(Box<LayerNorm>),
}

struct DenseLayer {
    linear: Linear,
    activation: ModuleActivation,
    /// Whether the input is added to the output, by way of `projection` if there is one.
    is_residual: bool,
    projection: Option<Linear>,
}

impl DenseLayer {
    fn load(dense: &Dense, weights: &Weights, device: &Device) -> Result<Self, Error> {
        let is_projected = dense.residual && dense.inputs != dense.outputs;
        let projection =
            is_projected.then(|| Linear::load("residual", false, weights, device, Compute::Float32));
        Ok(Self {
            linear: Linear::load("linear", dense.bias, weights, device, Compute::Float32)?,
            activation: dense.activation,
            is_residual: dense.residual,
            projection: projection.transpose()?,
        })
    }

    fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        let output = activated(self.linear.forward(input.clone()), self.activation);
        match &self.projection {
            Some(projection) => output + projection.forward(input),
            None if self.is_residual => output + input,
            None => output,
        }
    }
}

/// PyTorch's defaults, which the modules' files do not state.
const LAYER_NORM_EPSILON: f64 = 1e-5;
const LEAST_LENGTH: f32 = 1e-12;

impl SentenceHead {
    /// Checks names and shapes of the modules' weights; reads none of them.
    pub(crate) fn check(checkpoint: &Checkpoint, sentence: &Sentence) -> Result<(), Error> {
        if sentence.modules.has_weights() && matches!(checkpoint.weights(), WeightSource::Random(_)) {
            return Err(Error::Combination(
                "pooling is sentence, and the folder's modules were trained: they do not go with random weights".to_owned(),
            ));
        }
        sentence.modules.steps.iter().try_for_each(|step| weights(step).map(drop))
    }

    /// Loads the modules of `sentence`.
    pub(crate) fn load(sentence: &Sentence, config: &Config, device: &Device) -> Result<Self, Error> {
        let module = |step: &Step| {
            let weights = weights(step)?;
            Ok(match (step, &weights) {
                (Step::Dense(dense), Some(weights)) => {
                    Module::Dense(Box::new(DenseLayer::load(dense, weights, device)?), dense.state)
                }
                (Step::LayerNorm { .. }, Some(weights)) => {
                    Module::LayerNorm(Box::new(LayerNorm(ops::Norm {
                        weight: weights.load("norm.weight", device)?,
                        bias: weights.load("norm.bias", device)?,
                        epsilon: LAYER_NORM_EPSILON,
                    })))
                }
                (Step::Normalize(state), _) => Module::Normalize(*state),
                (Step::Pooling { modes, include_prompt, .. }, _) => {
                    Module::Pooling { modes: modes.clone(), include_prompt: *include_prompt }
                }
                (Step::Dense(_) | Step::LayerNorm { .. }, None) => {
                    return Err(Error::Backend("a module's weights were not opened".to_owned()));
                }
            })
        };
        let modules = sentence.modules.steps.iter().map(module).collect::<Result<_, Error>>()?;
        Ok(Self { modules, prefix_tokens: sentence.prefix_tokens, width: sentence.width(config)? })
    }

    /// `[tokens, hidden_size]` of rows that lie end to end to `[rows, width]`.
    pub(crate) fn forward(&self, last: &Tensor<2>, lengths: &[usize]) -> Tensor<2> {
        let (mut tokens, mut sentence) = (last.clone(), None);
        for module in &self.modules {
            match module {
                Module::Pooling { modes, include_prompt } => {
                    let left_out = if *include_prompt { 0 } else { self.prefix_tokens };
                    sentence = Some(pool(modes, &tokens, lengths, left_out));
                }
                Module::Dense(dense, State::Tokens) => tokens = dense.forward(tokens),
                Module::Dense(dense, State::Sentence) => {
                    sentence = sentence.map(|vectors| dense.forward(vectors));
                }
                Module::Normalize(State::Tokens) => tokens = normalized(tokens),
                Module::Normalize(State::Sentence) => sentence = sentence.map(normalized),
                Module::LayerNorm(norm) => sentence = sentence.map(|vectors| norm.forward(vectors)),
            }
        }
        // There is one: its width is known.
        sentence.unwrap_or(tokens).narrow(1, 0, self.width)
    }
}

/// The weights of a module that has some, each with its shape.
fn weights(step: &Step) -> Result<Option<Weights>, Error> {
    let mut shapes = Shapes::new();
    let folder = match step {
        Step::Pooling { .. } | Step::Normalize(_) => return Ok(None),
        Step::Dense(Dense { folder, inputs, outputs, bias, residual, .. }) => {
            Linear::shapes("linear", *outputs, *inputs, *bias, &mut shapes);
            if *residual && inputs != outputs {
                Linear::shapes("residual", *outputs, *inputs, false, &mut shapes);
            }
            folder
        }
        Step::LayerNorm { folder, dimension } => {
            shapes.extend(["norm.weight", "norm.bias"].map(|name| (name.to_owned(), vec![*dimension])));
            folder
        }
    };
    let files = WeightFiles::find(folder, None)?;
    let name = if let [file] = files.paths.as_slice() { file } else { folder };
    let weights = Weights::open(&files, Family::bert(), name)?;
    weights.check(&shapes, &Shapes::new())?;
    Ok(Some(weights))
}

fn activated(vectors: Tensor<2>, activation: ModuleActivation) -> Tensor<2> {
    match activation {
        ModuleActivation::Identity => vectors,
        ModuleActivation::Sigmoid => activation::sigmoid(vectors),
        ModuleActivation::OfEncoders(activation) => activate(vectors, activation),
    }
}

fn normalized(vectors: Tensor<2>) -> Tensor<2> {
    let length = vectors.clone().square().sum_dim(1).sqrt().clamp_min(LEAST_LENGTH);
    vectors / length
}

/// `[tokens, width]` to `[rows, modes · width]`; of each row the first `left_out` tokens do not count.
fn pool(modes: &[PoolingMode], tokens: &Tensor<2>, lengths: &[usize], left_out: usize) -> Tensor<2> {
    let of_block = |block: Block| {
        let states = block.of(tokens);
        let modes = modes.iter().map(|&mode| pool_block(mode, &states, left_out.min(block.len)));
        Tensor::cat(modes.collect(), 1)
    };
    Tensor::cat(blocks(lengths).map(of_block).collect(), 0)
}

/// `[rows, len, width]` to `[rows, width]`.
fn pool_block(mode: PoolingMode, states: &Tensor<3>, left_out: usize) -> Tensor<2> {
    let [rows, len, width] = states.dims();
    let token = |index| states.clone().narrow(1, index, 1).squeeze_dim::<2>(1);
    let count = len - left_out;
    if count == 0 {
        // A prompt may have more tokens alone than before a text; then sentence-transformers has these.
        return match mode {
            PoolingMode::Cls => token(0),
            PoolingMode::Max => Tensor::full([rows, width], f32::NEG_INFINITY, &states.device()),
            _ => Tensor::zeros([rows, width], &states.device()),
        };
    }
    let counted = states.clone().narrow(1, left_out, count);
    match mode {
        PoolingMode::Cls => token(left_out),
        PoolingMode::LastToken => token(len - 1),
        PoolingMode::Max => counted.max_dim(1).squeeze_dim(1),
        PoolingMode::Mean => counted.mean_dim(1).squeeze_dim(1),
        PoolingMode::MeanSqrtLenTokens => counted.sum_dim(1).squeeze_dim::<2>(1) / (count as f32).sqrt(),
        PoolingMode::WeightedMean => {
            let places: Vec<f32> = (left_out + 1..=len).map(|place| place as f32).collect();
            let total: f32 = places.iter().sum();
            let weights = Tensor::<1>::from_floats(places.as_slice(), &states.device());
            let weights = weights.reshape([1, 1, count]).expand([rows, 1, count]);
            weights.matmul(counted).squeeze_dim::<2>(1) / total
        }
    }
}
