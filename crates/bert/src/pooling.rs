//! Hidden states of the tokens of a text, word or span to one vector.

use std::fmt;
use std::str::FromStr;

use burn::tensor::{Bool, Tensor};

use crate::names::{name_of, named};
use crate::{Error, Unit};

/// How the tokens of a text, word or span become one vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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
}

impl Pooling {
    /// Width of the vector for hidden states of `hidden_size`.
    pub fn width(self, hidden_size: usize) -> usize {
        match self {
            Self::MeanMax | Self::FirstLast | Self::Endpoints => 2 * hidden_size,
            _ => hidden_size,
        }
    }

    /// The poolings that make vectors of `unit`; none for tokens, which have theirs.
    pub fn of_unit(unit: Unit) -> &'static [Self] {
        use Pooling::{Cls, Endpoints, First, FirstLast, Last, Max, Mean, MeanMax, Min, Pooler};
        match unit {
            Unit::Row => &[Cls, Mean, Max, Min, MeanMax, Last, Pooler],
            Unit::Token => &[],
            Unit::Word => &[First, Last, Mean, Max, FirstLast],
            Unit::Span => &[First, Last, Mean, Max, FirstLast, Endpoints],
        }
    }

    /// What it does to tokens one at a time: a vector of `hidden_size` each, one after the other.
    pub(crate) fn reductions(self) -> &'static [Reduction] {
        match self {
            Self::Cls | Self::First | Self::Pooler => &[Reduction::First],
            Self::Last => &[Reduction::Last],
            Self::Mean => &[Reduction::Mean],
            Self::Max => &[Reduction::Max],
            Self::Min => &[Reduction::Min],
            Self::MeanMax => &[Reduction::Mean, Reduction::Max],
            Self::FirstLast | Self::Endpoints => &[Reduction::First, Reduction::Last],
        }
    }

    /// Whether the choice of tokens that count matters.
    pub fn is_over_tokens(self) -> bool {
        matches!(self, Self::Mean | Self::Max | Self::Min | Self::MeanMax)
    }

    const NAMES: [(&str, Self); 10] = [
        ("cls", Self::Cls),
        ("first", Self::First),
        ("mean", Self::Mean),
        ("max", Self::Max),
        ("min", Self::Min),
        ("mean_max", Self::MeanMax),
        ("last", Self::Last),
        ("first_last", Self::FirstLast),
        ("endpoints", Self::Endpoints),
        ("pooler", Self::Pooler),
    ];
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

impl FromStr for Pooling {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        named(
            &Self::NAMES,
            text,
            "pooling",
            "cls, first, mean, max, min, mean_max, last, first_last, endpoints or pooler",
        )
    }
}

impl fmt::Display for Pooling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(name_of(&Self::NAMES, self))
    }
}

/// Pools `[rows, len, hidden_size]` to `[rows, width]`. `counted`, `[rows, len]`, is true where a
/// token counts in mean, max and min; absent where all do. A row in which none counts has no
/// meaningful mean, max or min; the caller leaves it out.
pub(crate) fn pool(pooling: Pooling, hidden: &Tensor<3>, counted: Option<&Tensor<2, Bool>>) -> Tensor<2> {
    let token = |index| hidden.clone().narrow(1, index, 1).squeeze_dim::<2>(1);
    let last = || token(hidden.dims()[1] - 1);
    match pooling {
        // The model adds its pooler's output itself; over hidden states it is the first token.
        Pooling::Cls | Pooling::First | Pooling::Pooler => token(0),
        Pooling::Last => last(),
        Pooling::FirstLast | Pooling::Endpoints => Tensor::cat(vec![token(0), last()], 1),
        Pooling::Mean => mean(hidden, counted),
        Pooling::Max => filled(hidden, counted, f32::NEG_INFINITY).max_dim(1).squeeze_dim(1),
        Pooling::Min => filled(hidden, counted, f32::INFINITY).min_dim(1).squeeze_dim(1),
        Pooling::MeanMax => {
            Tensor::cat(vec![pool(Pooling::Mean, hidden, counted), pool(Pooling::Max, hidden, counted)], 1)
        }
    }
}

fn mean(hidden: &Tensor<3>, counted: Option<&Tensor<2, Bool>>) -> Tensor<2> {
    match counted {
        None => hidden.clone().mean_dim(1).squeeze_dim(1),
        Some(counted) => {
            // A product with the weights reads the hidden states once and copies nothing.
            let weights = counted.clone().float();
            let total = weights.clone().sum_dim(1);
            weights.unsqueeze_dim::<3>(1).matmul(hidden.clone()).squeeze_dim::<2>(1) / total
        }
    }
}

fn filled(hidden: &Tensor<3>, counted: Option<&Tensor<2, Bool>>, value: f32) -> Tensor<3> {
    match counted {
        None => hidden.clone(),
        Some(counted) => {
            let left_out = counted.clone().bool_not().unsqueeze_dim::<3>(2).expand(hidden.dims());
            hidden.clone().mask_fill(left_out, value)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DeviceKind;
    use burn::tensor::TensorData;

    /// Two rows of three tokens, of which some do not count.
    fn pooled(device: DeviceKind, pooling: Pooling) -> Vec<f32> {
        let device = device.open().unwrap();
        let hidden = Tensor::<3>::from_floats(
            [[[9.0, -9.0], [1.0, 2.0], [3.0, -4.0]], [[-9.0, 9.0], [5.0, 6.0], [1e9, -1e9]]],
            &device,
        );
        let counted = TensorData::from([[false, true, true], [false, true, false]]);
        pool(pooling, &hidden, Some(&Tensor::from_data(counted, &device))).into_data().try_to_vec().unwrap()
    }

    #[test]
    fn only_tokens_that_count_are_pooled_on_either_backend() {
        for device in [DeviceKind::Cpu, DeviceKind::Flex] {
            assert_eq!(pooled(device, Pooling::Mean), [2.0, -1.0, 5.0, 6.0], "{device}");
            assert_eq!(pooled(device, Pooling::Max), [3.0, 2.0, 5.0, 6.0], "{device}");
            assert_eq!(pooled(device, Pooling::Min), [1.0, -4.0, 5.0, 6.0], "{device}");
            assert_eq!(pooled(device, Pooling::Cls), [9.0, -9.0, -9.0, 9.0], "{device}");
            assert_eq!(pooled(device, Pooling::Last), [3.0, -4.0, 1e9, -1e9], "{device}");
            assert_eq!(
                pooled(device, Pooling::MeanMax),
                [2.0, -1.0, 3.0, 2.0, 5.0, 6.0, 5.0, 6.0],
                "{device}"
            );
        }
    }

    #[test]
    fn names_read_back_as_what_they_name() {
        for (name, pooling) in Pooling::NAMES {
            assert_eq!((pooling.to_string().as_str(), name.parse::<Pooling>().unwrap()), (name, pooling));
        }
        assert!("meen".parse::<Pooling>().is_err());
    }
}
