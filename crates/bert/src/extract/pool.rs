//! Hidden states of the tokens of a text, word or span to one vector.

use burn::tensor::{Bool, Tensor};

use crate::Pooling;

/// Pools `[rows, len, hidden_size]` to `[rows, width]`. `counted`, `[rows, len]`, is true where a
/// token counts in mean, max and min; absent where all do. A row in which none counts has no
/// meaningful mean, max or min; the caller leaves it out.
pub(crate) fn pool(pooling: Pooling, hidden: &Tensor<3>, counted: Option<&Tensor<2, Bool>>) -> Tensor<2> {
    let token = |index| hidden.clone().narrow(1, index, 1).squeeze_dim::<2>(1);
    let last = || token(hidden.dims()[1] - 1);
    match pooling {
        // What the model or its folder make themselves is added there; over hidden states it is the first token.
        Pooling::Cls | Pooling::First | Pooling::Pooler | Pooling::Sentence => token(0),
        Pooling::Last => last(),
        Pooling::FirstLast | Pooling::Endpoints => Tensor::cat(vec![token(0), last()], 1),
        Pooling::Mean => mean(hidden, counted),
        Pooling::Max => filled(hidden, counted, f32::NEG_INFINITY).max_dim(1).squeeze_dim(1),
        Pooling::Min => filled(hidden, counted, f32::INFINITY).min_dim(1).squeeze_dim(1),
        Pooling::MeanMax => {
            Tensor::cat(vec![pool(Pooling::Mean, hidden, counted), pool(Pooling::Max, hidden, counted)], 1)
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

    /// Two rows of three tokens, of which some do not count.
    fn pooled(device: DeviceKind, pooling: Pooling) -> Vec<f32> {
        let device = device.open().unwrap();
        let hidden = Tensor::<3>::from_floats(
            [[[9.0, -9.0], [1.0, 2.0], [3.0, -4.0]], [[-9.0, 9.0], [5.0, 6.0], [1e9, -1e9]]],
            &device,
        );
        let counted = TensorData::from([[false, true, true], [false, true, false]]);
        pool(pooling, &hidden, Some(&Tensor::from_data(counted, &device))).into_data().try_to_vec().unwrap()
    }

    #[test]
    fn only_tokens_that_count_are_pooled_on_either_backend() {
        for device in [DeviceKind::Cpu, DeviceKind::Flex] {
            assert_eq!(pooled(device, Pooling::Mean), [2.0, -1.0, 5.0, 6.0], "{device}");
            assert_eq!(pooled(device, Pooling::Max), [3.0, 2.0, 5.0, 6.0], "{device}");
            assert_eq!(pooled(device, Pooling::Min), [1.0, -4.0, 5.0, 6.0], "{device}");
            assert_eq!(pooled(device, Pooling::Cls), [9.0, -9.0, -9.0, 9.0], "{device}");
            assert_eq!(pooled(device, Pooling::Last), [3.0, -4.0, 1e9, -1e9], "{device}");
            assert_eq!(
                pooled(device, Pooling::MeanMax),
                [2.0, -1.0, 3.0, 2.0, 5.0, 6.0, 5.0, 6.0],
                "{device}"
            );
        }
    }
}
