//! Texts to token ids, and what of them becomes output rows.

mod characters;
pub(crate) mod document;
mod items;
mod tokenizer;
mod windows;

pub use document::{Document, Encoding, Item, TextInput};
pub use tokenizer::{Overflow, TextTokenizer, TokenizerOptions};
