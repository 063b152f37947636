//! Linear centred kernel alignment (Kornblith et al., 2019): how alike two spaces are, whatever their axes.

use burn::tensor::{Device, Tensor, TensorData};

/// Vectors of a sample of rows, each place of mean 0.
pub struct Centred {
    values: Tensor<2>,
    /// The length of the products of each two places.
    own: f64,
}

impl Centred {
    /// `values` are rows of `width` numbers, one after the other.
    pub fn new(mut values: Vec<f32>, width: usize) -> Self {
        let rows = values.len() / width.max(1);
        let mut means = vec![0.0_f64; width];
        for row in values.chunks_exact(width) {
            means.iter_mut().zip(row).for_each(|(mean, &value)| *mean += f64::from(value) / rows as f64);
        }
        for row in values.chunks_exact_mut(width) {
            row.iter_mut().zip(&means).for_each(|(value, mean)| *value = (f64::from(*value) - mean) as f32);
        }
        let values = Tensor::from_data(TensorData::new(values, [rows, width]), &Device::flex());
        let own = cross(&values, &values).sqrt();
        Self { values, own }
    }
}

/// From 0 for spaces that share nothing to 1 for those that are the same but for a rotation and a scale.
pub fn cka(a: &Centred, b: &Centred) -> f64 {
    cross(&a.values, &b.values) / (a.own * b.own)
}

/// The sum of the squares of the products of each place of one with each of the other.
fn cross(a: &Tensor<2>, b: &Tensor<2>) -> f64 {
    let products = a.clone().transpose().matmul(b.clone()).into_data();
    products.iter::<f64>().map(|product| product * product).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rotation_and_a_scale_are_no_difference_and_chance_is_little() {
        let mut state = 7_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1_u64 << 24) as f32 - 0.5
        };
        let a: Vec<f32> = (0..4000).map(|_| next()).collect();
        let rotated = a.chunks_exact(2).flat_map(|xy| [3.0 * (0.6 * xy[0] - 0.8 * xy[1]) + 5.0, 3.0 * (0.8 * xy[0] + 0.6 * xy[1])]);
        let rotated = Centred::new(rotated.collect(), 2);
        let other = Centred::new((0..6000).map(|_| next()).collect(), 3);
        let a = Centred::new(a, 2);
        assert!((cka(&a, &rotated) - 1.0).abs() < 1e-5 && (cka(&a, &a) - 1.0).abs() < 1e-12);
        assert!(cka(&a, &other) < 0.01);
    }
}
