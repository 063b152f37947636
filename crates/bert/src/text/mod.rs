//! Texts to token ids, and what of them becomes output rows.

mod build;
#[cfg(test)]
mod cases;
mod changes;
mod characters;
mod class;
pub(crate) mod document;
pub(crate) mod files;
mod heads;
mod items;
mod json;
mod limits;
mod options;
mod tokenizer;
mod tokens;
mod windows;

pub use document::{Document, Encoding, Item, TextInput};
pub use files::TOKENIZER_FILES;
pub use options::{Overflow, TokenizerOptions};
pub use tokenizer::TextTokenizer;
