//! How a run wants its texts tokenized.

use crate::Division;

/// How texts are tokenized.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TokenizerOptions {
    /// The most tokens the model sees at once, special ones counted; none is the model's own limit.
    pub max_length: Option<usize>,
    /// What becomes of longer texts.
    pub overflow: Overflow,
    /// What of a text becomes output rows.
    pub division: Division,
    /// Whether two texts are seen together, with more special tokens.
    pub pairs: bool,
    /// What stands before each text, or before the first of two.
    pub prefix: String,
    /// Whether texts are lower-cased, whatever the tokenizer does to them.
    pub lower_case: bool,
}

/// What becomes of a text that the model cannot see at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Overflow {
    /// It is cut; of a pair, the longer text first.
    #[default]
    Truncate,
    /// It is seen through windows that share some tokens: none is a quarter of a window.
    Window {
        /// How many tokens neighbouring windows share.
        stride: Option<usize>,
    },
}
