//! The principal axes of vectors. Along them nothing is correlated, so that a ridge regression is a division, and the
//! loss of a logistic one bends in each about as the vectors' spread says: few steps lead to its minimum.

use std::ops::Range;

use burn::tensor::{FloatDType, Tensor};
use faer::{Mat, Side};

use super::matrix::{Matrix, tensor};

/// Principal axes of vectors.
pub struct Axes {
    /// An axis a column, in the places of the vectors: row-major.
    vectors: Vec<f64>,
    /// The variance along each.
    pub variances: Vec<f64>,
}

impl Axes {
    /// Those of some rows, of which each place has the mean 0. `dtype` is what their products are computed in.
    pub fn of(matrix: &Matrix, rows: Range<usize>, dtype: FloatDType) -> Self {
        let (width, count) = (matrix.width(), rows.len().max(1) as f64);
        let gram = matrix.gram(rows, dtype);
        let covariance = Mat::from_fn(width, width, |row, column| gram[row * width + column] / count);
        match covariance.self_adjoint_eigen(Side::Lower) {
            Ok(eigen) => {
                let (vectors, values) = (eigen.U(), eigen.S());
                Self {
                    vectors: (0..width * width)
                        .map(|place| vectors[(place / width, place % width)])
                        .collect(),
                    // Rounding may make a little less than nothing of nothing.
                    variances: (0..width).map(|axis| values[axis].max(0.0)).collect(),
                }
            }
            // Of numbers too large to be multiplied: the places themselves are axes as good as any.
            Err(_) => Self {
                vectors: (0..width * width).map(|p| f64::from(u8::from(p / width == p % width))).collect(),
                variances: vec![1.0; width],
            },
        }
    }

    /// The axes as a matrix that vectors are multiplied by.
    pub fn tensor(&self) -> Tensor<2> {
        let width = self.variances.len();
        tensor(&self.vectors, [width, width], FloatDType::F32)
    }

    /// Weights of axes as weights of the vectors' places.
    #[cfg(test)]
    pub fn to_places(&self, weights: &[f64]) -> Vec<f64> {
        let width = weights.len();
        self.vectors
            .chunks_exact(width)
            .map(|row| row.iter().zip(weights).map(|(v, w)| v * w).sum())
            .collect()
    }
}
