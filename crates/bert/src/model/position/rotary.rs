//! Positions as rotations of queries and keys.

use burn::tensor::{Device, FloatDType, Int, Tensor, TensorData};

/// By which angles the queries and keys of a batch's tokens are rotated: pairs of dimensions, the
/// first of each from the first half of a head and the second from the other, each pair by its own
/// frequency times the token's place.
///
/// Source: `apply_rotary_pos_emb` in
/// <https://github.com/huggingface/transformers/blob/main/src/transformers/models/modernbert/modeling_modernbert.py>
pub(crate) struct Rotation {
    /// What the frequencies are powers of.
    pub(crate) base: f64,
    /// `[tokens, 1, head_size / 2]`
    cosines: Tensor<3>,
    /// As the cosines.
    sines: Tensor<3>,
}

impl Rotation {
    /// Of tokens at these places, `[tokens]`, of rows that are at most `longest` long.
    pub(crate) fn new(
        base: f64,
        head_size: usize,
        places: &Tensor<1, Int>,
        longest: usize,
        device: &Device,
    ) -> Self {
        let frequencies = frequencies(base, head_size);
        // The angle is rounded to float32 as the reference does: at great places that is a good part
        // of its error, and no fault of the model's.
        let angles: Vec<f64> = (0..longest)
            .flat_map(|place| frequencies.iter().map(move |frequency| f64::from(place as f32 * frequency)))
            .collect();
        let table = |of: fn(f64) -> f64| {
            let values: Vec<f32> = angles.iter().map(|&angle| of(angle) as f32).collect();
            let table = Tensor::<2>::from_data(TensorData::new(values, [longest, frequencies.len()]), device);
            table.select(0, places.clone()).unsqueeze_dim(1)
        };
        Self { base, cosines: table(f64::cos), sines: table(f64::sin) }
    }

    /// Rotates the queries and keys of query, key and value side by side, `[tokens, 3 · hidden_size]`.
    pub(crate) fn rotate(&self, projected: Tensor<2>, heads: usize) -> Tensor<2> {
        let [tokens, width] = projected.dims();
        let (hidden, dtype) = (width / 3, projected.dtype());
        let (head_size, half) = (hidden / heads, hidden / heads / 2);
        let both = projected.clone().narrow(1, 0, 2 * hidden).cast(FloatDType::F32);
        let both = both.reshape([tokens, 2 * heads, head_size]);
        let (first, second) = (both.clone().narrow(2, 0, half), both.narrow(2, half, half));
        let rotated_first = first.clone() * self.cosines.clone() - second.clone() * self.sines.clone();
        let rotated_second = second * self.cosines.clone() + first * self.sines.clone();
        let rotated = Tensor::cat(vec![rotated_first, rotated_second], 2).reshape([tokens, 2 * hidden]);
        Tensor::cat(vec![rotated.cast(dtype), projected.narrow(1, 2 * hidden, hidden)], 1)
    }
}

/// `base ^ (-2i / head_size)`, rounded where the reference rounds.
fn frequencies(base: f64, head_size: usize) -> Vec<f32> {
    let frequency = |dimension: usize| {
        let exponent = dimension as f32 / head_size as f32;
        1.0 / base.powf(f64::from(exponent)) as f32
    };
    (0..head_size).step_by(2).map(frequency).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequencies_are_those_of_the_reference() {
        // ModernBertRotaryEmbedding of transformers 5.23.0.
        for (base, expected) in [
            (10_000.0, [1.0, 0.749_894_2, 0.133_352_15, 0.013_335_215, 0.000_133_352_15]),
            (160_000.0, [1.0, 0.687_656_04, 0.072_710_775, 0.003_635_538_5, 9.088_847e-6]),
        ] {
            let found = frequencies(base, 64);
            assert_eq!(found.len(), 32);
            assert_eq!([0, 1, 7, 15, 31].map(|at| found[at]), expected);
        }
    }

    #[test]
    fn a_pair_of_dimensions_is_rotated_by_its_token_s_place() {
        let device = crate::DeviceKind::Flex.open().unwrap();
        let places = Tensor::from_data(TensorData::new(vec![0_i64, 1, 0], [3]), &device);
        let rotation = Rotation::new(100.0, 4, &places, 2, &device);
        // One head: query, key and value of three tokens.
        let row = [1.0, 2.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 7.0, 7.0, 7.0, 7.0];
        let projected = Tensor::<2>::from_data(TensorData::new(row.repeat(3), [3, 12]), &device);
        let found: Vec<f32> = rotation.rotate(projected, 1).into_data().try_to_vec().unwrap();
        assert_eq!((&found[..12], &found[24..]), (&row[..], &row[..]));
        let (by_1, by_a_tenth) = (1.0_f32.sin_cos(), 0.1_f32.sin_cos());
        let expected = [
            by_1.1,
            2.0 * by_a_tenth.1,
            by_1.0,
            2.0 * by_a_tenth.0,
            -by_1.0,
            -by_a_tenth.0,
            by_1.1,
            by_a_tenth.1,
            7.0,
            7.0,
            7.0,
            7.0,
        ];
        for (found, expected) in found[12..24].iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
    }
}
