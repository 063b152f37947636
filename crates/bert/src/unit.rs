//! What one output row stands for.

use std::fmt;
use std::str::FromStr;

use crate::Error;

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
}

impl FromStr for Unit {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::NAMES.iter().find(|(name, _)| *name == text).map(|&(_, unit)| unit).ok_or(Error::Option {
            what: "unit",
            found: text.to_owned(),
            expected: "row, token, word or span",
        })
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::NAMES.iter().find(|(_, unit)| unit == self).map_or("", |(name, _)| name))
    }
}
