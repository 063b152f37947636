//! Attention between content and distances.

use std::ops::Range;

use burn::tensor::activation::softmax;
use burn::tensor::{Device, FloatDType, Int, Tensor, TensorData};

use crate::checkpoint::architecture::{self, Distances, Relative};
use crate::checkpoint::weights::{Shapes, Weights};
use crate::model::linear::Linear;
use crate::model::norm::LayerNorm;
use crate::ops::layout::{Block, blocks};
use crate::{Compute, Config, Error};

/// Scores of attention as the sum of what a token's content says to another's content, what content
/// says to a distance, and what a distance says to content.
///
/// Source: `DisentangledSelfAttention` in
/// <https://github.com/huggingface/transformers/blob/main/src/transformers/models/deberta_v2/modeling_deberta_v2.py>
pub(crate) struct Disentangled {
    /// What scores are divided by.
    scale: f32,
    distances: Option<Distances>,
    /// Distances as keys of the content's queries, `[1, heads, head_size, 2 · span]`.
    keys: Option<Tensor<4>>,
    /// Distances as queries of the content's keys, of the same shape.
    queries: Option<Tensor<4>>,
}

const EMBEDDINGS: &str = "encoder.rel_embeddings.weight";
const NORM: &str = "encoder.LayerNorm";

/// Scores that are computed at a time, 64 MiB of them.
const MOST_SCORES: usize = 1 << 24;

impl Disentangled {
    /// Those that all layers share.
    pub(crate) fn shared_shapes(config: &Config, shapes: &mut Shapes) {
        let Relative::Disentangled(disentangled) = config.architecture.relative else { return };
        if let Some(distances) = disentangled.embeddings {
            let rows = distances.span.saturating_mul(2);
            shapes.insert(EMBEDDINGS.to_owned(), vec![rows, config.hidden_size]);
        }
        if disentangled.normalized {
            LayerNorm::shapes(NORM, config.hidden_size, config, shapes);
        }
    }

    /// Those of a layer.
    pub(crate) fn shapes(layer: &str, config: &Config, shapes: &mut Shapes) {
        let Relative::Disentangled(disentangled) = config.architecture.relative else { return };
        if disentangled.embeddings.is_none() || disentangled.shares_projections {
            return;
        }
        for (_, name) in projections(layer, &disentangled).into_iter().filter(|&(is_used, _)| is_used) {
            Linear::shapes(&name, config.hidden_size, config.hidden_size, true, shapes);
        }
    }

    /// None in families without it.
    pub(crate) fn load(
        layer: &str,
        weights: &Weights,
        config: &Config,
        device: &Device,
    ) -> Result<Option<Self>, Error> {
        let Relative::Disentangled(disentangled) = config.architecture.relative else { return Ok(None) };
        let (heads, head_size) = (config.num_attention_heads, config.head_size());
        let looks = [disentangled.content_to_position, disentangled.position_to_content];
        let summands = 1 + looks.into_iter().filter(|&is_used| is_used).count();
        let scale = ((head_size * summands) as f32).sqrt();
        let Some(distances) = disentangled.embeddings else {
            return Ok(Some(Self { scale, distances: None, keys: None, queries: None }));
        };
        let mut embeddings = weights.load::<2>(EMBEDDINGS, device)?;
        if disentangled.normalized {
            embeddings = LayerNorm::load(NORM, weights, config, device)?.forward(embeddings);
        }
        let rows = embeddings.dims()[0];
        let project = |(is_used, name): (bool, String)| {
            let project = || -> Result<Tensor<4>, Error> {
                let projection = Linear::load(&name, true, weights, device, Compute::Float32)?;
                let projected = projection.forward(embeddings.clone());
                Ok(projected.reshape([1, rows, heads, head_size]).permute([0, 2, 3, 1]))
            };
            is_used.then(project).transpose()
        };
        let [keys, queries] = projections(layer, &disentangled);
        Ok(Some(Self { scale, distances: Some(distances), keys: project(keys)?, queries: project(queries)? }))
    }

    /// From query, key and value side by side, `[tokens, 3 · hidden_size]`, to `[tokens, hidden_size]`.
    pub(crate) fn attend(&self, projected: Tensor<2>, lengths: &[usize], heads: usize) -> Tensor<2> {
        let dtype = projected.dtype();
        let projected = projected.cast(FloatDType::F32);
        let of_block = |block: Block| {
            let [query, key, value] = block.heads_of(&projected, heads);
            let [rows, _, len, head_size] = query.dims();
            let of_row = (heads * len).max(1);
            let rows_at_once = (MOST_SCORES / of_row / len.max(1)).clamp(1, rows);
            let queries_at_once = (MOST_SCORES / of_row).clamp(1, len.max(1));
            let context_of = |rows: Range<usize>, queries: Range<usize>| {
                let part = |of: &Tensor<4>| of.clone().narrow(0, rows.start, rows.len());
                let query = part(&query).narrow(2, queries.start, queries.len());
                let context = self.weights(query, part(&key), queries.clone()).matmul(part(&value));
                context.swap_dims(1, 2).reshape([rows.len() * queries.len(), heads * head_size])
            };
            // Queries of several rows are never cut, so tokens stay in their order.
            let slices = slices(rows, rows_at_once)
                .flat_map(|rows| slices(len, queries_at_once).map(move |queries| (rows.clone(), queries)));
            slices.map(|(rows, queries)| context_of(rows, queries)).collect::<Vec<_>>()
        };
        Tensor::cat(blocks(lengths).flat_map(of_block).collect(), 0).cast(dtype)
    }

    /// How much the tokens at these places look at each of their row, `[rows, heads, places, len]`, from
    /// their queries, `[rows, heads, places, head_size]`, and all keys.
    pub(crate) fn weights(&self, query: Tensor<4>, key: Tensor<4>, places: Range<usize>) -> Tensor<4> {
        let ([rows, heads, count, _], len) = (query.dims(), key.dims()[2]);
        let mut scores = query.clone().matmul(key.clone().swap_dims(2, 3));
        if let Some(distances) = self.distances {
            // What the others are to one token is a piece of what there is for all distances.
            let table = |outer: Range<usize>, inner: Range<usize>, row: &dyn Fn(i64) -> i64| {
                let most = len as i64 - 1;
                let of_all: Vec<i64> = (-most..=most).map(row).collect();
                let of_outer = |outer: usize| &of_all[len - 1 - outer..][inner.clone()];
                let shape = [1, 1, outer.len(), inner.len()];
                let rows = outer.map(of_outer).collect::<Vec<_>>().concat();
                Tensor::<4, Int>::from_data(TensorData::new(rows, shape), &query.device())
            };
            if let Some(keys) = &self.keys {
                let of_classes = query.clone().matmul(keys.clone());
                let rows_of = table(places.clone(), 0..len, &|after| distances.row(-after));
                scores = scores + of_classes.gather(3, rows_of.expand([rows, heads, count, len]));
            }
            if let Some(queries) = &self.queries {
                let of_classes = key.matmul(queries.clone());
                let rows_of = table(0..len, places, &|after| distances.row(after));
                let of_pairs = of_classes.gather(3, rows_of.expand([rows, heads, len, count]));
                scores = scores + of_pairs.swap_dims(2, 3);
            }
        }
        softmax(scores / self.scale, 3)
    }
}

/// `0..len` in ranges of at most `most`.
fn slices(len: usize, most: usize) -> impl Iterator<Item = Range<usize>> {
    (0..len).step_by(most).map(move |first| first..len.min(first + most))
}

/// The layers that project distances to keys and to queries, and whether they are needed.
fn projections(layer: &str, disentangled: &architecture::Disentangled) -> [(bool, String); 2] {
    let names =
        if disentangled.shares_projections { ["key", "query"] } else { ["pos_key_proj", "pos_query_proj"] };
    let [keys, queries] = names.map(|name| format!("{layer}.attention.self.{name}"));
    [(disentangled.content_to_position, keys), (disentangled.position_to_content, queries)]
}

impl Distances {
    /// The row of the embeddings for a query that stands `distance` tokens after the key.
    fn row(self, distance: i64) -> i64 {
        let span = self.span as i64;
        (self.class(distance) + span).clamp(0, 2 * span - 1)
    }

    /// Distances of one sign up to half of the span are classes of their own; beyond, classes get wider
    /// by a constant factor.
    fn class(self, distance: i64) -> i64 {
        let exact = self.span as i64 / 2;
        let apart = distance.abs();
        match self.farthest {
            Some(farthest) if apart > exact => {
                // In float32, as the reference computes it.
                let middle = exact as f32;
                let longest = ((farthest - 1) as f64 / exact as f64) as f32;
                let share = (apart as f32 / middle).ln() / longest.ln();
                distance.signum() * ((share * (middle - 1.0)).ceil() + middle) as i64
            }
            _ => distance,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The distances at which the class of a distance changes, from the second half of the classes on.
    fn changes(span: usize, farthest: usize, until: i64) -> Vec<i64> {
        let distances = Distances { span, farthest: Some(farthest) };
        let first = span as i64 / 2 + 1;
        for distance in 0..until {
            assert_eq!(distances.class(-distance), -distances.class(distance));
        }
        assert!((0..first).all(|distance| distances.class(distance) == distance));
        (first..until)
            .filter(|&distance| distances.class(distance) != distances.class(distance - 1))
            .collect()
    }

    #[test]
    fn distances_have_the_classes_of_the_reference() {
        // Where make_log_bucket_position of transformers 5.23.0 changes.
        let few = [17, 19, 22, 25, 28, 32, 37, 43, 49, 56, 64, 74, 84, 97, 111, 128, 146, 168, 193, 221];
        assert_eq!(changes(32, 128, 229), few);
        let far = [
            33, 39, 46, 55, 66, 79, 94, 112, 134, 161, 192, 229, 274, 328, 392, 469, 560, 670, 801, 958,
            1146, 1370, 1638, 1959, 2342, 2801, 3350, 4006, 4790, 5728, 6850, 8192,
        ];
        assert_eq!(changes(64, 8192, 8293), far);
        // That of the published models.
        let published = changes(256, 512, 513);
        let begin =
            [129, 130, 131, 133, 134, 136, 137, 139, 140, 142, 143, 145, 146, 148, 150, 151, 153, 155];
        assert_eq!(published[..18], begin);
        assert_eq!(published[published.len() - 8..], [474, 479, 484, 490, 495, 500, 506, 512]);
        assert_eq!(published.len(), 128);
    }

    #[test]
    fn distances_beyond_the_table_have_its_first_and_last_rows() {
        let distances = Distances { span: 3, farthest: None };
        let rows: Vec<i64> = (-5..=5).map(|distance| distances.row(distance)).collect();
        assert_eq!(rows, [0, 0, 0, 1, 2, 3, 4, 5, 5, 5, 5]);
    }
}
