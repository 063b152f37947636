//! Stage two: texts to token ids, on every core.

use strata_bert::Document;

use crate::Error;
use crate::job::Job;
use crate::pipeline::chunk::Chunk;
use crate::plan::parts::Part;
use crate::table::documents::documents;

/// A chunk whose texts are tokenized.
pub struct Tokenized {
    pub chunk: Chunk,
    /// One entry per row; none where the text is null.
    pub documents: Vec<Option<Document>>,
}

/// Tokenizes the texts of a chunk, and divides it where its tokens, words or spans are more than are
/// encoded at a time.
///
/// # Errors
/// A text cannot be encoded.
pub fn tokenize(job: &Job, parts: &[Part], chunk: Chunk) -> Result<Vec<Tokenized>, Error> {
    let place = |row| {
        let file = job.inputs[parts[chunk.part].input].file.source.shown.display();
        format!("{file}, row {}", chunk.first_row + row as u64)
    };
    let documents = documents(&job.tokenizer, job.settings.refuse_overflow, &chunk.subjects, place)?;
    Ok(divide(Tokenized { chunk, documents }, job))
}

/// Divides rows so that each group has at most so many output rows, or is a single row.
fn divide(tokenized: Tokenized, job: &Job) -> Vec<Tokenized> {
    let (unit, most) = (job.features.unit(), job.most_items());
    let mut groups = Vec::new();
    let mut rest = tokenized;
    loop {
        let counts = rest.documents.iter().map(|document| unit.rows_of(document.as_ref()));
        let Some(rows) = fitting(counts, most) else {
            groups.push(rest);
            return groups;
        };
        let documents = rest.documents.split_off(rows);
        let (chunk, after) = rest.chunk.split_at(rows);
        groups.push(Tokenized { chunk, documents: rest.documents });
        rest = Tokenized { chunk: after, documents };
    }
}

/// How many rows, at least one, have at most `most` output rows together; none if all have.
fn fitting(counts: impl Iterator<Item = usize>, most: usize) -> Option<usize> {
    let mut sum = 0;
    counts.enumerate().find_map(|(row, count)| {
        sum += count;
        (row > 0 && sum > most).then_some(row)
    })
}

#[cfg(test)]
mod tests {
    use super::fitting;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn groups_keep_to_the_limit_unless_one_row_alone_exceeds_it(
            counts in prop::collection::vec(0usize..30, 0..60),
            most in 1usize..100,
        ) {
            let mut rest = counts.as_slice();
            while let Some(rows) = fitting(rest.iter().copied(), most) {
                let (group, after) = rest.split_at(rows);
                prop_assert!(group.iter().sum::<usize>() <= most || rows == 1);
                prop_assert!(group.iter().sum::<usize>() + after[0] > most);
                rest = after;
            }
            prop_assert!(rest.iter().sum::<usize>() <= most || rest.len() == 1);
        }
    }
}
