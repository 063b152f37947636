//! Ways to one vector from the hidden states of a text's, word's or span's tokens.

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, VariantNames};

use crate::Unit;

/// How the tokens of a text, word or span become one vector.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, EnumString, Display, VariantNames, Serialize, Deserialize,
)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Pooling {
    /// The first token's vector.
    Cls,
    /// The same under the name it has for words.
    First,
    /// The mean over tokens.
    Mean,
    /// The largest value of each dimension.
    Max,
    /// The smallest value of each dimension.
    Min,
    /// Mean and max, one after the other: twice as wide.
    MeanMax,
    /// The last token's vector.
    Last,
    /// First and last, one after the other: twice as wide.
    FirstLast,
    /// The same under the name it has for spans.
    Endpoints,
    /// The model's own pooler over the last layer, whichever layers are chosen.
    Pooler,
    /// What the folder's own modules make of the last layer, whichever layers are chosen.
    Sentence,
}

impl Pooling {
    /// Width of the vector for hidden states of `hidden_size`; of a sentence the modules decide.
    pub fn width(self, hidden_size: usize) -> usize {
        match self {
            Self::MeanMax | Self::FirstLast | Self::Endpoints => 2 * hidden_size,
            _ => hidden_size,
        }
    }

    /// The poolings that make vectors of `unit`; none for tokens, which have theirs.
    pub fn of_unit(unit: Unit) -> &'static [Self] {
        use Pooling::{Cls, Endpoints, First, FirstLast, Last, Max, Mean, MeanMax, Min, Pooler, Sentence};
        match unit {
            Unit::Row => &[Cls, Mean, Max, Min, MeanMax, Last, Pooler, Sentence],
            Unit::Token => &[],
            Unit::Word => &[First, Last, Mean, Max, FirstLast],
            Unit::Span => &[First, Last, Mean, Max, FirstLast, Endpoints],
        }
    }

    /// What it does to tokens one at a time: a vector of `hidden_size` each, one after the other.
    pub(crate) fn reductions(self) -> &'static [Reduction] {
        match self {
            Self::Cls | Self::First | Self::Pooler | Self::Sentence => &[Reduction::First],
            Self::Last => &[Reduction::Last],
            Self::Mean => &[Reduction::Mean],
            Self::Max => &[Reduction::Max],
            Self::Min => &[Reduction::Min],
            Self::MeanMax => &[Reduction::Mean, Reduction::Max],
            Self::FirstLast | Self::Endpoints => &[Reduction::First, Reduction::Last],
        }
    }

    /// Whether it is about chosen layers, and not about the last one whatever is chosen.
    pub(crate) fn is_over_layers(self) -> bool {
        !matches!(self, Self::Pooler | Self::Sentence)
    }

    /// Whether the choice of tokens that count matters.
    pub fn is_over_tokens(self) -> bool {
        matches!(self, Self::Mean | Self::Max | Self::Min | Self::MeanMax)
    }
}

/// What becomes of the tokens of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reduction {
    First,
    Last,
    Mean,
    Max,
    Min,
}

impl Reduction {
    /// What changes nothing.
    pub(crate) fn start(self) -> f32 {
        match self {
            Self::Max => f32::NEG_INFINITY,
            Self::Min => f32::INFINITY,
            Self::First | Self::Last | Self::Mean => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pooling_has_one_name_wherever_it_is_written() {
        for name in Pooling::VARIANTS {
            let pooling: Pooling = name.parse().unwrap();
            assert_eq!(pooling.to_string(), *name);
            assert_eq!(serde_json::to_value(pooling).unwrap(), *name);
        }
        assert!("meen".parse::<Pooling>().is_err());
    }
}
