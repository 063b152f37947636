//! What is encoded of input rows: texts, pairs of them, lists of words, or texts with spans.

use std::ops::Range;

use strata_bert::TextInput;
use strata_io::{Lists, Spans, TextLists, Texts};

/// What is encoded of some rows.
#[derive(Debug, Clone)]
pub enum Subjects {
    Texts(Texts),
    Pairs(Texts, Texts),
    /// Words, and by name what stands beside each.
    Words(TextLists, Vec<(String, Lists)>),
    Spans(Texts, Spans),
}

impl Subjects {
    /// The number of rows.
    pub fn len(&self) -> usize {
        match self {
            Self::Texts(texts) | Self::Pairs(texts, _) | Self::Spans(texts, _) => texts.len(),
            Self::Words(words, _) => words.len(),
        }
    }

    /// What is encoded of a row; none where a text of it is null.
    pub fn get(&self, row: usize) -> Option<TextInput<'_>> {
        Some(match self {
            Self::Texts(texts) => TextInput::Text(texts.get(row)?),
            Self::Pairs(first, second) => TextInput::Pair(first.get(row)?, second.get(row)?),
            Self::Words(words, _) => TextInput::Words(words.get(row)?.collect()),
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
            Self::Words(words, _) => words.get(row).map_or(0, |words| words.flatten().map(str::len).sum()),
        }
    }

    /// Some of the rows, shared, not copied.
    pub fn slice(&self, rows: Range<usize>) -> Self {
        match self {
            Self::Texts(texts) => Self::Texts(texts.slice(rows)),
            Self::Pairs(first, second) => Self::Pairs(first.slice(rows.clone()), second.slice(rows)),
            Self::Words(words, aligned) => {
                let slice = |(name, lists): &(String, Lists)| (name.clone(), lists.slice(rows.clone()));
                Self::Words(words.slice(rows.clone()), aligned.iter().map(slice).collect())
            }
            Self::Spans(texts, spans) => Self::Spans(texts.slice(rows.clone()), spans.slice(rows)),
        }
    }

    /// What stands beside the words or spans of each row, column by column.
    pub fn labels(&self) -> Vec<Lists> {
        match self {
            Self::Texts(_) | Self::Pairs(..) => Vec::new(),
            Self::Words(_, aligned) => aligned.iter().map(|(_, lists)| lists.clone()).collect(),
            Self::Spans(_, spans) => spans.labels(),
        }
    }

    /// The first row with words of which not each has something beside it: the column, and how many it has for how many
    /// words.
    pub fn misaligned(&self) -> Option<(usize, &str, usize, usize)> {
        let Self::Words(words, aligned) = self else { return None };
        (0..self.len()).find_map(|row| {
            let expected = words.get(row)?.len();
            aligned.iter().find_map(|(name, lists)| {
                let found = lists.places(row).len();
                (found != expected).then_some((row, name.as_str(), found, expected))
            })
        })
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
