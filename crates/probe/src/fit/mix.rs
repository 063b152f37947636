//! A probe of all layers at once, which learns how much it takes of each (the scalar mix of Peters et al., 2018).

use std::ops::Range;

use burn::tensor::{FloatDType, Tensor};
use rayon::prelude::*;

use super::lbfgs::minimize;
use super::matrix::{Block, Matrix, numbers};
use super::network::Network;
use super::targets::{Predictions, Targets, softmax};
use super::{NEAR, STEPS_OF_HIDDEN};

/// What a probe of all layers has learned.
#[derive(Debug, Clone)]
pub struct Mix {
    /// How much it takes of each layer; together 1.
    pub weights: Vec<f64>,
    /// What it says of the rows that it was asked about.
    pub predictions: Predictions,
    /// Whether it is a minimum.
    pub converged: bool,
}

/// Trains a linear probe of a weighted mean of `layers`, which have the same rows and widths, on the rows `train`, and
/// asks it about the rows `asked`.
pub fn mix(layers: &[Matrix], targets: &Targets, train: Range<usize>, asked: Range<usize>, l2: f64) -> Mix {
    let (width, count) = (layers[0].width(), layers.len());
    let network = Network { width, hidden: None, outputs: targets.outputs() };
    let rows = train.len() as f64;
    let penalty = l2 / rows;
    let blocks = side_by_side(layers, train.clone());
    // The logits of the layers' shares, then the probe's parameters.
    let start = vec![0.0; count + network.count()];
    let minimum = minimize(start, NEAR, STEPS_OF_HIDDEN, 1e-9, |at, gradient| {
        let (shares, parameters) = (shares_of(&at[..count]), &at[count..]);
        let weights = network.weights(parameters, FloatDType::F32);
        let of_block = |layers: &Vec<Block>| {
            let row = train.start + layers[0].first;
            let (mut sums, by_outputs) = weights.loss_by_outputs(mixed(layers, &shares), row, targets);
            let by_inputs = weights.by_inputs(by_outputs);
            let along =
                |layer: &Block| numbers((layer.values.clone() * by_inputs.clone()).sum_dim(1).sum_dim(0))[0];
            sums.extend(layers.iter().map(along));
            sums
        };
        let sums: Vec<Vec<f64>> = blocks.par_iter().map(of_block).collect();
        let mut sum = vec![0.0; 1 + network.count() + count];
        for block in sums {
            sum.iter_mut().zip(block).for_each(|(sum, more)| *sum += more);
        }
        let of_probe = &mut gradient[count..];
        of_probe.iter_mut().zip(&sum[1..]).for_each(|(derivative, sum)| *derivative = sum / rows);
        let value = network.penalize(penalty, parameters, sum[0] / rows, of_probe);
        let along = &sum[1 + network.count()..];
        let mean: f64 = shares.iter().zip(along).map(|(share, along)| share * along).sum();
        for (layer, (share, along)) in shares.iter().zip(along).enumerate() {
            gradient[layer] = share * (along - mean) / rows;
        }
        value
    });
    let shares = shares_of(&minimum.parameters[..count]);
    let weights = network.weights(&minimum.parameters[count..], FloatDType::F32);
    let outputs = side_by_side(layers, asked)
        .iter()
        .flat_map(|layers| weights.outputs(mixed(layers, &shares)))
        .collect::<Vec<f64>>();
    let said = outputs.chunks_exact(targets.outputs()).map(|outputs| targets.said(outputs)).collect();
    Mix { weights: shares, predictions: targets.predictions(said), converged: minimum.converged }
}

/// The blocks of some rows, each of all layers.
fn side_by_side(layers: &[Matrix], rows: Range<usize>) -> Vec<Vec<Block>> {
    let mut all: Vec<Vec<Block>> = Vec::new();
    for layer in layers {
        for (index, block) in layer.blocks(rows.clone()).into_iter().enumerate() {
            if all.len() == index {
                all.push(Vec::new());
            }
            all[index].push(block);
        }
    }
    all
}

fn mixed(layers: &[Block], shares: &[f64]) -> Block {
    let terms = layers.iter().zip(shares).map(|(layer, &share)| layer.values.clone() * share as f32);
    let sum = terms.reduce(|a: Tensor<2>, b| a + b);
    Block {
        first: layers[0].first,
        rows: layers[0].rows,
        values: sum.unwrap_or_else(|| layers[0].values.clone()),
    }
}

/// The shares that logits stand for.
fn shares_of(logits: &[f64]) -> Vec<f64> {
    let mut shares = logits.to_vec();
    softmax(&mut shares);
    shares
}
