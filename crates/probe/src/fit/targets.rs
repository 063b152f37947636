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

    /// The same, numbers brought to mean 0 and deviation 1 over the rows `known`, so that what is near enough does not
    /// depend on their unit. No score changes with it.
    #[must_use]
    pub fn standardized(self, known: &std::ops::Range<usize>) -> Self {
        let Self::Numbers(mut numbers) = self else { return self };
        let of = &numbers[known.clone()];
        let count = of.len().max(1) as f64;
        let mean = of.iter().sum::<f64>() / count;
        let deviation = (of.iter().map(|number| (number - mean).powi(2)).sum::<f64>() / count).sqrt();
        let scale = if deviation > 0.0 && deviation.is_finite() { deviation } else { 1.0 };
        numbers.iter_mut().for_each(|number| *number = (*number - mean) / scale);
        Self::Numbers(numbers)
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

    /// What outputs say of a row: a number, or that of a class.
    pub fn said(&self, outputs: &[f64]) -> f64 {
        match (self, outputs) {
            (Self::Numbers(_), [number]) => *number,
            (Self::Classes { .. }, [logit]) => f64::from(u8::from(*logit > 0.0)),
            // The first of equals, as numpy's argmax has it.
            _ => {
                (1..outputs.len()).fold(0, |best, i| if outputs[i] > outputs[best] { i } else { best }) as f64
            }
        }
    }

    /// What outputs say of rows, one after the other.
    pub fn predictions(&self, outputs: &[f64]) -> Predictions {
        let said = outputs.chunks_exact(self.outputs()).map(|outputs| self.said(outputs));
        match self {
            Self::Numbers(_) => Predictions::Numbers(said.collect()),
            Self::Classes { .. } => Predictions::Classes(said.map(|class| class as u32).collect()),
        }
    }
}

/// ln(1 + exp(x)), without overflow.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}
