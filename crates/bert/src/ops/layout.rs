//! How a batch lies in memory: the tokens of its rows end to end, with no padding between them.

use burn::tensor::Tensor;

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
    }
}
