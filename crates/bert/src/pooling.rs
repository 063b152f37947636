//! Hidden states of the tokens of a text, word or span to one vector.

use std::fmt;
use std::str::FromStr;

use burn::tensor::{Bool, Int, Tensor};

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
    /// The last token's vector; padding does not count.
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

/// Which tokens of a batch count; on the batch's device.
pub(crate) struct TokenMask {
    /// `[batch, seq_len]`, true where a token counts in mean, max and min; absent where all do.
    pub(crate) counted: Option<Tensor<2, Bool>>,
    /// `[batch]`, the index of each row's last token; absent where nothing is padded.
    pub(crate) last: Option<Tensor<1, Int>>,
}

/// Pools `[batch, seq_len, hidden_size]` to `[batch, width]`. A row in which no token counts has no
/// meaningful mean, max or min; the caller leaves it out.
pub(crate) fn pool(pooling: Pooling, hidden: &Tensor<3>, mask: &TokenMask) -> Tensor<2> {
    match pooling {
        // The model adds its pooler's output itself; over hidden states it is the first token.
        Pooling::Cls | Pooling::First | Pooling::Pooler => token(hidden, 0),
        Pooling::Last => last(hidden, mask.last.as_ref()),
        Pooling::FirstLast | Pooling::Endpoints => {
            Tensor::cat(vec![token(hidden, 0), last(hidden, mask.last.as_ref())], 1)
        }
        Pooling::Mean => mean(hidden, mask.counted.as_ref()),
        Pooling::Max => filled(hidden, mask.counted.as_ref(), f32::NEG_INFINITY).max_dim(1).squeeze_dim(1),
        Pooling::Min => filled(hidden, mask.counted.as_ref(), f32::INFINITY).min_dim(1).squeeze_dim(1),
        Pooling::MeanMax => {
            Tensor::cat(vec![pool(Pooling::Mean, hidden, mask), pool(Pooling::Max, hidden, mask)], 1)
        }
    }
}

fn token(hidden: &Tensor<3>, index: usize) -> Tensor<2> {
    hidden.clone().narrow(1, index, 1).squeeze_dim(1)
}

fn last(hidden: &Tensor<3>, index: Option<&Tensor<1, Int>>) -> Tensor<2> {
    let [batch, seq_len, hidden_size] = hidden.dims();
    match index {
        None => token(hidden, seq_len - 1),
        Some(index) => {
            let index = index.clone().reshape([batch, 1, 1]).expand([batch, 1, hidden_size]);
            hidden.clone().gather(1, index).squeeze_dim(1)
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

    /// Two rows of three and two tokens, the second padded; the first token of each does not count.
    fn pooled(device: DeviceKind, pooling: Pooling) -> Vec<f32> {
        let device = device.open().unwrap();
        let hidden = Tensor::<3>::from_floats(
            [[[9.0, -9.0], [1.0, 2.0], [3.0, -4.0]], [[-9.0, 9.0], [5.0, 6.0], [1e9, -1e9]]],
            &device,
        );
        let counted = TensorData::from([[false, true, true], [false, true, false]]);
        let mask = TokenMask {
            counted: Some(Tensor::from_data(counted, &device)),
            last: Some(Tensor::from_data(TensorData::from([2i64, 1]), &device)),
        };
        pool(pooling, &hidden, &mask).into_data().try_to_vec().unwrap()
    }

    #[test]
    fn only_tokens_that_count_are_pooled_on_either_backend() {
        for device in [DeviceKind::Cpu, DeviceKind::Flex] {
            assert_eq!(pooled(device, Pooling::Mean), [2.0, -1.0, 5.0, 6.0], "{device}");
            assert_eq!(pooled(device, Pooling::Max), [3.0, 2.0, 5.0, 6.0], "{device}");
            assert_eq!(pooled(device, Pooling::Min), [1.0, -4.0, 5.0, 6.0], "{device}");
            assert_eq!(pooled(device, Pooling::Cls), [9.0, -9.0, -9.0, 9.0], "{device}");
            assert_eq!(pooled(device, Pooling::Last), [3.0, -4.0, 5.0, 6.0], "{device}");
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
