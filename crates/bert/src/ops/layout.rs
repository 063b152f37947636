//! How a batch lies in memory: the tokens of its rows end to end, with no padding between them.

use std::ops::Range;

use burn::tensor::{Tensor, TensorData};

/// Neighbouring rows of one length, on which rectangular operations work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Block {
    /// The place of its first token in the batch.
    pub(crate) first: usize,
    /// The place of its first row in the batch.
    pub(crate) first_row: usize,
    pub(crate) rows: usize,
    /// Tokens of each row.
    pub(crate) len: usize,
}

impl Block {
    /// How many tokens it has.
    pub(crate) fn tokens(&self) -> usize {
        self.rows * self.len
    }

    /// Its part of a batch's states: `[rows, len, width]` of `[tokens, width]`.
    pub(crate) fn of(&self, states: &Tensor<2>) -> Tensor<3> {
        let width = states.dims()[1];
        states.clone().narrow(0, self.first, self.tokens()).reshape([self.rows, self.len, width])
    }

    /// Its part of query, key and value side by side, `[tokens, 3 · hidden_size]`: each as
    /// `[rows, heads, len, head_size]`.
    pub(crate) fn heads_of(&self, projected: &Tensor<2>, heads: usize) -> [Tensor<4>; 3] {
        let Self { rows, len, .. } = *self;
        let head_size = projected.dims()[1] / 3 / heads;
        let joint = self.of(projected).reshape([rows, len, 3, heads, head_size]);
        [0, 1, 2].map(|index| {
            let part = joint.clone().narrow(2, index, 1).reshape([rows, len, heads, head_size]);
            part.swap_dims(1, 2)
        })
    }
}

/// Neighbouring queries of a row, and the keys that they may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) queries: Range<usize>,
    pub(crate) keys: Range<usize>,
}

impl Window {
    /// All of a row's.
    pub(crate) fn whole(len: usize) -> Self {
        Self { queries: 0..len, keys: 0..len }
    }

    /// What is added to scores, `[1, 1, queries, keys]`, so that no query sees farther than `span`.
    pub(crate) fn mask(&self, span: usize) -> TensorData {
        let of_query = |query: usize| {
            let sees = move |key: usize| query.abs_diff(key) <= span;
            self.keys.clone().map(move |key| if sees(key) { 0.0 } else { f32::NEG_INFINITY })
        };
        let values: Vec<f32> = self.queries.clone().flat_map(of_query).collect();
        TensorData::new(values, [1, 1, self.queries.len(), self.keys.len()])
    }
}

/// The windows of a row of `len` tokens of which each sees `span` to either side.
pub(crate) fn windows(len: usize, span: usize) -> impl Iterator<Item = Window> {
    const LEAST: usize = 64;
    let queries = span.saturating_mul(2).max(LEAST);
    (0..len).step_by(queries).map(move |first| {
        let end = len.min(first.saturating_add(queries));
        Window { queries: first..end, keys: first.saturating_sub(span)..len.min(end.saturating_add(span)) }
    })
}

/// The blocks of a batch whose rows have these lengths.
pub(crate) fn blocks(lengths: &[usize]) -> impl Iterator<Item = Block> {
    let (mut first, mut first_row) = (0, 0);
    lengths.chunk_by(|one, next| one == next).map(move |rows| {
        let block = Block { first, first_row, rows: rows.len(), len: rows[0] };
        first += block.tokens();
        first_row += block.rows;
        block
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_token_is_in_one_block_and_a_block_is_as_large_as_can_be(lengths in prop::collection::vec(1usize..4, 0..40)) {
            let blocks: Vec<Block> = blocks(&lengths).collect();
            let (mut first, mut first_row) = (0, 0);
            for block in &blocks {
                prop_assert_eq!((block.first, block.first_row), (first, first_row));
                first += block.tokens();
                first_row += block.rows;
            }
            let rows: Vec<usize> = blocks.iter().flat_map(|block| vec![block.len; block.rows]).collect();
            prop_assert_eq!(&rows, &lengths);
            prop_assert!(blocks.windows(2).all(|pair| pair[0].len != pair[1].len));
        }

        #[test]
        fn every_query_is_in_one_window_with_all_keys_that_it_sees(len in 1usize..400, span in 0usize..200) {
            let windows: Vec<Window> = windows(len, span).collect();
            let queries: Vec<usize> = windows.iter().flat_map(|window| window.queries.clone()).collect();
            prop_assert_eq!(queries, (0..len).collect::<Vec<_>>());
            for window in &windows {
                for query in window.queries.clone() {
                    prop_assert!(window.keys.start <= query.saturating_sub(span));
                    prop_assert!(window.keys.end >= len.min(query + span + 1));
                }
            }
        }
    }
}
