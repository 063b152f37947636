//! Ridge regression, which needs no steps.

use std::ops::Range;

use burn::tensor::FloatDType;
use nalgebra::{Cholesky, DMatrix, DVector};

use super::matrix::{Matrix, tensor, numbers};

/// The sums over rows from which every ridge regression of them follows.
pub struct Ridge {
    gram: DMatrix<f64>,
    products: DVector<f64>,
    means: DVector<f64>,
    mean: f64,
}

impl Ridge {
    /// Sums over some rows, of each of which `of` is the number to be learned.
    pub fn new(matrix: &Matrix, rows: Range<usize>, of: &[f64]) -> Self {
        let (width, count) = (matrix.width(), rows.len() as f64);
        let mean = of.iter().sum::<f64>() / count;
        let sums = matrix.sum(rows.clone(), 2 * width, |block| {
            let values = block.values.cast(FloatDType::F64);
            let centred: Vec<f64> = of[block.first..][..block.rows].iter().map(|number| number - mean).collect();
            let both = centred.iter().flat_map(|&number| [number, 1.0]).collect::<Vec<f64>>();
            numbers(tensor(&both, [block.rows, 2], FloatDType::F64).transpose().matmul(values))
        });
        let means = DVector::from_column_slice(&sums[width..]) / count;
        let gram = DMatrix::from_column_slice(width, width, &matrix.gram(rows, FloatDType::F64));
        let gram = gram - &means * means.transpose() * count;
        Self { gram, products: DVector::from_column_slice(&sums[..width]), means, mean }
    }

    /// Weights and, after them, the bias that minimize half the sum of squares and half of `l2` times the sum of the
    /// weights' squares.
    pub fn solve(&self, l2: f64) -> Option<Vec<f64>> {
        let mut matrix = self.gram.clone();
        for place in 0..matrix.nrows() {
            matrix[(place, place)] += l2;
        }
        let weights = Cholesky::new(matrix)?.solve(&self.products);
        let bias = self.mean - weights.dot(&self.means);
        Some(weights.iter().copied().chain([bias]).collect())
    }
}
