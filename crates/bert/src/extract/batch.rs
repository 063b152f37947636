//! Lengths in, batches out: which rows go through the model together.
//!
//! Pure planning; the order of the rows inside a batch, and of the batches, depends on the lengths
//! alone, so the same rows always meet in the same batches.

use std::cmp::Reverse;

/// Rows that run in one forward pass, end to end: none is padded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Indices into the lengths that were planned; rows of one length are neighbours.
    pub rows: Vec<usize>,
    /// The sum of their lengths: what goes through the model.
    pub tokens: usize,
}

/// Divides rows into batches of at most `max_tokens` tokens, as few as there can be in their order.
///
/// Rows of one length go together, as attention works on those at once, and batches are filled
/// whatever the lengths, as everything else works on tokens. A row longer than the budget runs alone.
/// Longest rows first: if memory does not suffice, that is known at once.
pub fn plan(lengths: &[usize], max_tokens: usize) -> Vec<Batch> {
    let mut rows: Vec<usize> = (0..lengths.len()).collect();
    rows.sort_by_key(|&row| Reverse(lengths[row]));
    let mut batches: Vec<Batch> = Vec::new();
    for row in rows {
        match batches.last_mut() {
            Some(batch) if batch.tokens + lengths[row] <= max_tokens => {
                batch.rows.push(row);
                batch.tokens += lengths[row];
            }
            _ => batches.push(Batch { rows: vec![row], tokens: lengths[row] }),
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lengths() -> impl Strategy<Value = Vec<usize>> {
        prop::collection::vec(prop_oneof![1usize..20, 1usize..512], 0..400)
    }

    proptest! {
        #[test]
        fn every_row_is_in_exactly_one_batch(lengths in lengths(), budget in 1usize..4096) {
            let mut seen: Vec<usize> = plan(&lengths, budget).into_iter().flat_map(|b| b.rows).collect();
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..lengths.len()).collect::<Vec<_>>());
        }

        #[test]
        fn the_budget_is_kept_unless_one_row_alone_exceeds_it(lengths in lengths(), budget in 1usize..4096) {
            for batch in plan(&lengths, budget) {
                prop_assert_eq!(batch.tokens, batch.rows.iter().map(|&row| lengths[row]).sum::<usize>());
                prop_assert!(batch.tokens <= budget || batch.rows.len() == 1);
            }
        }

        #[test]
        fn a_batch_is_full_before_the_next_one_begins(lengths in lengths(), budget in 1usize..4096) {
            for pair in plan(&lengths, budget).windows(2) {
                prop_assert!(pair[0].tokens + lengths[pair[1].rows[0]] > budget);
            }
        }

        #[test]
        fn rows_come_by_length_the_longest_first(lengths in lengths(), budget in 1usize..4096) {
            let order: Vec<usize> = plan(&lengths, budget).into_iter().flat_map(|b| b.rows).collect();
            prop_assert!(order.is_sorted_by_key(|&row| (Reverse(lengths[row]), row)));
        }
    }
}
