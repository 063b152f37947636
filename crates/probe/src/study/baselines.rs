//! What is right without looking at vectors.

use std::collections::HashMap;

use crate::fit::{Predictions, Targets, first_largest};
use crate::report::Baselines;
use crate::score::Resampled;
use crate::study::column::{Scores, Seeded};
use crate::study::rows::Subject;

/// The most frequent class of the rows that are learned from, or their mean; and the same for each type.
pub fn baselines(subject: &Subject, seeds: &[Seeded], seed: u64) -> Baselines {
    let (mut majority, mut by_type) = (Resampled::default(), Resampled::default());
    for Seeded { split, resampling, .. } in seeds {
        let targets = subject.labels.targets().arranged(split);
        let scores = Scores { targets: &targets, rows: split.test.clone(), resampling };
        let add = |of: &[u32], to: &mut Resampled| {
            let said = most_frequent(&targets, split.train.len(), of);
            let said = match said {
                Predictions::Classes(said) => Predictions::Classes(said[split.test.clone()].to_vec()),
                Predictions::Numbers(said) => Predictions::Numbers(said[split.test.clone()].to_vec()),
            };
            scores.add(&said, to, &mut Resampled::default());
        };
        add(&vec![0; split.order.len()], &mut majority);
        if let Some(types) = &subject.types {
            add(&split.arrange(types), &mut by_type);
        }
    }
    Baselines {
        majority: majority.estimate(seed),
        by_type: subject.types.is_some().then(|| by_type.estimate(seed)),
    }
}

/// What the first `learned` rows say of every row by its type; of a type that is not among them what all of them say.
fn most_frequent(targets: &Targets, learned: usize, types: &[u32]) -> Predictions {
    match targets {
        Targets::Numbers(of) => {
            let mut sums: HashMap<u32, (f64, f64)> = HashMap::new();
            for (&of, &number) in types[..learned].iter().zip(of) {
                let (sum, count) = sums.entry(of).or_default();
                *sum += number;
                *count += 1.0;
            }
            let all = of[..learned].iter().sum::<f64>() / learned as f64;
            Predictions::Numbers(
                types.iter().map(|of| sums.get(of).map_or(all, |(sum, count)| sum / count)).collect(),
            )
        }
        Targets::Classes { of, count } => {
            let mut counts: HashMap<u32, Vec<u32>> = HashMap::new();
            let mut all = vec![0_u32; *count];
            for (&kind, &class) in types[..learned].iter().zip(of) {
                counts.entry(kind).or_insert_with(|| vec![0; *count])[class as usize] += 1;
                all[class as usize] += 1;
            }
            let most = |counts: &Vec<u32>| first_largest(counts) as u32;
            let of_all = most(&all);
            let of_types: HashMap<u32, u32> =
                counts.iter().map(|(&kind, counts)| (kind, most(counts))).collect();
            Predictions::Classes(
                types.iter().map(|kind| of_types.get(kind).copied().unwrap_or(of_all)).collect(),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_has_its_most_frequent_class_and_an_unknown_one_that_of_all() {
        let targets = Targets::Classes { of: vec![0, 1, 1, 2, 2, 2, 0, 0], count: 3 };
        let said = most_frequent(&targets, 6, &[7, 7, 7, 8, 8, 7, 8, 9]);
        assert_eq!(said, Predictions::Classes(vec![1, 1, 1, 2, 2, 1, 2, 2]));
        let targets = Targets::Numbers(vec![1.0, 3.0, 8.0, 0.0]);
        assert_eq!(most_frequent(&targets, 3, &[7, 7, 8, 9]), Predictions::Numbers(vec![2.0, 2.0, 8.0, 4.0]));
    }
}
