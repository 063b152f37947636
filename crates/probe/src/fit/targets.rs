//! What probes learn to say of rows.

use serde::Serialize;

/// Half the sum of the weights' squares counts so many times beside the summed loss: 1 / C of scikit-learn's logistic
/// regression, alpha of its ridge. From strong to weak, as each is a start for the next.
const OF_CLASSES: [f64; 7] = [1e4, 1e3, 1e2, 1e1, 1e0, 1e-1, 1e-2];
const OF_NUMBERS: [f64; 8] = [1e6, 1e5, 1e4, 1e3, 1e2, 1e1, 1e0, 1e-1];

/// What is to be said of each row of a matrix.
#[derive(Debug, Clone)]
pub enum Targets {
    /// Which of `count` classes it is of.
    Classes { of: Vec<u32>, count: usize },
    /// A number.
    Numbers(Vec<f64>),
}

/// What a probe said of some rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Predictions {
    /// The most likely class of each.
    Classes(Vec<u32>),
    /// A number for each.
    Numbers(Vec<f64>),
}

impl Targets {
    /// Outputs that a probe has for them: one for numbers and for two classes (the logit of the second), else one for
    /// each class.
    pub fn outputs(&self) -> usize {
        match self {
            Self::Classes { count: 2, .. } | Self::Numbers(_) => 1,
            Self::Classes { count, .. } => *count,
        }
    }

    /// Those of some of the rows alone, one range after the other.
    pub fn only(&self, ranges: &[std::ops::Range<usize>]) -> Self {
        fn some<T: Copy>(of: &[T], ranges: &[std::ops::Range<usize>]) -> Vec<T> {
            ranges.iter().flat_map(|range| of[range.clone()].iter().copied()).collect()
        }
        match self {
            Self::Classes { of, count } => Self::Classes { of: some(of, ranges), count: *count },
            Self::Numbers(of) => Self::Numbers(some(of, ranges)),
        }
    }

    /// The strengths of the penalty that are tried.
    pub fn strengths(&self) -> &'static [f64] {
        match self {
            Self::Classes { .. } => &OF_CLASSES,
            Self::Numbers(_) => &OF_NUMBERS,
        }
    }

    /// The loss of a row: minus the natural logarithm of its class's probability, or half the squared difference.
    /// `outputs` become its derivatives.
    pub fn loss(&self, row: usize, outputs: &mut [f64]) -> f64 {
        match self {
            Self::Numbers(numbers) => {
                outputs[0] -= numbers[row];
                outputs[0] * outputs[0] / 2.0
            }
            Self::Classes { of, count: 2 } => {
                let (is_second, logit) = (of[row] == 1, outputs[0]);
                let right = if is_second { logit } else { -logit };
                // The probability of the other class.
                let wrong = 1.0 / (1.0 + right.exp());
                outputs[0] = if is_second { -wrong } else { wrong };
                softplus(-right)
            }
            Self::Classes { of, .. } => {
                let class = of[row] as usize;
                let own = outputs[class];
                let largest = outputs.iter().fold(f64::NEG_INFINITY, |largest, &output| output.max(largest));
                let sum: f64 = outputs.iter().map(|output| (output - largest).exp()).sum();
                self.probabilities(outputs);
                outputs[class] -= 1.0;
                largest + sum.ln() - own
            }
        }
    }

    /// Turns the outputs of a row into what they say of the probability of each class, or of the second of two.
    pub fn probabilities(&self, outputs: &mut [f64]) {
        match outputs {
            [logit] => *logit = 1.0 / (1.0 + (-*logit).exp()),
            _ => {
                let largest = outputs.iter().fold(f64::NEG_INFINITY, |largest, &output| output.max(largest));
                outputs.iter_mut().for_each(|output| *output = (*output - largest).exp());
                let sum: f64 = outputs.iter().sum();
                outputs.iter_mut().for_each(|output| *output /= sum);
            }
        }
    }

    /// What outputs say of rows, one after the other.
    pub fn predictions(&self, outputs: &[f64]) -> Predictions {
        match self {
            Self::Numbers(_) => Predictions::Numbers(outputs.to_vec()),
            Self::Classes { count: 2, .. } => {
                Predictions::Classes(outputs.iter().map(|&logit| u32::from(logit > 0.0)).collect())
            }
            Self::Classes { count, .. } => {
                // The first of equals, as numpy's argmax has it.
                let largest = |row: &[f64]| (1..row.len()).fold(0, |best, i| if row[i] > row[best] { i } else { best });
                Predictions::Classes(outputs.chunks_exact(*count).map(|row| largest(row) as u32).collect())
            }
        }
    }
}

/// ln(1 + exp(x)), without overflow.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}
