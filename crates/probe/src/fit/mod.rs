//! Vectors and labels to probes.

mod lbfgs;
mod matrix;
mod mix;
mod network;
mod ridge;
mod targets;
mod whitening;

use std::ops::Range;

use burn::tensor::FloatDType;
use chacha20::ChaCha8Rng;
use chacha20::rand_core::SeedableRng;
use rand_distr::{Distribution, StandardNormal};

use crate::settings::Probe;
use lbfgs::{Minimum, minimize};
pub use matrix::{Matrix, Rows};
pub use mix::mix;
use network::Network;
use ridge::Ridge;
pub use targets::{Predictions, Targets};
use whitening::Whitening;

/// Units of the hidden layer of an MLP.
const UNITS: usize = 64;
/// Largest derivative of the mean loss at which a minimum is near enough to compare strengths, and at which it is one.
const NEAR: f64 = 1e-4;
const AT: f64 = 1e-7;
/// The same for a hidden layer, whose minima are many and none is the right one.
const OF_HIDDEN: f64 = 1e-4;
/// Steps before a minimum is given up.
const STEPS: usize = 2000;
const STEPS_OF_HIDDEN: usize = 500;

/// A vector column, what is to be said of its rows, and what is trained to say it.
pub struct Lesson<'a> {
    /// The vectors.
    pub matrix: &'a Matrix,
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

/// What is known of vectors before anything is learned of them.
pub struct Known {
    gram: Vec<f64>,
    ridge: Option<Ridge>,
}

impl Lesson<'_> {
    /// What all probes of these rows begin with.
    pub fn study(&self) -> Known {
        let (gram, ridge) = match (self.probe, self.targets) {
            (Probe::Linear, Targets::Classes { .. }) => {
                (self.matrix.gram(self.train.clone(), FloatDType::F32), None)
            }
            (Probe::Linear, Targets::Numbers(numbers)) => {
                (Vec::new(), Some(Ridge::new(self.matrix, self.train.clone(), &numbers[self.train.clone()])))
            }
            (Probe::Mlp, _) => (Vec::new(), None),
        };
        Known { gram, ridge }
    }

    /// The probe of the strength with which the loss over the rows `development` is least. `tried` is called after each.
    ///
    /// # Errors
    /// Those of `tried`.
    pub fn choose<E>(
        &self,
        known: &Known,
        development: Range<usize>,
        mut tried: impl FnMut() -> Result<(), E>,
    ) -> Result<Trained, E> {
        let mut best: Option<(f64, Trained)> = None;
        let mut last: Option<Trained> = None;
        for &l2 in self.targets.strengths() {
            let trained = self.fit(known, l2, self.train.clone(), last.as_ref(), FloatDType::F32);
            let loss = self.loss(&trained, development.clone());
            if best.as_ref().is_none_or(|(least, _)| loss < *least) {
                best = Some((loss, trained.clone()));
            }
            last = Some(trained);
            tried()?;
        }
        let Some((_, near)) = best else { return Ok(self.nothing()) };
        Ok(self.fit(known, near.l2, self.train.clone(), Some(&near), FloatDType::F64))
    }

    /// The probe of one strength, learned from `rows`, which are among the lesson's.
    pub fn fit(
        &self,
        known: &Known,
        l2: f64,
        rows: Range<usize>,
        start: Option<&Trained>,
        precision: FloatDType,
    ) -> Trained {
        if let Some(ridge) = &known.ridge {
            return match ridge.solve(l2) {
                Some(parameters) => Trained { parameters, l2, iterations: 0, converged: true },
                None => Trained { l2, ..self.nothing() },
            };
        }
        let network = self.network();
        let penalty = l2 / rows.len() as f64;
        let is_weight = network.is_weight();
        let loss = |parameters: &[f64], gradient: &mut [f64]| {
            let weights = network.weights(parameters, precision);
            let count = rows.len() as f64;
            let sums = self.matrix.sum(rows.clone(), 1 + gradient.len(), |block| {
                let row = rows.start + block.first;
                weights.loss(block, row, self.targets)
            });
            let mut value = sums[0] / count;
            for (place, derivative) in gradient.iter_mut().enumerate() {
                let own = if is_weight[place] { parameters[place] } else { 0.0 };
                *derivative = sums[1 + place] / count + penalty * own;
                value += penalty * own * own / 2.0;
            }
            value
        };
        let noise = if precision == FloatDType::F64 { 1e-14 } else { 1e-9 };
        let start = start.map_or_else(|| self.begin(), |trained| trained.parameters.clone());
        let whitening = match self.probe {
            Probe::Linear => {
                Whitening::new(&known.gram, self.train.len(), penalty, network.width, network.outputs)
            }
            Probe::Mlp => None,
        };
        let Minimum { parameters, iterations, converged } = match &whitening {
            None => minimize(start, OF_HIDDEN, STEPS_OF_HIDDEN, noise, loss),
            Some(whitening) => {
                let tolerance = if precision == FloatDType::F64 { AT } else { NEAR };
                let minimum =
                    minimize(whitening.to_place(start), tolerance, STEPS, noise, |place, gradient| {
                        let value = loss(&whitening.to_parameters(place.to_vec()), gradient);
                        whitening.to_gradient(gradient);
                        value
                    });
                Minimum { parameters: whitening.to_parameters(minimum.parameters), ..minimum }
            }
        };
        Trained { parameters, l2, iterations, converged }
    }

    /// The mean loss over some rows.
    pub fn loss(&self, trained: &Trained, rows: Range<usize>) -> f64 {
        let outputs = self.targets.outputs();
        let mut at = self.outputs(trained, rows.clone());
        let losses = at.chunks_exact_mut(outputs).zip(rows.clone());
        losses.map(|(outputs, row)| self.targets.loss(row, outputs)).sum::<f64>() / rows.len() as f64
    }

    /// The bits that say the classes of some rows to whoever has the probe. As a probe has not seen every class when
    /// little is learned, it shares one row's worth of belief among all of them.
    pub fn bits(&self, trained: &Trained, rows: Range<usize>, learned: usize) -> f64 {
        let Targets::Classes { count, .. } = self.targets else { return f64::NAN };
        let outputs = self.targets.outputs();
        let doubt = 1.0 / (learned as f64 + 1.0);
        let mut at = self.outputs(trained, rows.clone());
        let rows = at.chunks_exact_mut(outputs).zip(rows);
        let probabilities = rows.map(|(outputs, row)| (-self.targets.loss(row, outputs)).exp());
        probabilities.map(|p| -((1.0 - doubt) * p + doubt / *count as f64).log2()).sum()
    }

    /// What a probe says of some rows.
    pub fn predict(&self, trained: &Trained, rows: Range<usize>) -> Predictions {
        self.targets.predictions(&self.outputs(trained, rows))
    }

    fn outputs(&self, trained: &Trained, rows: Range<usize>) -> Vec<f64> {
        let weights = self.network().weights(&trained.parameters, FloatDType::F64);
        self.matrix.map(rows, |block| weights.outputs(block)).concat()
    }

    fn network(&self) -> Network {
        let hidden = (self.probe == Probe::Mlp).then_some(UNITS);
        Network { width: self.matrix.width(), hidden, outputs: self.targets.outputs() }
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

impl Trained {
    /// Weights and biases, as [`Lesson`] lays them out.
    pub fn parameters(&self) -> &[f64] {
        &self.parameters
    }
}
