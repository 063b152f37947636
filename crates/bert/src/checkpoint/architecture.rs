//! What an encoder computes, as data that the one encoder of `model` reads.

use serde_json::{Map, Value};

use crate::{Activation, Config};

/// What a family, or one configuration of it, computes otherwise than another, beside sizes.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Architecture {
    /// Where norms stand in a layer.
    pub(crate) norms: Norms,
    /// Whether norms have a bias.
    pub(crate) norm_bias: bool,
    /// Whether each token gets a row of position embeddings.
    pub(crate) position_embeddings: bool,
    pub(crate) projection: Projection,
    /// Whether query, key, value and the output of attention have a bias.
    pub(crate) attention_bias: bool,
    /// Whether the wide states of the feed-forward layer are multiplied with others, to which the
    /// activation then is applied in their place.
    pub(crate) gated: bool,
    /// Whether the wide states have a bias.
    pub(crate) wide_bias: bool,
    /// Whether the output of the feed-forward layer has a bias.
    pub(crate) narrow_bias: bool,
    pub(crate) relative: Relative,
    pub(crate) convolution: Option<Convolution>,
    /// In the order in which they compute.
    pub(crate) layers: Vec<Layer>,
    pub(crate) initialization: Initialization,
}

/// Where norms stand in a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Norms {
    /// After the sum with the residual.
    #[default]
    After,
    /// Before attention and before the feed-forward layer, and one after the last layer. The last
    /// hidden state is what comes out of that one.
    Before,
}

/// How embeddings become as wide as the hidden states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Projection {
    /// They are.
    #[default]
    None,
    /// By a layer with a bias, after their norm.
    AfterNorm,
    /// By a layer without a bias, before their norm.
    BeforeNorm,
}

/// What attention knows of how far two tokens are apart, beside rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Relative {
    #[default]
    Nothing,
    /// A learnt number for each class of distances and each head, the same in all layers.
    Bias,
    Disentangled(Disentangled),
}

/// Attention between content and embeddings of distances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Disentangled {
    /// The embeddings of distances, if there are any. Where there are none, scores are nevertheless
    /// scaled as if there were.
    pub(crate) embeddings: Option<Distances>,
    /// Whether content looks at distances.
    pub(crate) content_to_position: bool,
    /// Whether distances look at content.
    pub(crate) position_to_content: bool,
    /// Whether distances have no projections of their own but those of the content.
    pub(crate) shares_projections: bool,
    /// Whether there is a norm for the embeddings of distances, used or not.
    pub(crate) normalized: bool,
}

/// Which row of the embeddings a distance has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Distances {
    /// Rows for each direction.
    pub(crate) span: usize,
    /// The greatest distance, if distances come in classes of logarithmic width.
    pub(crate) farthest: Option<usize>,
}

/// A convolution over neighbouring tokens beside the first layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Convolution {
    /// How many tokens it sees, an odd number.
    pub(crate) width: usize,
    /// Into how many parts the hidden state is divided that do not see each other.
    pub(crate) groups: usize,
    pub(crate) activation: Activation,
}

/// An encoder layer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Layer {
    /// What the names of its tensors begin with. Layers of one name share them.
    pub(crate) name: String,
    /// How many tokens to either side attention reaches, if not all.
    pub(crate) span: Option<usize>,
    /// By which base queries and keys are rotated, if they are.
    pub(crate) rotation: Option<f64>,
    /// Whether it has the norm of its attention.
    pub(crate) has_attention_norm: bool,
}

/// How weights are drawn that no training has touched.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Initialization {
    /// None is farther from 0 than this many standard deviations, where that is bounded.
    pub(crate) cutoff: Option<f64>,
    /// By what the standard deviation of output layers is multiplied.
    pub(crate) outputs: f64,
    /// Whether the row of padding in the word embeddings is 0.
    pub(crate) zero_padding: bool,
}

impl Default for Initialization {
    fn default() -> Self {
        Self { cutoff: None, outputs: 1.0, zero_padding: true }
    }
}

impl Architecture {
    /// That of BERT.
    pub(crate) fn bert(config: &Config) -> Self {
        let projected = config.embedding_size() != config.hidden_size;
        Self {
            norm_bias: true,
            position_embeddings: true,
            projection: if projected { Projection::AfterNorm } else { Projection::None },
            attention_bias: true,
            wide_bias: true,
            narrow_bias: true,
            layers: (0..config.num_hidden_layers).map(|index| Layer::of(layer_name(index))).collect(),
            ..Self::default()
        }
    }

    /// Whether layers are of nothing but products, attention over all or some neighbours, and norms after sums.
    pub(crate) fn is_plain(&self) -> bool {
        let is_rotated = self.layers.iter().any(|layer| layer.rotation.is_some());
        self.norms == Norms::After
            && !self.gated
            && !is_rotated
            && self.relative == Relative::Nothing
            && self.convolution.is_none()
    }
}

impl Layer {
    /// One that attends to all tokens.
    pub(crate) fn of(name: String) -> Self {
        Self { name, span: None, rotation: None, has_attention_norm: true }
    }
}

pub(crate) fn layer_name(index: usize) -> String {
    format!("encoder.layer.{index}")
}

/// Why a configuration cannot be honoured.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// It contradicts itself.
    Invalid(String),
    /// It asks for something that is not computed here.
    Unsupported { key: &'static str, found: String, expected: String },
}

impl Refusal {
    pub(crate) fn unsupported(key: &'static str, found: impl ToString, expected: impl Into<String>) -> Self {
        Self::Unsupported { key, found: found.to_string(), expected: expected.into() }
    }
}

/// The keys of a `config.json` that one family alone knows.
pub(crate) fn keys<T: serde::de::DeserializeOwned>(json: &Map<String, Value>) -> Result<T, Refusal> {
    serde_json::from_value(Value::Object(json.clone())).map_err(|error| Refusal::Invalid(error.to_string()))
}
