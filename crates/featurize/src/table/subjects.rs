//! What is encoded of input rows: texts, pairs of them, lists of words, or texts with spans.

use std::ops::Range;

use arrow::array::ArrayRef;
use strata_bert::TextInput;
use strata_io::{Spans, TextLists, Texts};

/// What is encoded of some rows.
#[derive(Debug, Clone)]
pub enum Subjects {
    Texts(Texts),
    Pairs(Texts, Texts),
    Words(TextLists),
    Spans(Texts, Spans),
}

impl Subjects {
    /// The number of rows.
    pub fn len(&self) -> usize {
        match self {
            Self::Texts(texts) | Self::Pairs(texts, _) | Self::Spans(texts, _) => texts.len(),
            Self::Words(words) => words.len(),
        }
    }

    /// What is encoded of a row; none where a text of it is null.
    pub fn get(&self, row: usize) -> Option<TextInput<'_>> {
        Some(match self {
            Self::Texts(texts) => TextInput::Text(texts.get(row)?),
            Self::Pairs(first, second) => TextInput::Pair(first.get(row)?, second.get(row)?),
            Self::Words(words) => TextInput::Words(words.get(row)?.collect()),
            Self::Spans(texts, spans) => {
                // Ends beyond any text were refused when the rows were read.
                let characters = |span: Option<Range<i64>>| span.map(|s| s.start as u32..s.end as u32);
                TextInput::Spans(texts.get(row)?, spans.get(row).map(characters).collect())
            }
        })
    }

    /// The bytes of a row's texts.
    pub fn bytes(&self, row: usize) -> usize {
        let of = |texts: &Texts| texts.get(row).map_or(0, str::len);
        match self {
            Self::Texts(texts) | Self::Spans(texts, _) => of(texts),
            Self::Pairs(first, second) => of(first) + of(second),
            Self::Words(words) => words.get(row).map_or(0, |words| words.flatten().map(str::len).sum()),
        }
    }

    /// Some of the rows, shared, not copied.
    pub fn slice(&self, rows: Range<usize>) -> Self {
        match self {
            Self::Texts(texts) => Self::Texts(texts.slice(rows)),
            Self::Pairs(first, second) => Self::Pairs(first.slice(rows.clone()), second.slice(rows)),
            Self::Words(words) => Self::Words(words.slice(rows)),
            Self::Spans(texts, spans) => Self::Spans(texts.slice(rows.clone()), spans.slice(rows)),
        }
    }

    /// The columns that spans carry, and the place of each span of a row in them.
    pub fn labels(&self) -> (Vec<ArrayRef>, impl Fn(usize) -> Range<usize>) {
        let spans = match self {
            Self::Spans(_, spans) => Some(spans),
            _ => None,
        };
        (spans.map(Spans::labels).unwrap_or_default(), move |row| spans.map_or(0..0, |s| s.places(row)))
    }

    /// The first row with a span that is no range of its text's characters, and that span.
    pub fn bad_span(&self) -> Option<(usize, Range<i64>, usize)> {
        let Self::Spans(texts, spans) = self else { return None };
        (0..self.len()).find_map(|row| {
            let characters = texts.get(row)?.chars().count();
            let is_bad =
                |span: &Range<i64>| span.start < 0 || span.end < span.start || span.end > characters as i64;
            let bad = spans.get(row).flatten().find(is_bad)?;
            Some((row, bad, characters))
        })
    }
}
