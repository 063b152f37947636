//! What of a text becomes output rows.

use crate::Unit;

/// How a document is divided into what becomes output rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Division {
    /// Not at all.
    #[default]
    Whole,
    /// Into its tokens, with or without those that the tokenizer adds.
    Tokens {
        /// Whether `[CLS]`, `[SEP]` and their like are among them.
        special: bool,
    },
    /// Into the words between which the tokenizer never joins pieces.
    TokenizerWords,
    /// Into what stands between white space.
    WhitespaceWords,
    /// Into the words that the input is made of.
    GivenWords,
    /// Into the ranges of characters that the input names.
    Spans,
}

impl Division {
    /// What one output row stands for.
    pub fn unit(self) -> Unit {
        match self {
            Self::Whole => Unit::Row,
            Self::Tokens { .. } => Unit::Token,
            Self::TokenizerWords | Self::WhitespaceWords | Self::GivenWords => Unit::Word,
            Self::Spans => Unit::Span,
        }
    }
}
