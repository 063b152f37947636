//! Other groups that might as well have been asked: drawn again, with replacement.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::{Draw, generator};
use crate::score::below;

/// The groups that any seed asks, of which each resample has some several times and others not at all: the same for all
/// seeds and for whatever is scored, so that what they share is not taken for independent.
#[derive(Debug, Clone)]
pub struct Universe {
    numbers: BTreeMap<u32, u32>,
    seed: u64,
    resamples: usize,
}

impl Universe {
    /// `asked` are the groups of the rows that the seeds ask.
    pub fn new(asked: impl IntoIterator<Item = u32>, seed: u64, resamples: usize) -> Self {
        let mut numbers: BTreeMap<u32, u32> = asked.into_iter().map(|group| (group, 0)).collect();
        numbers.values_mut().zip(0..).for_each(|(number, next)| *number = next);
        Self { numbers, seed, resamples }
    }

    /// How often each group is in a resample.
    fn times(&self, resample: usize) -> Vec<u32> {
        let mut generator = generator(self.seed, Draw::Resample(resample as u32));
        let mut times = vec![0_u32; self.numbers.len()];
        for _ in 0..self.numbers.len() {
            times[below(&mut generator, self.numbers.len())] += 1;
        }
        times
    }
}

/// The rows that one seed asks.
pub struct Resampling {
    universe: Universe,
    /// For each row the number of its group.
    of: Vec<u32>,
    groups: usize,
}

impl Resampling {
    /// `groups` are those of the rows that are asked.
    pub fn new(universe: &Universe, groups: &[u32]) -> Self {
        let of: Vec<u32> = groups.iter().filter_map(|group| universe.numbers.get(group).copied()).collect();
        let mut own = of.clone();
        own.sort_unstable();
        own.dedup();
        Self { universe: universe.clone(), of, groups: own.len() }
    }

    /// How many groups the rows are of.
    pub fn groups(&self) -> usize {
        self.groups
    }

    /// What `score` is of each resample, which says of each row how often it is there; not a number where none is.
    pub fn scores(&self, score: impl Fn(&[u32]) -> f64 + Sync) -> Vec<f64> {
        let one = |resample: usize| {
            let times = self.universe.times(resample);
            let weights: Vec<u32> = self.of.iter().map(|&group| times[group as usize]).collect();
            if weights.iter().all(|&weight| weight == 0) { f64::NAN } else { score(&weights) }
        };
        (0..self.universe.resamples).into_par_iter().map(one).collect()
    }

    /// What `score` is of the rows as they are.
    pub fn score(&self, score: impl Fn(&[u32]) -> f64) -> f64 {
        score(&vec![1; self.of.len()])
    }
}
