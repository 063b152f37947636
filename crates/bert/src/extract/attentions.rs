//! What the attention of each head is like, in numbers that fit into columns.

use burn::tensor::{Tensor, TensorData};

use crate::request::Statistic;

impl Statistic {
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
