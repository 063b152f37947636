//! What one module does.

use std::path::PathBuf;

use serde::Deserialize;

use crate::Activation;

/// What becomes of an encoder's states, step by step.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Step {
    /// Tokens to one vector: the modes' results one after the other.
    Pooling {
        modes: Vec<PoolingMode>,
        /// Whether the tokens of what stands before each text count.
        include_prompt: bool,
        /// The width that it expects; any where it does not say.
        dimension: Option<usize>,
    },
    Dense(Dense),
    /// To Euclidean length 1.
    Normalize(State),
    LayerNorm {
        folder: PathBuf,
        dimension: usize,
    },
}

/// A dense layer with an activation.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Dense {
    /// Where its weights are.
    pub(crate) folder: PathBuf,
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    pub(crate) bias: bool,
    pub(crate) activation: ModuleActivation,
    /// Whether its input, projected if need be, is added to its output.
    pub(crate) residual: bool,
    pub(crate) state: State,
}

/// What a module works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub(crate) enum State {
    /// The vector of every token.
    #[serde(rename = "token_embeddings")]
    Tokens,
    /// The vector of the text.
    #[default]
    #[serde(rename = "sentence_embedding")]
    Sentence,
}

/// How tokens become one vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PoolingMode {
    Cls,
    Max,
    Mean,
    /// The sum, divided by the square root of the count.
    MeanSqrtLenTokens,
    /// The mean, each token weighted by its place in the text, from 1.
    #[serde(rename = "weightedmean")]
    WeightedMean,
    #[serde(rename = "lasttoken")]
    LastToken,
}

/// The activation of a dense layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ModuleActivation {
    Identity,
    Sigmoid,
    /// One that encoders have too.
    OfEncoders(Activation),
}

impl ModuleActivation {
    /// As PyTorch's classes are called.
    pub(crate) const NAMES: [(&'static str, Self); 6] = [
        ("Identity", Self::Identity),
        ("Tanh", Self::OfEncoders(Activation::Tanh)),
        ("ReLU", Self::OfEncoders(Activation::Relu)),
        ("GELU", Self::OfEncoders(Activation::Gelu)),
        ("SiLU", Self::OfEncoders(Activation::Silu)),
        ("Sigmoid", Self::Sigmoid),
    ];

    /// The one that a class's full name in Python stands for.
    pub(crate) fn of_class(name: &str) -> Option<Self> {
        let class = name.strip_prefix("torch.nn.")?.rsplit('.').next()?;
        Self::NAMES.iter().find(|(name, _)| *name == class).map(|&(_, activation)| activation)
    }
}
