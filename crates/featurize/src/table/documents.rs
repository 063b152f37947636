//! Rows to documents: texts as the model sees them.

use std::ops::Range;

use strata_bert::{Document, TextInput, TextTokenizer};

use crate::Error;
use crate::error::Refusal;
use crate::table::subjects::Subjects;

/// Tokenizes what is encoded of some rows; none where a text is null. `place` names a row, counted from
/// the first of them, in messages.
///
/// # Errors
/// The tokenizer fails on a text, or the model does not know a token of it; a span is not in its text; not each
/// word has something beside it, where something should be; a
/// text is longer than the model can see at once, where that is to be an error.
pub fn documents(
    tokenizer: &TextTokenizer,
    refuse_overflow: bool,
    subjects: &[Subjects],
    place: impl Fn(usize) -> String,
) -> Result<Vec<Option<Document>>, Error> {
    if let Some((row, span, characters)) = bad_span(subjects) {
        let Range { start, end } = span;
        return Err(Refusal::bad_data(format!(
            "{}: the span {start} to {end} is not in its text of {characters} characters",
            place(row)
        ))
        .hint("spans are characters of the text: the first, and one past the last")
        .into());
    }
    if let Some((row, column, found, words)) = misaligned(subjects) {
        return Err(Refusal::bad_data(format!(
            "{}: `{column}` has {found} values for {words} words",
            place(row)
        ))
        .hint("each list of --align has a value for each word, null where there is nothing to say")
        .into());
    }
    let rows = || subjects.iter().flat_map(|slice| (0..slice.len()).map(|row| slice.get(row)));
    let inputs: Vec<TextInput> = rows().flatten().collect();
    let of_text = |index| {
        let with_text = rows().enumerate().filter(|(_, text)| text.is_some());
        place(with_text.map(|(row, _)| row).nth(index).unwrap_or_default())
    };
    let mut encoded = of_texts(tokenizer, refuse_overflow, &inputs, of_text)?.into_iter();
    Ok(rows().map(|text| text.and_then(|_| encoded.next())).collect())
}

/// The same of texts, none of which is missing.
///
/// # Errors
/// As [`documents`].
pub fn of_texts(
    tokenizer: &TextTokenizer,
    refuse_overflow: bool,
    texts: &[TextInput],
    place: impl Fn(usize) -> String,
) -> Result<Vec<Document>, Error> {
    let documents = tokenizer.encode(texts).map_err(|error| {
        let strata_bert::Error::Text { index, reason } = error else { return Error::from(error) };
        Refusal::bad_data(format!("{}: the text cannot be encoded: {reason}", place(index)))
            .hint("leave the row out, or take a tokenizer and a model that belong together")
            .into()
    })?;
    if refuse_overflow && let Some(index) = documents.iter().position(|document| document.truncated) {
        return Err(Refusal::bad_data(format!(
            "{}: the text has more than {} tokens, and --overflow is error",
            place(index),
            tokenizer.max_length()
        ))
        .hint("cut it with --overflow truncate, or see all of it with --overflow window")
        .into());
    }
    Ok(documents)
}

/// The first row with a span that is no range of its text's characters, and that span.
fn bad_span(subjects: &[Subjects]) -> Option<(usize, Range<i64>, usize)> {
    let (first, (row, span, characters)) = first_that(subjects, Subjects::bad_span)?;
    Some((first + row, span, characters))
}

/// The first row of which not each word has something beside it.
fn misaligned(subjects: &[Subjects]) -> Option<(usize, &str, usize, usize)> {
    let (first, (row, column, found, words)) = first_that(subjects, Subjects::misaligned)?;
    Some((first + row, column, found, words))
}

/// What is found in the first slice in which something is, and the number of its first row.
fn first_that<'a, T>(
    subjects: &'a [Subjects],
    find: impl Fn(&'a Subjects) -> Option<T>,
) -> Option<(usize, T)> {
    let mut first = 0;
    subjects.iter().find_map(|slice| {
        let row = first;
        first += slice.len();
        find(slice).map(|found| (row, found))
    })
}
