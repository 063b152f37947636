//! Lengths in, batches out: which rows go through the model together.
//!
//! Pure planning; the order of the rows inside a batch, and of the batches, depends on the lengths
//! alone, so the same rows always meet in the same batches.

/// Rows that run in one forward pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Indices into the lengths that were planned.
    pub rows: Vec<usize>,
    /// Length of the longest row, to which the others are padded.
    pub seq_len: usize,
    /// Whether any row is shorter than `seq_len`.
    pub padded: bool,
}

/// What a forward pass costs besides its tokens, in tokens: starting some two hundred operations.
const PASS_COST: u64 = 24;

/// What a token costs more, in percent, when rows of several lengths meet: padding needs a mask.
const MASK_PERCENT: u64 = 3;

/// Divides rows into batches of at most `max_batch_tokens` padded tokens at the least total cost.
///
/// A pass over `n` rows padded to `s` tokens costs `PASS_COST + n·s`, a little more if it needs a
/// mask. With rows sorted by length the best division is a shortest path over cut points, so rows
/// of one length run together without padding, and neighbours join them only where a tail would
/// otherwise run in a tiny batch. A row longer than the budget runs alone. Longest batches first:
/// if memory does not suffice, that is known at once.
pub fn plan(lengths: &[usize], max_batch_tokens: usize) -> Vec<Batch> {
    let mut rows: Vec<usize> = (0..lengths.len()).collect();
    rows.sort_by_key(|&row| lengths[row]);
    let sorted: Vec<u64> = rows.iter().map(|&row| lengths[row] as u64).collect();
    let cuts = cheapest_cuts(&sorted, max_batch_tokens as u64);
    cuts.windows(2)
        .rev()
        .map(|cut| {
            let (first, end) = (cut[0], cut[1]);
            Batch {
                rows: rows[first..end].to_vec(),
                seq_len: sorted[end - 1] as usize,
                padded: sorted[first] != sorted[end - 1],
            }
        })
        .collect()
}

/// Cut points `0 = c0 < c1 < … = n` of the ascending `lengths` that make the cheapest batches.
fn cheapest_cuts(lengths: &[u64], budget: u64) -> Vec<usize> {
    // cost[end] is the least cost of the first `end` rows; from[end] where its last batch starts.
    let mut cost = vec![0u64; lengths.len() + 1];
    let mut from = vec![0usize; lengths.len() + 1];
    for end in 1..=lengths.len() {
        let longest = lengths[end - 1];
        let most = usize::try_from(budget / longest.max(1)).unwrap_or(usize::MAX).max(1);
        let earliest = end.saturating_sub(most);
        let price = |first: usize| {
            let tokens = (end - first) as u64 * longest;
            let mask = if lengths[first] == longest { 0 } else { tokens * MASK_PERCENT / 100 };
            cost[first] + PASS_COST + tokens + mask
        };
        // On a tie the larger batch wins.
        let best = (earliest..end).min_by_key(|&first| price(first)).unwrap_or(earliest);
        (cost[end], from[end]) = (price(best), best);
    }
    let mut cuts = vec![lengths.len()];
    while let Some(&end) = cuts.last().filter(|&&end| end > 0) {
        cuts.push(from[end]);
    }
    cuts.reverse();
    cuts
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
                prop_assert!(batch.rows.len() * batch.seq_len <= budget || batch.rows.len() == 1);
            }
        }

        #[test]
        fn seq_len_is_the_longest_row_and_padded_says_whether_it_matters(lengths in lengths(), budget in 1usize..4096) {
            for batch in plan(&lengths, budget) {
                let of_rows = || batch.rows.iter().map(|&row| lengths[row]);
                prop_assert_eq!(of_rows().max(), Some(batch.seq_len));
                prop_assert_eq!(of_rows().any(|l| l < batch.seq_len), batch.padded);
            }
        }

        #[test]
        fn no_batch_pays_more_for_padding_than_its_rows_would_pay_alone(lengths in lengths(), budget in 1usize..4096) {
            for batch in plan(&lengths, budget) {
                let alone: usize = batch.rows.iter().map(|&row| lengths[row] + PASS_COST as usize).sum();
                prop_assert!(batch.rows.len() * batch.seq_len <= alone);
            }
        }

        #[test]
        fn equal_lengths_are_never_padded(length in 1usize..512, rows in 1usize..300, budget in 1usize..4096) {
            prop_assert!(plan(&vec![length; rows], budget).iter().all(|batch| !batch.padded));
        }
    }

    #[test]
    fn many_rows_of_two_lengths_run_apart() {
        let lengths: Vec<usize> = (0..64).map(|row| if row % 2 == 0 { 100 } else { 50 }).collect();
        let batches = plan(&lengths, 1000);
        assert!(batches.iter().all(|batch| !batch.padded), "{batches:?}");
        assert_eq!(batches[0].seq_len, 100);
    }
}
