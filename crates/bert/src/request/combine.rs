//! What becomes of several layers.

use std::fmt;
use std::str::FromStr;

use crate::Error;
use crate::request::names::{name_of, named};

/// What becomes of several chosen layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Combine {
    /// Each layer is a column of its own.
    None,
    /// One list, the layers' vectors one after the other.
    Concat,
    /// One list with an entry per layer.
    Stack,
    /// The sum of the layers' hidden states, then pooled.
    Sum,
    /// The mean of the layers' hidden states, then pooled.
    Mean,
}

impl Combine {
    const NAMES: [(&str, Self); 5] = [
        ("none", Self::None),
        ("concat", Self::Concat),
        ("stack", Self::Stack),
        ("sum", Self::Sum),
        ("mean", Self::Mean),
    ];
}

impl FromStr for Combine {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        named(&Self::NAMES, text, "combination", "none, concat, stack, sum or mean")
    }
}

impl fmt::Display for Combine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(name_of(&Self::NAMES, self))
    }
}
