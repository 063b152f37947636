//! Hidden states of a text's tokens to one vector.

use std::fmt;
use std::str::FromStr;

use burn::tensor::{Bool, Int, Tensor};

use crate::Error;

/// How the tokens of a text become one vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pooling {
    /// The first token's vector.
    Cls,
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
    /// The model's own pooler over the last layer, whichever layers are chosen.
    Pooler,
}

impl Pooling {
    /// Width of the vector for hidden states of `hidden_size`.
    pub fn width(self, hidden_size: usize) -> usize {
        if self == Self::MeanMax { 2 * hidden_size } else { hidden_size }
    }

    /// Whether the choice of tokens that count matters.
    pub fn is_over_tokens(self) -> bool {
        matches!(self, Self::Mean | Self::Max | Self::Min | Self::MeanMax)
    }

    const NAMES: [(&str, Self); 7] = [
        ("cls", Self::Cls),
        ("mean", Self::Mean),
        ("max", Self::Max),
        ("min", Self::Min),
        ("mean_max", Self::MeanMax),
        ("last", Self::Last),
        ("pooler", Self::Pooler),
    ];
}

impl FromStr for Pooling {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::NAMES.iter().find(|(name, _)| *name == text).map(|&(_, pooling)| pooling).ok_or(Error::Option {
            what: "pooling",
            found: text.to_owned(),
            expected: "cls, mean, max, min, mean_max, last or pooler",
        })
    }
}

impl fmt::Display for Pooling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::NAMES.iter().find(|(_, pooling)| pooling == self).map_or("", |(name, _)| name);
        f.write_str(name)
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
        Pooling::Cls | Pooling::Pooler => token(hidden, 0),
        Pooling::Last => last(hidden, mask.last.as_ref()),
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
