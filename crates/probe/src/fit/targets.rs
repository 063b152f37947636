//! What probes learn to say of rows.

use std::ops::Range;

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
#[derive(Debug, Clone, PartialEq)]
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
    pub fn only(&self, ranges: &[Range<usize>]) -> Self {
        fn some<T: Copy>(of: &[T], ranges: &[Range<usize>]) -> Vec<T> {
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
    pub fn standardized(self, known: &Range<usize>) -> Self {
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
                let all = softmax(outputs);
                outputs[class] -= 1.0;
                all - own
            }
        }
    }

    /// Turns the outputs of a row into what they say of the probability of each class, or of the second of two.
    pub fn probabilities(&self, outputs: &mut [f64]) {
        match outputs {
            [logit] => *logit = 1.0 / (1.0 + (-*logit).exp()),
            _ => {
                softmax(outputs);
            }
        }
    }

    /// What outputs say of a row: a number, or that of a class.
    pub fn said(&self, outputs: &[f64]) -> f64 {
        match (self, outputs) {
            (Self::Numbers(_), [number]) => *number,
            (Self::Classes { .. }, [logit]) => f64::from(u8::from(*logit > 0.0)),
            // The first of equals, as numpy's argmax has it.
            _ => first_largest(outputs) as f64,
        }
    }

    /// What was [said](Self::said) of some rows.
    pub fn predictions(&self, said: Vec<f64>) -> Predictions {
        match self {
            Self::Numbers(_) => Predictions::Numbers(said),
            Self::Classes { .. } => {
                Predictions::Classes(said.into_iter().map(|class| class as u32).collect())
            }
        }
    }
}

/// Turns logits into shares that are 1 together; returns the logarithm of the sum of the logits' exponentials.
pub fn softmax(logits: &mut [f64]) -> f64 {
    let largest = logits.iter().fold(f64::NEG_INFINITY, |largest, &logit| logit.max(largest));
    logits.iter_mut().for_each(|logit| *logit = (*logit - largest).exp());
    let sum: f64 = logits.iter().sum();
    logits.iter_mut().for_each(|share| *share /= sum);
    largest + sum.ln()
}

/// The place of the largest value, the first of equals.
pub fn first_largest<T: PartialOrd>(values: &[T]) -> usize {
    (1..values.len()).fold(0, |best, place| if values[place] > values[best] { place } else { best })
}

/// ln(1 + exp(x)), without overflow.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}
