//! What is trained: a linear map, or one with a hidden layer before it.

use burn::tensor::{FloatDType, Tensor};

use super::matrix::{Block, numbers, tensor};
use super::targets::Targets;

/// The shape of what is trained. Its parameters stand in one row of numbers: the hidden layer's weights (for each
/// unit those of the inputs) and biases, the outputs' weights (for each output) and biases.
#[derive(Debug, Clone, Copy)]
pub struct Network {
    /// Inputs.
    pub width: usize,
    /// Rectified units between inputs and outputs; none for a linear map.
    pub hidden: Option<usize>,
    /// Outputs.
    pub outputs: usize,
}

/// One layer's parameters as tensors.
struct Dense {
    /// A row for each output.
    weights: Tensor<2>,
    /// One row.
    biases: Tensor<2>,
}

/// The parameters as tensors.
pub struct Weights {
    hidden: Option<Dense>,
    output: Dense,
    dtype: FloatDType,
}

impl Network {
    /// Inputs of the last layer.
    fn inner(&self) -> usize {
        self.hidden.unwrap_or(self.width)
    }

    /// The number of parameters.
    pub fn count(&self) -> usize {
        let hidden = self.hidden.map_or(0, |units| units * (self.width + 1));
        hidden + self.outputs * (self.inner() + 1)
    }

    /// Whether each parameter is a weight, and no bias.
    pub fn is_weight(&self) -> Vec<bool> {
        let layer = |units: usize, width: usize| {
            std::iter::repeat_n(true, units * width).chain(std::iter::repeat_n(false, units))
        };
        let hidden = self.hidden.map(|units| layer(units, self.width));
        hidden.into_iter().flatten().chain(layer(self.outputs, self.inner())).collect()
    }

    /// Adds half of `penalty` times the sum of the weights' squares to a loss, and what follows of it to its derivatives.
    pub fn penalize(&self, penalty: f64, parameters: &[f64], loss: f64, derivatives: &mut [f64]) -> f64 {
        let weights = self.is_weight().into_iter().zip(parameters).zip(derivatives);
        weights.filter(|((is_weight, _), _)| *is_weight).fold(loss, |loss, ((_, weight), derivative)| {
            *derivative += penalty * weight;
            loss + penalty * weight * weight / 2.0
        })
    }

    /// Parameters as tensors of a type in which they are computed with.
    pub fn weights(&self, parameters: &[f64], dtype: FloatDType) -> Weights {
        let layer = |at: &[f64], units: usize, width: usize| Dense {
            weights: tensor(&at[..units * width], [units, width], dtype),
            biases: tensor(&at[units * width..units * (width + 1)], [1, units], dtype),
        };
        let before = self.count() - self.outputs * (self.inner() + 1);
        Weights {
            hidden: self.hidden.map(|units| layer(parameters, units, self.width)),
            output: layer(&parameters[before..], self.outputs, self.inner()),
            dtype,
        }
    }
}

impl Dense {
    fn apply(&self, inputs: Tensor<2>) -> Tensor<2> {
        inputs.matmul(self.weights.clone().transpose()) + self.biases.clone()
    }
}

impl Weights {
    /// The outputs for a block of rows, row by row.
    pub fn outputs(&self, block: Block) -> Vec<f64> {
        numbers(self.forward(block.values.cast(self.dtype)).1)
    }

    /// The loss of a block of rows whose first is `row` of the targets, and its derivatives by all parameters after
    /// it.
    pub fn loss(&self, block: Block, row: usize, targets: &Targets) -> Vec<f64> {
        self.loss_by_outputs(block, row, targets).0
    }

    /// The same, and the derivatives by the outputs for each row.
    pub fn loss_by_outputs(&self, block: Block, row: usize, targets: &Targets) -> (Vec<f64>, Tensor<2>) {
        let inputs = block.values.cast(self.dtype);
        let (hidden, outputs) = self.forward(inputs.clone());
        let mut outputs = numbers(outputs);
        let width = outputs.len() / block.rows;
        let mut loss = 0.0;
        let mut of_biases = vec![0.0; width];
        for (index, outputs) in outputs.chunks_exact_mut(width).enumerate() {
            loss += targets.loss(row + index, outputs);
            of_biases.iter_mut().zip(outputs).for_each(|(sum, derivative)| *sum += *derivative);
        }
        let derivatives = tensor(&outputs, [block.rows, width], self.dtype);
        let mut all = vec![loss];
        if let Some(units) = &hidden {
            // A unit that is off passes nothing back.
            let back = derivatives.clone().matmul(self.output.weights.clone()) * units.clone().sign();
            all.extend(numbers(back.clone().transpose().matmul(inputs.clone())));
            all.extend(numbers(back.sum_dim(0)));
        }
        all.extend(numbers(derivatives.clone().transpose().matmul(hidden.unwrap_or(inputs))));
        all.extend(of_biases);
        (all, derivatives)
    }

    /// Derivatives by what the last layer is fed.
    pub fn by_inputs(&self, by_outputs: Tensor<2>) -> Tensor<2> {
        by_outputs.matmul(self.output.weights.clone())
    }

    /// The hidden layer's outputs, where there is one, and the last one's.
    fn forward(&self, inputs: Tensor<2>) -> (Option<Tensor<2>>, Tensor<2>) {
        let hidden =
            self.hidden.as_ref().map(|layer| burn::tensor::activation::relu(layer.apply(inputs.clone())));
        let outputs = self.output.apply(hidden.clone().unwrap_or(inputs));
        (hidden, outputs)
    }
}

#[cfg(test)]
mod tests {
    use super::super::matrix::Rows;
    use super::*;

    fn floats(seed: u64, count: usize) -> Vec<f64> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f64 / (1_u64 << 24) as f64 - 0.5
        };
        (0..count).map(|_| next()).collect()
    }

    #[test]
    fn derivatives_are_those_of_differences() {
        let targets = [
            Targets::Classes { of: vec![0, 1, 1, 0, 1], count: 2 },
            Targets::Classes { of: vec![0, 2, 1, 3, 2], count: 4 },
            Targets::Numbers(vec![0.3, -1.0, 2.0, 0.0, 0.5]),
        ];
        for (targets, hidden) in targets.iter().flat_map(|targets| [(targets, None), (targets, Some(6))]) {
            let mut rows = Rows::new(5, 3);
            for (row, values) in floats(1, 15).chunks_exact(3).enumerate() {
                rows.row_mut(row).iter_mut().zip(values).for_each(|(to, from)| *to = *from as f32);
            }
            let matrix = rows.into_matrix();
            let network = Network { width: 3, hidden, outputs: targets.outputs() };
            let at = floats(2, network.count());
            let loss = |at: &[f64]| {
                let weights = network.weights(at, FloatDType::F64);
                matrix.sum(0..5, network.count() + 1, |block| weights.loss(block, 0, targets))
            };
            let found = loss(&at);
            for parameter in 0..at.len() {
                let moved = |by: f64| {
                    let mut at = at.clone();
                    at[parameter] += by;
                    loss(&at)[0]
                };
                let expected = (moved(1e-6) - moved(-1e-6)) / 2e-6;
                assert!((found[1 + parameter] - expected).abs() < 1e-6, "{parameter}: {expected}");
            }
        }
    }
}
