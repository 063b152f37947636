//! Scores of classes. A row counts as often as its weight says.

/// The share of rows whose class was said.
pub fn accuracy(of: &[u32], said: &[u32], weights: &[u32]) -> f64 {
    let (mut right, mut all) = (0_u64, 0_u64);
    for ((of, said), &weight) in of.iter().zip(said).zip(weights) {
        all += u64::from(weight);
        right += u64::from(weight) * u64::from(of == said);
    }
    right as f64 / all as f64
}

/// The mean over classes of the harmonic mean of precision and recall, over those that some row is of or was said to
/// be of.
pub fn macro_f1(of: &[u32], said: &[u32], weights: &[u32], classes: usize) -> f64 {
    let (mut right, mut there, mut named) =
        (vec![0_u64; classes], vec![0_u64; classes], vec![0_u64; classes]);
    for ((&of, &said), &weight) in of.iter().zip(said).zip(weights) {
        let weight = u64::from(weight);
        there[of as usize] += weight;
        named[said as usize] += weight;
        if of == said {
            right[of as usize] += weight;
        }
    }
    let seen = (0..classes).filter(|&class| there[class] + named[class] > 0);
    let scores = seen.map(|class| 2.0 * right[class] as f64 / (there[class] + named[class]) as f64);
    let scores: Vec<f64> = scores.collect();
    scores.iter().sum::<f64>() / scores.len() as f64
}

/// How many rows of each class (outer) were said to be of each.
pub fn confusion(of: &[u32], said: &[u32], classes: usize) -> Vec<Vec<u64>> {
    let mut counts = vec![vec![0; classes]; classes];
    for (&of, &said) in of.iter().zip(said) {
        counts[of as usize][said as usize] += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    // scikit-learn 1.9: accuracy_score and f1_score(average="macro").
    #[test]
    fn scores_are_those_of_scikit_learn() {
        let (of, said) = ([0, 0, 1, 1, 2, 2, 2], [0, 1, 1, 1, 2, 0, 2]);
        assert!((accuracy(&of, &said, &[1; 7]) - 0.714_285_714_285_714_3).abs() < 1e-15);
        assert!((macro_f1(&of, &said, &[1; 7], 3) - 0.7).abs() < 1e-15);
        // A class that nobody is of and nobody named does not count.
        assert!((macro_f1(&of, &said, &[1; 7], 5) - 0.7).abs() < 1e-15);
        assert_eq!(accuracy(&of, &said, &[0, 3, 1, 0, 0, 0, 0]), 0.25);
        assert_eq!(confusion(&of, &said, 3), [[1, 1, 0], [0, 2, 0], [1, 0, 2]]);
    }
}
