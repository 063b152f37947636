//! Scores of numbers. A row counts as often as its weight says.

/// The share of the variance that is explained; below 0 where the mean says more.
pub fn r_squared(of: &[f64], said: &[f64], weights: &[u32]) -> f64 {
    let count: f64 = weights.iter().map(|&weight| f64::from(weight)).sum();
    let sum = |term: &dyn Fn(usize) -> f64| -> f64 {
        weights.iter().enumerate().map(|(row, &weight)| f64::from(weight) * term(row)).sum()
    };
    let mean = sum(&|row| of[row]) / count;
    1.0 - sum(&|row| (of[row] - said[row]).powi(2)) / sum(&|row| (of[row] - mean).powi(2))
}

/// The correlation of ranks, of which equal numbers share the mean. `orders` are the rows by either's size.
pub fn spearman(of: &[f64], said: &[f64], orders: [&[u32]; 2], weights: &[u32]) -> f64 {
    let ranks = [ranks(of, orders[0], weights), ranks(said, orders[1], weights)];
    let count: f64 = weights.iter().map(|&weight| f64::from(weight)).sum();
    let mean = (count + 1.0) / 2.0;
    let sum = |a: &[f64], b: &[f64]| -> f64 {
        let products = a.iter().zip(b).map(|(a, b)| (a - mean) * (b - mean));
        products.zip(weights).map(|(product, &weight)| f64::from(weight) * product).sum()
    };
    let [a, b] = &ranks;
    sum(a, b) / (sum(a, a) * sum(b, b)).sqrt()
}

/// The rows by size.
pub fn order(values: &[f64]) -> Vec<u32> {
    let mut order: Vec<u32> = (0..values.len() as u32).collect();
    order.sort_by(|&a, &b| values[a as usize].total_cmp(&values[b as usize]));
    order
}

/// The rank of each row among rows that are there as often as their weights say.
fn ranks(values: &[f64], order: &[u32], weights: &[u32]) -> Vec<f64> {
    let mut ranks = vec![0.0; values.len()];
    let mut before = 0.0;
    for equal in order.chunk_by(|&a, &b| values[a as usize] == values[b as usize]) {
        let count: f64 = equal.iter().map(|&row| f64::from(weights[row as usize])).sum();
        for &row in equal {
            ranks[row as usize] = before + (count + 1.0) / 2.0;
        }
        before += count;
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    // scikit-learn 1.9's r2_score, SciPy 1.17's spearmanr.
    #[test]
    fn scores_are_those_of_scikit_learn_and_scipy() {
        let of = [3.0, -0.5, 2.0, 7.0, 2.0];
        let said = [2.5, 0.0, 2.0, 8.0, 8.0];
        let score = |weights: &[u32]| {
            [r_squared(&of, &said, weights), spearman(&of, &said, [&order(&of), &order(&said)], weights)]
        };
        let [r, s] = score(&[1; 5]);
        assert!((r + 0.258_389_261_744_966_35).abs() < 1e-12, "{r}");
        assert!((s - 0.710_526_315_789_473_8).abs() < 1e-12, "{s}");
        // Twice as heavy is the same as twice there.
        let twice = |values: &[f64]| [values, &values[..2]].concat();
        let (of2, said2) = (twice(&of), twice(&said));
        let [r, s] = score(&[2, 2, 1, 1, 1]);
        assert!((r - r_squared(&of2, &said2, &[1; 7])).abs() < 1e-12);
        let expected = spearman(&of2, &said2, [&order(&of2), &order(&said2)], &[1; 7]);
        assert!((s - expected).abs() < 1e-12);
    }
}
