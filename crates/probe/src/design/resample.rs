//! Other rows that might as well have been asked: groups drawn again, with replacement.

use rayon::prelude::*;

use super::{Draw, generator};
use crate::score::below;

/// The groups of the rows that are asked.
pub struct Resampling {
    /// For each row the number of its group.
    of: Vec<u32>,
    groups: usize,
    seed: u64,
    resamples: usize,
}

impl Resampling {
    /// `groups` are those of the rows that are asked.
    pub fn new(groups: &[u32], seed: u64, resamples: usize) -> Self {
        let mut numbers = std::collections::HashMap::new();
        let of = groups.iter().map(|&group| {
            let next = numbers.len() as u32;
            *numbers.entry(group).or_insert(next)
        });
        let of = of.collect();
        Self { of, groups: numbers.len(), seed, resamples }
    }

    /// How many groups are drawn from.
    pub fn groups(&self) -> usize {
        self.groups
    }

    /// What `score` is of each resample, which says of each row how often it is there. The same resamples for whatever
    /// is scored, so that differences can be taken.
    pub fn scores(&self, score: impl Fn(&[u32]) -> f64 + Sync) -> Vec<f64> {
        let one = |resample: usize| {
            let mut generator = generator(self.seed, Draw::Resample(resample as u32));
            let mut times = vec![0_u32; self.groups];
            for _ in 0..self.groups {
                times[below(&mut generator, self.groups)] += 1;
            }
            let weights: Vec<u32> = self.of.iter().map(|&group| times[group as usize]).collect();
            score(&weights)
        };
        (0..self.resamples).into_par_iter().map(one).collect()
    }

    /// What `score` is of the rows as they are.
    pub fn score(&self, score: impl Fn(&[u32]) -> f64) -> f64 {
        score(&vec![1; self.of.len()])
    }
}
