//! Input files and their rows to parts: a pure function, the same on every day and in every shard.

use std::ops::Range;

/// The most parts of one input file: the names of more would not sort.
pub const MAX_PARTS: u64 = 100_000;

/// One output file: consecutive rows of one input file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its place among all parts of the plan; decides which shard makes it.
    pub number: u64,
    /// Index of the input file.
    pub input: usize,
    /// The rows of the input file.
    pub rows: Range<u64>,
    /// Its name in the output folder.
    pub file_name: String,
}

impl Part {
    /// How many rows of the input it is made of.
    pub fn num_rows(&self) -> u64 {
        self.rows.end - self.rows.start
    }

    /// Whether the shard `(I, N)` makes this part.
    pub fn belongs_to(&self, (index, count): (u32, u32)) -> bool {
        self.number % u64::from(count) == u64::from(index)
    }
}

/// Divides inputs, given as name stem and row count, into parts of at most `rows_per_part` rows.
///
/// An input without rows still gets a part, so that its schema can be read from the output.
pub fn plan(inputs: &[(String, u64)], rows_per_part: u64, extension: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    for (input, (stem, rows)) in inputs.iter().enumerate() {
        for index in 0..rows.div_ceil(rows_per_part).max(1) {
            let first = index * rows_per_part;
            parts.push(Part {
                number: parts.len() as u64,
                input,
                rows: first..rows.min(&(first + rows_per_part)).to_owned(),
                file_name: format!("{stem}-{index:05}.{extension}"),
            });
        }
    }
    parts
}

/// Rows of a part when the user does not say: about 64 MiB of vectors.
pub fn default_rows_per_part(row_bytes: usize) -> u64 {
    const PART_BYTES: usize = 64 << 20;
    let rows = PART_BYTES / row_bytes.max(1);
    // A round number: file boundaries that a person can find again.
    let round = if rows > 1000 { rows / 1000 * 1000 } else { rows.max(1) };
    round.min(250_000) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_row_of_every_input_is_in_exactly_one_part(
            rows in prop::collection::vec(0u64..5000, 0..20),
            rows_per_part in 1u64..2000,
        ) {
            let inputs: Vec<_> = rows.iter().enumerate().map(|(i, &rows)| (format!("f{i:02}"), rows)).collect();
            let parts = plan(&inputs, rows_per_part, "parquet");
            for (input, &rows) in rows.iter().enumerate() {
                let mut next = 0;
                for part in parts.iter().filter(|part| part.input == input) {
                    prop_assert_eq!(part.rows.start, next);
                    prop_assert!(part.rows.end - part.rows.start <= rows_per_part);
                    next = part.rows.end;
                }
                prop_assert_eq!(next, rows);
            }
        }

        #[test]
        fn names_sort_in_input_order_and_do_not_repeat(
            rows in prop::collection::vec(0u64..5000, 1..20),
            rows_per_part in 1u64..2000,
        ) {
            let inputs: Vec<_> = rows.iter().enumerate().map(|(i, &rows)| (format!("f{i:02}"), rows)).collect();
            let names: Vec<String> = plan(&inputs, rows_per_part, "parquet").into_iter().map(|p| p.file_name).collect();
            prop_assert!(names.windows(2).all(|pair| pair[0] < pair[1]));
        }

        #[test]
        fn shards_divide_the_parts_among_themselves(parts in 1u64..200, count in 1u32..9) {
            let plan = plan(&[("f".to_owned(), parts)], 1, "parquet");
            for part in &plan {
                let makers = (0..count).filter(|&index| part.belongs_to((index, count))).count();
                prop_assert_eq!(makers, 1);
            }
        }

        #[test]
        fn a_part_has_rows_whatever_their_width(row_bytes in 0usize..1 << 40) {
            prop_assert!(default_rows_per_part(row_bytes) >= 1);
        }
    }

    #[test]
    fn an_input_that_is_added_renames_no_part_of_the_others() {
        let before = plan(&[("b".to_owned(), 10)], 4, "parquet");
        let after = plan(&[("a".to_owned(), 3), ("b".to_owned(), 10)], 4, "parquet");
        let names = |parts: &[Part]| parts.iter().map(|p| p.file_name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&before), names(&after)[1..]);
    }
}
