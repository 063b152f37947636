//! Stage two: texts to encodings, on every core.

use strata_bert::{Encoding, TextTokenizer};

use crate::window::Window;

/// A window whose texts are tokenized.
pub struct Tokenized {
    pub window: Window,
    /// One entry per row; none where the text is null.
    pub encodings: Vec<Option<Encoding>>,
}

/// Tokenizes the texts of a window.
///
/// # Errors
/// The tokenizer fails on a text.
pub fn tokenize(tokenizer: &TextTokenizer, window: Window) -> anyhow::Result<Tokenized> {
    let texts: Vec<&str> = window.texts().flatten().collect();
    let mut encoded = tokenizer.encode(&texts)?.into_iter();
    let encodings = window.texts().map(|text| text.and_then(|_| encoded.next())).collect();
    Ok(Tokenized { window, encodings })
}
