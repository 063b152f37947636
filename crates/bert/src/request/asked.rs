//! What is asked of a model, before it is held against one.

use crate::request::Sentence;
use crate::{Combine, LayerSelection, Pooling, Unit};

/// What the user asks for, before it is held against a model.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureRequest {
    /// What one vector stands for.
    pub unit: Unit,
    /// The layers.
    pub layers: LayerSelection,
    /// The poolings, none for tokens; each gives vectors of its own.
    pub pooling: Vec<Pooling>,
    /// What becomes of several layers.
    pub combine: Combine,
    /// Whether each vector is brought to Euclidean length 1.
    pub normalize: bool,
    /// Whether tokens that the tokenizer added count in mean, max and min.
    pub count_special_tokens: bool,
    /// Whether figures of the chosen layers' attention follow the vectors, one a head; of rows only.
    pub attentions: bool,
    /// What [`Pooling::Sentence`] gives, where that is among the poolings.
    pub sentence: Option<Sentence>,
}

impl Default for FeatureRequest {
    /// The mean of the last layer's tokens.
    fn default() -> Self {
        Self {
            unit: Unit::Row,
            layers: LayerSelection::List(vec![-1]),
            pooling: vec![Pooling::Mean],
            combine: Combine::None,
            normalize: false,
            count_special_tokens: true,
            attentions: false,
            sentence: None,
        }
    }
}
