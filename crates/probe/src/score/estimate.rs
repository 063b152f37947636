//! A figure with its interval.

use chacha20::ChaCha8Rng;
use chacha20::rand_core::{Rng, SeedableRng};
use serde::Serialize;

/// The share of resamples that an interval holds.
const HELD: f64 = 0.95;

/// A figure, and the 95 % interval around it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    /// The mean over seeds.
    pub value: f64,
    /// The lower end of the interval.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// A figure for each seed, and what it would have been of other rows.
#[derive(Debug, Clone, Default)]
pub struct Resampled {
    /// The figure of each seed.
    pub values: Vec<f64>,
    /// For each seed the figure of each resample.
    pub resamples: Vec<Vec<f64>>,
}

impl Resampled {
    /// Adds a seed.
    pub fn push(&mut self, value: f64, resamples: Vec<f64>) {
        self.values.push(value);
        self.resamples.push(resamples);
    }

    /// How much larger it is than another of the same rows.
    pub fn minus(&self, other: &Self) -> Self {
        let difference = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<f64>>();
        let resamples = self.resamples.iter().zip(&other.resamples);
        Self {
            values: difference(&self.values, &other.values),
            resamples: resamples.map(|(a, b)| difference(a, b)).collect(),
        }
    }

    /// The mean over seeds, and the middle 95 % of what it is where seeds and rows are drawn again, with replacement.
    pub fn estimate(&self, seed: u64) -> Estimate {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        let (seeds, resamples) = (self.values.len(), self.resamples.first().map_or(0, Vec::len));
        let mut means: Vec<f64> = (0..resamples)
            .map(|resample| {
                let drawn = (0..seeds).map(|_| self.resamples[below(&mut generator, seeds)][resample]);
                drawn.sum::<f64>() / seeds as f64
            })
            .collect();
        // A resample without variance, or without any row, has no score.
        means.retain(|mean| mean.is_finite());
        means.sort_by(f64::total_cmp);
        let value = self.values.iter().sum::<f64>() / seeds as f64;
        let at = |share: f64| {
            let place = share * means.len().saturating_sub(1) as f64;
            let (low, part) = (place as usize, place.fract());
            match means.get(low..) {
                Some([below, above, ..]) => below + part * (above - below),
                Some([only]) => *only,
                _ => value,
            }
        };
        Estimate { value, low: at((1.0 - HELD) / 2.0), high: at((1.0 + HELD) / 2.0) }
    }
}

/// A number below `count`, each as likely to within 2⁻³² of its likelihood.
pub fn below(generator: &mut impl Rng, count: usize) -> usize {
    ((u128::from(generator.next_u64()) * count as u128) >> 64) as usize
}
