//! Minimizes smooth functions of many parameters.

use std::collections::VecDeque;

/// Pairs of steps and changes of the gradient that the curvature is known from.
const MEMORY: usize = 12;
/// A step is taken if it brings this share of what the slope promises.
const SUFFICIENT: f64 = 1e-4;
/// Halvings of a step before it is given up.
const HALVINGS: usize = 30;

/// Where a minimization ended.
#[derive(Debug, Clone)]
pub struct Minimum {
    /// The parameters.
    pub parameters: Vec<f64>,
    /// Steps taken.
    pub iterations: usize,
    /// Whether no part of the gradient is larger than asked for.
    pub converged: bool,
}

/// Goes downhill from `start` until no part of the gradient is larger than `tolerance`, in at most `limit` steps
/// (L-BFGS: Liu and Nocedal, 1989). `evaluate` returns the value at a point, which is right to a share of `noise`, and
/// writes the gradient.
pub fn minimize(
    start: Vec<f64>,
    tolerance: f64,
    limit: usize,
    noise: f64,
    mut evaluate: impl FnMut(&[f64], &mut [f64]) -> f64,
) -> Minimum {
    let mut parameters = start;
    let mut gradient = vec![0.0; parameters.len()];
    let mut value = evaluate(&parameters, &mut gradient);
    let mut pairs: VecDeque<Pair> = VecDeque::with_capacity(MEMORY);
    let (mut next, mut next_gradient) = (parameters.clone(), gradient.clone());
    for iterations in 0..limit {
        if largest(&gradient) <= tolerance {
            return Minimum { parameters, iterations, converged: true };
        }
        let mut direction = newton_direction(&gradient, &pairs);
        let mut slope = dot(&direction, &gradient);
        if slope >= 0.0 {
            // What is remembered no longer fits.
            pairs.clear();
            direction = gradient.iter().map(|g| -g).collect();
            slope = -dot(&gradient, &gradient);
        }
        // Nothing is known of the curvature at first, and a unit step may be far too long.
        let mut step = if pairs.is_empty() { 1.0 / dot(&gradient, &gradient).sqrt().max(1.0) } else { 1.0 };
        let mut is_down = false;
        for _ in 0..HALVINGS {
            for ((next, at), d) in next.iter_mut().zip(&parameters).zip(&direction) {
                *next = at + step * d;
            }
            let next_value = evaluate(&next, &mut next_gradient);
            // Near the minimum, noise hides what the slope promises.
            if next_value <= value + SUFFICIENT * step * slope + noise * value.abs() {
                value = next_value;
                is_down = true;
                break;
            }
            step /= 2.0;
        }
        if !is_down {
            return Minimum { parameters, iterations, converged: false };
        }
        remember(&mut pairs, &parameters, &next, &gradient, &next_gradient);
        std::mem::swap(&mut parameters, &mut next);
        std::mem::swap(&mut gradient, &mut next_gradient);
    }
    let converged = largest(&gradient) <= tolerance;
    Minimum { parameters, iterations: limit, converged }
}

/// A step, and how it changed the gradient.
struct Pair {
    step: Vec<f64>,
    change: Vec<f64>,
    /// One over their product.
    scale: f64,
}

fn remember(pairs: &mut VecDeque<Pair>, from: &[f64], to: &[f64], before: &[f64], after: &[f64]) {
    let difference = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<f64>>();
    let (step, change) = (difference(to, from), difference(after, before));
    let product = dot(&step, &change);
    // A curvature that is not positive says nothing about a minimum.
    if product > 1e-12 * dot(&change, &change) {
        if pairs.len() == MEMORY {
            pairs.pop_front();
        }
        pairs.push_back(Pair { step, change, scale: 1.0 / product });
    }
}

/// Down along the gradient, bent by the curvature that `pairs` know.
fn newton_direction(gradient: &[f64], pairs: &VecDeque<Pair>) -> Vec<f64> {
    let mut direction: Vec<f64> = gradient.iter().map(|g| -g).collect();
    let mut shares = Vec::with_capacity(pairs.len());
    for pair in pairs.iter().rev() {
        let share = pair.scale * dot(&pair.step, &direction);
        add(&mut direction, -share, &pair.change);
        shares.push(share);
    }
    if let Some(last) = pairs.back() {
        let scale = 1.0 / (last.scale * dot(&last.change, &last.change));
        direction.iter_mut().for_each(|d| *d *= scale);
    }
    for (pair, share) in pairs.iter().zip(shares.into_iter().rev()) {
        let scale = share - pair.scale * dot(&pair.change, &direction);
        add(&mut direction, scale, &pair.step);
    }
    direction
}

fn add(to: &mut [f64], scale: f64, what: &[f64]) {
    to.iter_mut().zip(what).for_each(|(to, what)| *to += scale * what);
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn largest(values: &[f64]) -> f64 {
    // What is not a number is not small.
    values
        .iter()
        .fold(0.0, |largest, value| if value.is_nan() { f64::INFINITY } else { value.abs().max(largest) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rosenbrocks_valley_is_followed_to_its_end() {
        let minimum = minimize(vec![-1.2, 1.0], 1e-10, 200, 1e-14, |at, gradient| {
            let (a, b) = (at[0], at[1]);
            gradient[0] = -400.0 * a * (b - a * a) - 2.0 * (1.0 - a);
            gradient[1] = 200.0 * (b - a * a);
            100.0 * (b - a * a).powi(2) + (1.0 - a).powi(2)
        });
        assert!(minimum.converged, "{minimum:?}");
        assert!(minimum.parameters.iter().all(|p| (p - 1.0).abs() < 1e-8), "{minimum:?}");
    }

    #[test]
    fn too_few_steps_are_said() {
        let minimum = minimize(vec![5.0; 3], 1e-12, 1, 1e-14, |at, gradient| {
            for (index, (g, a)) in gradient.iter_mut().zip(at).enumerate() {
                *g = 2.0 * a * (index + 1) as f64;
            }
            at.iter().enumerate().map(|(index, a)| a * a * (index + 1) as f64).sum()
        });
        assert!(!minimum.converged && minimum.iterations == 1);
    }
}
