//! Vectors and labels to probes.

mod axes;
mod lbfgs;
mod matrix;
mod mix;
mod network;
#[cfg(test)]
mod reference;
mod targets;

use std::ops::Range;

use burn::tensor::FloatDType;
use chacha20::ChaCha8Rng;
use chacha20::rand_core::SeedableRng;
use rand_distr::{Distribution, StandardNormal};

use crate::settings::Probe;
use axes::Axes;
use lbfgs::{Minimum, minimize};
pub use matrix::{Matrix, Rows};
pub use mix::mix;
use network::Network;
pub use targets::{Predictions, Targets, first_largest};

/// Units of the hidden layer of an MLP.
const UNITS: usize = 64;
/// Largest derivative of the mean loss at which a minimum is near enough to compare strengths.
const NEAR: f64 = 3e-4;
/// The same for a hidden layer, whose minima are many and none is the right one.
const OF_HIDDEN: f64 = 1e-4;
/// How far a coefficient of a minimum may be from its own, and the derivatives at which it is taken for one.
const EXACT: f64 = 2e-4;
const AT: std::ops::RangeInclusive<f64> = 1e-7..=1e-5;
/// The least doubt about a class that is believed: where nothing is doubted yet, much may still be.
const LEAST_DOUBT: f64 = 1e-3;
/// How much the loss over development rows rises before no weaker penalty is tried.
const RISE: f64 = 1.01;
/// Steps before a minimum is given up.
const STEPS: usize = 2000;
const STEPS_NEAR: usize = 300;
const STEPS_OF_HIDDEN: usize = 500;

/// Vectors as probes learn from them.
pub struct Material {
    /// The vectors; those of a linear probe along their principal axes.
    matrix: Matrix,
    /// Those axes.
    axes: Option<Axes>,
}

impl Material {
    /// `rows` are what will be learned from, `train` of them.
    pub fn new(rows: Rows, train: Range<usize>, probe: Probe, targets: &Targets) -> Self {
        let matrix = rows.standardize(train.clone());
        if probe != Probe::Linear {
            return Self { matrix, axes: None };
        }
        // A division by variances that are not quite right is not quite right, a step along them is good enough.
        let dtype = match targets {
            Targets::Classes { .. } => FloatDType::F32,
            Targets::Numbers(_) => FloatDType::F64,
        };
        let axes = Axes::of(&matrix, train, dtype);
        Self { matrix: matrix.along(&axes.tensor()), axes: Some(axes) }
    }
}

/// Vectors, what is to be said of them, and what is trained to say it.
pub struct Lesson<'a> {
    /// The vectors.
    pub material: &'a Material,
    /// What is to be said of them.
    pub targets: &'a Targets,
    /// The rows that are learned from.
    pub train: Range<usize>,
    /// What is trained.
    pub probe: Probe,
    /// Decides how a hidden layer begins.
    pub seed: u64,
}

/// A trained probe.
#[derive(Debug, Clone)]
pub struct Trained {
    parameters: Vec<f64>,
    /// The strength of the penalty on its weights.
    pub l2: f64,
    /// Steps that led to it.
    pub iterations: usize,
    /// Whether it is the minimum.
    pub converged: bool,
}

impl Lesson<'_> {
    /// The probe of the strength with which the loss over the rows `development` is least, of those that are tried, from
    /// the strongest on, until it rises. `tried` is called after each.
    ///
    /// # Errors
    /// Those of `tried`.
    pub fn choose<E>(
        &self,
        development: Range<usize>,
        mut tried: impl FnMut() -> Result<(), E>,
    ) -> Result<Trained, E> {
        let development = self.known_classes(development);
        let mut best: Option<(f64, Trained)> = None;
        let mut last: Option<Trained> = None;
        for &l2 in self.targets.strengths() {
            // A hidden layer that a strong penalty has put out stays so.
            let start = last.as_ref().filter(|_| self.probe == Probe::Linear);
            let trained = self.fit(l2, self.train.clone(), start, FloatDType::F32);
            let loss = self.loss(&trained, &development);
            tried()?;
            if !loss.is_finite() {
                continue;
            }
            match &best {
                // Once it learns rows by heart, a weaker penalty makes it worse.
                Some((least, _)) if loss > RISE * least => break,
                Some((least, _)) if loss >= *least => {}
                _ => best = Some((loss, trained.clone())),
            }
            last = Some(trained);
        }
        let Some((_, near)) = best else { return Ok(self.nothing()) };
        if self.probe == Probe::Mlp {
            return Ok(near);
        }
        Ok(self.fit(near.l2, self.train.clone(), Some(&near), FloatDType::F64))
    }

    /// The probe of one strength, learned from `rows`, which are among the lesson's.
    pub fn fit(
        &self,
        l2: f64,
        rows: Range<usize>,
        start: Option<&Trained>,
        precision: FloatDType,
    ) -> Trained {
        if let (Some(axes), Targets::Numbers(numbers)) = (&self.material.axes, self.targets) {
            return Trained {
                parameters: self.ridge(axes, numbers, rows, l2),
                l2,
                iterations: 0,
                converged: true,
            };
        }
        let network = self.network();
        let penalty = l2 / rows.len() as f64;
        let loss = |parameters: &[f64], gradient: &mut [f64]| {
            let weights = network.weights(parameters, precision);
            let count = rows.len() as f64;
            let sums = self.material.matrix.sum(rows.clone(), 1 + gradient.len(), |block| {
                let row = rows.start + block.first;
                weights.loss(block, row, self.targets)
            });
            gradient.iter_mut().zip(&sums[1..]).for_each(|(derivative, sum)| *derivative = sum / count);
            network.penalize(penalty, parameters, sums[0] / count, gradient)
        };
        let begun = std::time::Instant::now();
        let noise = if precision == FloatDType::F64 { 1e-14 } else { 1e-9 };
        let start = start.map_or_else(|| self.begin(), |trained| trained.parameters.clone());
        let Minimum { parameters, iterations, converged } = match &self.material.axes {
            None => minimize(start, OF_HIDDEN, STEPS_OF_HIDDEN, noise, loss),
            Some(axes) => {
                // Nowhere does the loss bend less than the penalty.
                let exact = (EXACT * penalty.sqrt()).clamp(*AT.start(), *AT.end());
                let (tolerance, steps) =
                    if precision == FloatDType::F64 { (exact, STEPS) } else { (NEAR, STEPS_NEAR) };
                let scales = self.scales(axes, &start, rows.clone(), penalty);
                let scaled = start.iter().zip(&scales).map(|(parameter, scale)| parameter * scale).collect();
                let unscaled =
                    |place: &[f64]| place.iter().zip(&scales).map(|(p, scale)| p / scale).collect();
                let minimum = minimize(scaled, tolerance, steps, noise, |place, gradient| {
                    let parameters: Vec<f64> = unscaled(place);
                    let value = loss(&parameters, gradient);
                    gradient.iter_mut().zip(&scales).for_each(|(derivative, scale)| *derivative /= scale);
                    value
                });
                Minimum { parameters: unscaled(&minimum.parameters), ..minimum }
            }
        };
        let seconds = begun.elapsed().as_secs_f64();
        tracing::debug!(
            l2,
            rows = rows.len(),
            iterations,
            converged,
            ?precision,
            seconds,
            "a probe is trained"
        );
        Trained { parameters, l2, iterations, converged }
    }

    /// The square root of the loss's second derivative by each parameter, as far as the spread along each axis and the
    /// doubt about each class at the start tell.
    fn scales(&self, axes: &Axes, start: &[f64], rows: Range<usize>, penalty: f64) -> Vec<f64> {
        let weights = self.network().weights(start, FloatDType::F32);
        let outputs = self.targets.outputs();
        let mut doubts = self.material.matrix.sum(rows.clone(), outputs, |block| {
            let mut doubts = vec![0.0; outputs];
            for row in weights.outputs(block).chunks_exact_mut(outputs) {
                self.targets.probabilities(row);
                doubts.iter_mut().zip(row).for_each(|(doubt, p)| *doubt += *p * (1.0 - *p));
            }
            doubts
        });
        doubts.iter_mut().for_each(|doubt| *doubt = (*doubt / rows.len() as f64).max(LEAST_DOUBT));
        let of_weights = doubts.iter().flat_map(|doubt| {
            axes.variances.iter().map(move |variance| (doubt * variance + penalty).max(1e-12).sqrt())
        });
        of_weights.chain(doubts.iter().map(|doubt| doubt.sqrt())).collect()
    }

    /// Weights along the axes and, after them, the bias that minimize half the sum of squares and half of `l2` times the
    /// sum of the weights' squares.
    fn ridge(&self, axes: &Axes, numbers: &[f64], rows: Range<usize>, l2: f64) -> Vec<f64> {
        let count = rows.len() as f64;
        let mean = numbers[rows.clone()].iter().sum::<f64>() / count;
        let products = self.material.matrix.sum(rows.clone(), axes.variances.len(), |block| {
            let of = &numbers[rows.start + block.first..][..block.rows];
            let centred: Vec<f64> = of.iter().map(|number| number - mean).collect();
            let row = matrix::tensor(&centred, [1, block.rows], FloatDType::F64);
            matrix::numbers(row.matmul(block.values.cast(FloatDType::F64)))
        });
        let of_axis = |(product, variance): (f64, &f64)| {
            let divisor = variance * count + l2;
            if divisor > 0.0 { product / divisor } else { 0.0 }
        };
        products.into_iter().zip(&axes.variances).map(of_axis).chain([mean]).collect()
    }

    /// The rows of a side whose class, if they have one, is learned: no penalty makes the others likely.
    fn known_classes(&self, rows: Range<usize>) -> Vec<bool> {
        let Targets::Classes { of, count } = self.targets else { return vec![true; rows.len()] };
        let mut learned = vec![false; *count];
        of[self.train.clone()].iter().for_each(|&class| learned[class as usize] = true);
        of[rows].iter().map(|&class| learned[class as usize]).collect()
    }

    /// The mean loss over the rows after those that are learned from that `count`.
    fn loss(&self, trained: &Trained, count: &[bool]) -> f64 {
        let first = self.train.end;
        let losses = self.each_output(trained, first..first + count.len(), |row, outputs| {
            if count[row - first] { self.targets.loss(row, outputs) } else { 0.0 }
        });
        losses.into_iter().sum::<f64>() / count.iter().filter(|counts| **counts).count().max(1) as f64
    }

    /// The bits that say the classes of some rows to whoever has the probe. As a probe has not seen every class when
    /// little is learned, it shares one row's worth of belief among all of them.
    pub fn bits(&self, trained: &Trained, rows: Range<usize>, learned: usize) -> f64 {
        let Targets::Classes { count, .. } = self.targets else { return f64::NAN };
        let doubt = 1.0 / (learned as f64 + 1.0);
        let bits = self.each_output(trained, rows, |row, outputs| {
            let probability = (-self.targets.loss(row, outputs)).exp();
            -((1.0 - doubt) * probability + doubt / *count as f64).log2()
        });
        bits.into_iter().sum()
    }

    /// What a probe says of some rows.
    pub fn predict(&self, trained: &Trained, rows: Range<usize>) -> Predictions {
        let said = self.each_output(trained, rows, |_, outputs| self.targets.said(outputs));
        self.targets.predictions(said)
    }

    /// What `of` makes of each row's outputs, block by block: those of all rows and classes may be many.
    fn each_output(
        &self,
        trained: &Trained,
        rows: Range<usize>,
        of: impl Fn(usize, &mut [f64]) -> f64 + Sync,
    ) -> Vec<f64> {
        let weights = self.network().weights(&trained.parameters, FloatDType::F64);
        let (first, width) = (rows.start, self.targets.outputs());
        let of_block = |block: matrix::Block| {
            let row = first + block.first;
            let mut outputs = weights.outputs(block);
            outputs
                .chunks_exact_mut(width)
                .enumerate()
                .map(|(index, row_of)| of(row + index, row_of))
                .collect::<Vec<f64>>()
        };
        self.material.matrix.map(rows, of_block).concat()
    }

    fn network(&self) -> Network {
        let hidden = (self.probe == Probe::Mlp).then_some(UNITS);
        Network { width: self.material.matrix.width(), hidden, outputs: self.targets.outputs() }
    }

    /// Parameters before the first step: for a linear probe 0, for a hidden layer after He et al. (2015).
    fn begin(&self) -> Vec<f64> {
        let network = self.network();
        let Some(units) = network.hidden else { return vec![0.0; network.count()] };
        let mut generator = ChaCha8Rng::seed_from_u64(self.seed);
        let first = units * (network.width + 1);
        let scale = |place: usize| (2.0 / if place < first { network.width } else { units } as f64).sqrt();
        let one = |(place, is_weight): (usize, bool)| {
            let drawn: f64 = StandardNormal.sample(&mut generator);
            if is_weight { drawn * scale(place) } else { 0.0 }
        };
        network.is_weight().into_iter().enumerate().map(one).collect()
    }

    fn nothing(&self) -> Trained {
        Trained { parameters: vec![0.0; self.network().count()], l2: 0.0, iterations: 0, converged: false }
    }
}
