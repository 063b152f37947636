//! What the attention of each head is like, in numbers that fit into columns.

use burn::tensor::{Tensor, TensorData};

/// A figure of a head's attention, the mean over a text's tokens as they look at the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Statistic {
    /// Of the weights, in nats: 0 where a token looks at one other, `ln n` where at all alike.
    Entropy,
    /// Between a token and what it looks at, in tokens.
    Distance,
    /// The weight on the first token, `[CLS]`.
    Cls,
    /// The weight on the other special tokens, `[SEP]`.
    Sep,
    /// The weight on the token itself.
    Itself,
}

impl Statistic {
    pub(crate) const ALL: [Self; 5] = [Self::Entropy, Self::Distance, Self::Cls, Self::Sep, Self::Itself];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Entropy => "entropy",
            Self::Distance => "distance",
            Self::Cls => "cls",
            Self::Sep => "sep",
            Self::Itself => "self",
        }
    }

    /// `[rows, heads]` from `weights`, `[rows, heads, len, len]`; `separators`, `[rows, len]`, is 1 for
    /// special tokens but the first.
    pub(crate) fn of(self, weights: &Tensor<4>, separators: &Tensor<2>) -> Tensor<2> {
        let [rows, heads, len, _] = weights.dims();
        let (weights, device) = (weights.clone(), weights.device());
        let between = |value: fn(usize, usize) -> f32| {
            let values = (0..len * len).map(|at| value(at / len, at % len)).collect();
            Tensor::<4>::from_data(TensorData::new(values, [1, 1, len, len]), &device)
        };
        let of_token = match self {
            // No weight at all counts for nothing, whatever its logarithm.
            Self::Entropy => (weights.clone() * weights.clamp_min(f32::MIN_POSITIVE).log()).sum_dim(3).neg(),
            Self::Distance => (weights * between(|query, key| query.abs_diff(key) as f32)).sum_dim(3),
            Self::Itself => (weights * between(|query, key| f32::from(query == key))).sum_dim(3),
            Self::Cls => weights.narrow(3, 0, 1),
            Self::Sep => (weights * separators.clone().reshape([rows, 1, 1, len])).sum_dim(3),
        };
        of_token.reshape([rows, heads, len]).mean_dim(2).squeeze_dim(2)
    }
}
