//! Stage two: texts to token ids, on every core.

use std::fmt::Display;
use std::ops::Range;

use strata_bert::{Document, TextInput};

use crate::failure::Refusal;
use crate::job::Job;
use crate::plan::Part;
use crate::window::Window;

/// A window whose texts are tokenized.
pub struct Tokenized {
    pub window: Window,
    /// One entry per row; none where the text is null.
    pub documents: Vec<Option<Document>>,
}

/// Tokenizes the texts of a window, and divides it where its tokens, words or spans are more than are
/// encoded at a time.
///
/// # Errors
/// The tokenizer fails on a text, or the model does not know a token of it; a span is not in its text; a text is longer than the model can see at
/// once, and that is to be an error.
pub fn tokenize(job: &Job, parts: &[Part], window: Window) -> anyhow::Result<Vec<Tokenized>> {
    let file = || job.inputs[parts[window.part].input].file.source.shown.display();
    if let Some((row, span, characters)) = bad_span(&window) {
        let Range { start, end } = span;
        return Err(Refusal::bad_data(format!(
            "{}, row {row}: the span {start} to {end} is not in its text of {characters} characters",
            file()
        ))
        .hint("spans are characters of the text: the first, and one past the last")
        .into());
    }
    let inputs: Vec<TextInput> = window.inputs().flatten().collect();
    let has_text = || window.inputs().map(|input| input.is_some());
    let encoded = job.tokenizer.encode(&inputs);
    let encoded = encoded.map_err(|error| with_its_row(error, file(), window.first_row, has_text()))?;
    let mut encoded = encoded.into_iter();
    let documents: Vec<Option<Document>> =
        window.inputs().map(|input| input.and_then(|_| encoded.next())).collect();
    let too_long = |document: &Option<Document>| document.as_ref().is_some_and(|document| document.truncated);
    if job.settings.refuse_overflow
        && let Some(row) = documents.iter().position(too_long)
    {
        return Err(Refusal::bad_data(format!(
            "{}, row {}: the text has more than {} tokens, and --overflow is error",
            file(),
            window.first_row + row as u64,
            job.tokenizer.max_length()
        ))
        .hint("cut it with --overflow truncate, or see all of it with --overflow window")
        .into());
    }
    Ok(divide(Tokenized { window, documents }, job))
}

/// Tells which row's text cannot be encoded: `has_text` says it of the rows from `first_row` on.
pub fn with_its_row(
    error: strata_bert::Error,
    file: impl Display,
    first_row: u64,
    has_text: impl Iterator<Item = bool>,
) -> anyhow::Error {
    let strata_bert::Error::Text { index, reason } = error else { return error.into() };
    let mut rows = has_text.enumerate().filter_map(|(row, has_text)| has_text.then_some(row));
    let row = first_row + rows.nth(index).unwrap_or_default() as u64;
    Refusal::bad_data(format!("{file}, row {row}: the text cannot be encoded: {reason}"))
        .hint("leave the row out, or take a tokenizer and a model that belong together")
        .into()
}

fn bad_span(window: &Window) -> Option<(u64, Range<i64>, usize)> {
    let mut first = window.first_row;
    window.subjects.iter().find_map(|slice| {
        let row = first;
        first += slice.len() as u64;
        slice.bad_span().map(|(at, span, characters)| (row + at as u64, span, characters))
    })
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
        let (window, after) = rest.window.split_at(rows);
        groups.push(Tokenized { window, documents: rest.documents });
        rest = Tokenized { window: after, documents };
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
