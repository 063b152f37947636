//! What is kept of the hidden states of a batch, while they pass by.

use std::collections::HashMap;

use burn::tensor::{Bool, Tensor};

use crate::extract::pool::pool;
use crate::ops::layout::Block;
use crate::request::columns::{Column, Origin};
use crate::{Combine, Features, Pooling};

/// A block with `[rows, len]`, true where a token counts; absent where all do.
pub(crate) type CountedBlock = (Block, Option<Tensor<2, Bool>>);

/// The pooled vectors of one batch, gathered while the hidden states pass by.
pub(crate) struct PooledLayers<'a> {
    features: &'a Features,
    blocks: &'a [CountedBlock],
    pooled: HashMap<(usize, Pooling), Tensor<2>>,
    sum: LayerSum,
}

impl<'a> PooledLayers<'a> {
    pub(crate) fn new(features: &'a Features, blocks: &'a [CountedBlock]) -> Self {
        Self { features, blocks, pooled: HashMap::new(), sum: LayerSum::default() }
    }

    pub(crate) fn add(&mut self, layer: usize, hidden: &Tensor<2>) {
        match self.features.combine {
            Combine::Sum | Combine::Mean => self.sum.add(self.features, layer, hidden),
            Combine::None | Combine::Concat | Combine::Stack => {
                if !self.features.layers.contains(&layer) {
                    return;
                }
                let of_states = |column: &&Column| matches!(column.origin, Origin::Layer(_) | Origin::Chosen);
                for column in self.features.columns().iter().filter(of_states) {
                    self.pooled
                        .entry((layer, column.pooling))
                        .or_insert_with(|| pool_blocks(column.pooling, hidden, self.blocks));
                }
            }
        }
    }

    /// `[rows, column.width()]`
    pub(crate) fn column(&self, column: &Column) -> Tensor<2> {
        if let Some(combined) = self.sum.clone().finish(self.features) {
            return pool_blocks(column.pooling, &combined, self.blocks);
        }
        let layers = match column.origin {
            Origin::Layer(layer) => vec![layer],
            Origin::Chosen | Origin::Pooler | Origin::Sentence | Origin::Attention(..) => {
                self.features.layers.clone()
            }
        };
        // A stack is a concatenation in memory; only its type tells them apart.
        Tensor::cat(layers.iter().map(|&layer| self.pooled[&(layer, column.pooling)].clone()).collect(), 1)
    }
}

/// The sum of the chosen layers' hidden states, while they pass by.
#[derive(Clone, Default)]
pub(crate) struct LayerSum(Option<Tensor<2>>);

impl LayerSum {
    pub(crate) fn add(&mut self, features: &Features, layer: usize, hidden: &Tensor<2>) {
        let times = features.layers.iter().filter(|&&chosen| chosen == layer).count();
        if times > 0 {
            let share = hidden.clone() * times as f32;
            self.0 = Some(match self.0.take() {
                Some(sum) => sum + share,
                None => share,
            });
        }
    }

    /// The sum, or the mean where that is asked for; none where neither is.
    pub(crate) fn finish(self, features: &Features) -> Option<Tensor<2>> {
        match features.combine {
            Combine::Mean => self.0.map(|sum| sum / features.layers.len() as f32),
            _ => self.0,
        }
    }
}

/// `[tokens, hidden_size]` to `[rows, width]`.
fn pool_blocks(pooling: Pooling, hidden: &Tensor<2>, blocks: &[CountedBlock]) -> Tensor<2> {
    let pooled = blocks.iter().map(|(block, counted)| pool(pooling, &block.of(hidden), counted.as_ref()));
    Tensor::cat(pooled.collect(), 0)
}
