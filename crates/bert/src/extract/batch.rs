//! Lengths in, batches out: which rows go through the model together.
//!
//! Pure planning; the order of the rows inside a batch, and of the batches, depends on the lengths
//! alone, so with one budget and as many lanes the same rows always meet in the same batches.

use std::cmp::Reverse;

/// Rows that run in one forward pass, end to end: none is padded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Indices into the lengths that were planned; rows of one length are neighbours.
    pub rows: Vec<usize>,
    /// The sum of their lengths: what goes through the model.
    pub tokens: usize,
}

/// Divides rows into batches of at most `max_tokens` tokens, as few as there can be in their order; where several `lanes`
/// take them at the same time, into as many for each, all of about the same size.
///
/// Rows of one length go together, as attention works on those at once, and batches are filled
/// whatever the lengths, as everything else works on tokens. A row longer than `max_tokens` runs alone.
/// Longest rows first: if memory does not suffice, that is known at once.
pub(crate) fn plan(lengths: &[usize], max_tokens: usize, lanes: usize) -> Vec<Batch> {
    // A row by itself fills a batch, however long it is.
    let total: usize = lengths.iter().map(|&length| length.min(max_tokens)).sum();
    let rounds = total.div_ceil(max_tokens * lanes).max(1);
    let tokens_each = if lanes == 1 { usize::MAX } else { total.div_ceil(rounds * lanes) };
    let mut rows: Vec<usize> = (0..lengths.len()).collect();
    rows.sort_by_key(|&row| Reverse(lengths[row]));
    let mut batches: Vec<Batch> = Vec::new();
    let mut before = 0;
    for row in rows {
        let length = lengths[row];
        let end = batches.len().saturating_mul(tokens_each);
        match batches.last_mut() {
            // With the middle of the row, not its end: what one batch has too many, the next has too few.
            Some(batch) if batch.tokens + length <= max_tokens && before + length / 2 < end => {
                batch.rows.push(row);
                batch.tokens += length;
            }
            _ => batches.push(Batch { rows: vec![row], tokens: length }),
        }
        before += length.min(max_tokens).min(tokens_each);
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
        fn every_row_is_in_exactly_one_batch(lengths in lengths(), budget in 1usize..4096, lanes in 1usize..9) {
            let mut seen: Vec<usize> = plan(&lengths, budget, lanes).into_iter().flat_map(|b| b.rows).collect();
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..lengths.len()).collect::<Vec<_>>());
        }

        #[test]
        fn the_budget_is_kept_unless_one_row_alone_exceeds_it(
            lengths in lengths(), budget in 1usize..4096, lanes in 1usize..9,
        ) {
            for batch in plan(&lengths, budget, lanes) {
                prop_assert_eq!(batch.tokens, batch.rows.iter().map(|&row| lengths[row]).sum::<usize>());
                prop_assert!(batch.tokens <= budget || batch.rows.len() == 1);
            }
        }

        #[test]
        fn a_batch_is_full_before_the_next_one_begins(lengths in lengths(), budget in 1usize..4096) {
            for pair in plan(&lengths, budget, 1).windows(2) {
                prop_assert!(pair[0].tokens + lengths[pair[1].rows[0]] > budget);
            }
        }

        #[test]
        fn rows_come_by_length_the_longest_first(lengths in lengths(), budget in 1usize..4096, lanes in 1usize..9) {
            let order: Vec<usize> = plan(&lengths, budget, lanes).into_iter().flat_map(|b| b.rows).collect();
            prop_assert!(order.is_sorted_by_key(|&row| (Reverse(lengths[row]), row)));
        }

        #[test]
        fn every_lane_has_as_much_to_do_where_rows_are_short(
            lengths in prop::collection::vec(1usize..20, 1..400), budget in 100usize..1000, lanes in 2usize..9,
        ) {
            let batches = plan(&lengths, budget, lanes);
            let total: usize = lengths.iter().sum();
            let share = total as f64 / (total.div_ceil(budget * lanes) * lanes) as f64;
            for batch in &batches[..batches.len() - 1] {
                prop_assert!((batch.tokens as f64 - share).abs() < 2.0 * 20.0, "{} of {share}", batch.tokens);
            }
        }

        #[test]
        fn long_rows_do_not_leave_short_ones_by_themselves(
            long in 0usize..30, short in 0usize..600, budget in 40usize..1000, lanes in 1usize..9,
        ) {
            let lengths: Vec<usize> = std::iter::repeat_n(8192, long).chain(std::iter::repeat_n(10, short)).collect();
            let most = long + (10 * short).div_ceil(budget) * 2 + 2 * lanes;
            prop_assert!(plan(&lengths, budget, lanes).len() <= most);
        }
    }
}
