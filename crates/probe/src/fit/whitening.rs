//! Coordinates in which a linear probe's loss bends about equally in all directions, so that few steps lead to its
//! minimum.

use nalgebra::{Cholesky, DMatrix, DMatrixView, DMatrixViewMut, Dyn};

/// The largest second derivative of the logistic loss by its logit.
const CURVATURE: f64 = 0.25;

/// A factor of the loss's largest curvature.
pub struct Whitening {
    factor: Cholesky<f64, Dyn>,
    width: usize,
    outputs: usize,
}

impl Whitening {
    /// For `outputs` linear maps of vectors of `width` places. `gram` are the sums of products of each two places over
    /// `rows` rows; `penalty` is of the mean loss.
    pub fn new(gram: &[f64], rows: usize, penalty: f64, width: usize, outputs: usize) -> Option<Self> {
        let mut curvature = DMatrix::from_column_slice(width, width, gram) * (CURVATURE / rows as f64);
        // Places that are the same in all rows bend nothing.
        let least = 1e-9 * curvature.diagonal().max().max(1e-9);
        for place in 0..width {
            curvature[(place, place)] += penalty.max(least);
        }
        Some(Self { factor: Cholesky::new(curvature)?, width, outputs })
    }

    /// The parameters that stand at a place of the new coordinates.
    pub fn to_parameters(&self, mut place: Vec<f64>) -> Vec<f64> {
        let weights = &mut place[..self.width * self.outputs];
        let mut weights = DMatrixViewMut::from_slice(weights, self.width, self.outputs);
        self.factor.l_dirty().tr_solve_lower_triangular_mut(&mut weights);
        place
    }

    /// The place of parameters in the new coordinates.
    pub fn to_place(&self, mut parameters: Vec<f64>) -> Vec<f64> {
        let weights = &mut parameters[..self.width * self.outputs];
        let moved = self.factor.l().transpose() * DMatrixView::from_slice(weights, self.width, self.outputs);
        weights.copy_from_slice(moved.as_slice());
        parameters
    }

    /// Derivatives by parameters become those by the new coordinates.
    pub fn to_gradient(&self, derivatives: &mut [f64]) {
        let weights = &mut derivatives[..self.width * self.outputs];
        let mut weights = DMatrixViewMut::from_slice(weights, self.width, self.outputs);
        self.factor.l_dirty().solve_lower_triangular_mut(&mut weights);
    }
}
