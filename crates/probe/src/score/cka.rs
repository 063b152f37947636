//! Linear centred kernel alignment (Kornblith et al., 2019): how alike two spaces are, whatever their axes.

use burn::tensor::{Device, Tensor, TensorData};

/// Vectors of a sample of rows, each place of mean 0.
pub struct Centred {
    values: Tensor<2>,
    /// The squared length of each row.
    lengths: Vec<f64>,
    /// How much the space depends on itself.
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
        let largest = values.iter().fold(0.0_f32, |largest, value| value.abs().max(largest));
        for row in values.chunks_exact_mut(width) {
            for (value, mean) in row.iter_mut().zip(&means) {
                let centred = (f64::from(*value) - mean) as f32;
                // What rounding leaves of a constant is nothing.
                *value = if centred.abs() > 1e-6 * largest { centred } else { 0.0 };
            }
        }
        let square = |row: &[f32]| row.iter().map(|value| f64::from(*value).powi(2)).sum();
        let lengths = values.chunks_exact(width).map(square).collect();
        let values = Tensor::from_data(TensorData::new(values, [rows, width]), &Device::flex());
        let mut space = Self { values, lengths, own: 0.0 };
        space.own = dependence(&space, &space);
        space
    }
}

/// About 0 for spaces that share nothing, 1 for those that are the same but for a rotation and a scale; not a number
/// where one has no spread, or there are fewer than four rows.
pub fn cka(a: &Centred, b: &Centred) -> f64 {
    if a.own > 0.0 && b.own > 0.0 { dependence(a, b) / (a.own * b.own).sqrt() } else { f64::NAN }
}

/// The unbiased estimate of the Hilbert-Schmidt independence criterion (Song et al., 2007), from the places' products:
/// the biased one is large for few rows of many places, whatever they are.
fn dependence(a: &Centred, b: &Centred) -> f64 {
    let rows = a.lengths.len() as f64;
    if rows < 4.0 {
        return f64::NAN;
    }
    let products = a.values.clone().transpose().matmul(b.values.clone()).into_data();
    let all: f64 = products.iter::<f64>().map(|product| product * product).sum();
    let both: f64 = a.lengths.iter().zip(&b.lengths).map(|(a, b)| a * b).sum();
    let sums = a.lengths.iter().sum::<f64>() * b.lengths.iter().sum::<f64>();
    let off_diagonal = all - both + sums / ((rows - 1.0) * (rows - 2.0)) - 2.0 * both / (rows - 2.0);
    off_diagonal / (rows * (rows - 3.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(seed: u64, count: usize) -> Vec<f32> {
        let mut state = seed;
        let next = |_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1_u64 << 24) as f32 - 0.5
        };
        (0..count).map(next).collect()
    }

    #[test]
    fn a_rotation_and_a_scale_are_no_difference_and_chance_is_nothing_also_of_few_rows() {
        let a = numbers(7, 4000);
        let turn = |xy: &[f32]| [3.0 * (0.6 * xy[0] - 0.8 * xy[1]) + 5.0, 3.0 * (0.8 * xy[0] + 0.6 * xy[1])];
        let rotated = Centred::new(a.chunks_exact(2).flat_map(turn).collect(), 2);
        let a = Centred::new(a, 2);
        assert!((cka(&a, &rotated) - 1.0).abs() < 1e-5 && (cka(&a, &a) - 1.0).abs() < 1e-12);
        // 100 rows of 200 places: the biased estimate says 0.67.
        let [b, c] = [8, 9].map(|seed| Centred::new(numbers(seed, 100 * 200), 200));
        assert!(cka(&b, &c).abs() < 0.05, "{}", cka(&b, &c));
        assert!(cka(&b, &Centred::new(vec![0.3; 100 * 5], 5)).is_nan());
    }
}
