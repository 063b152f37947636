//! What one output row stands for.

use std::fmt;
use std::str::FromStr;

use crate::request::names::{name_of, named};
use crate::{Document, Error};

/// What one output row, and so one vector, stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unit {
    /// A text.
    #[default]
    Row,
    /// A token.
    Token,
    /// A word.
    Word,
    /// A range of characters that the input names.
    Span,
}

impl Unit {
    const NAMES: [(&str, Self); 4] =
        [("row", Self::Row), ("token", Self::Token), ("word", Self::Word), ("span", Self::Span)];

    /// How many output rows a document has; none stands for a text that is missing.
    pub fn rows_of(self, document: Option<&Document>) -> usize {
        if self == Self::Row { 1 } else { document.map_or(0, |document| document.items.len()) }
    }
}

impl FromStr for Unit {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        named(&Self::NAMES, text, "unit", "row, token, word or span")
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(name_of(&Self::NAMES, self))
    }
}
