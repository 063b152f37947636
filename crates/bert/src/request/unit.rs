//! What one output row stands for.

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, VariantNames};

use crate::Document;

/// What one output row, and so one vector, stands for.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, EnumString, Display, VariantNames, Serialize, Deserialize,
)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
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
    /// How many output rows a document has; none stands for a text that is missing.
    pub fn rows_of(self, document: Option<&Document>) -> usize {
        if self == Self::Row { 1 } else { document.map_or(0, |document| document.items.len()) }
    }
}
