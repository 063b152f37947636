//! A text's vector as the folder's own modules make it.

use crate::checkpoint::sentence::Modules;
use crate::{Config, Error};

/// What [`Pooling::Sentence`](crate::Pooling::Sentence) gives: what `SentenceTransformer.encode` does.
#[derive(Debug, Clone, PartialEq)]
pub struct Sentence {
    /// The folder's modules.
    pub modules: Modules,
    /// How many tokens what stands before each text has; see [`TextTokenizer::prefix_tokens`](crate::TextTokenizer::prefix_tokens).
    pub prefix_tokens: usize,
    /// How many values are left of each vector; none is what the folder says.
    pub truncate_dim: Option<usize>,
}

impl Sentence {
    /// The width of the vectors, for hidden states of the model's.
    ///
    /// # Errors
    /// The modules contradict each other or the model, or fewer values are there than are to be left.
    pub fn width(&self, config: &Config) -> Result<usize, Error> {
        let whole = self.modules.width(config.hidden_size)?;
        match self.truncate_dim {
            Some(values) if values == 0 || values > whole => Err(Error::Combination(format!(
                "truncate_dim is {values}, and a sentence's vector has {whole} values; expected 1 to {whole}"
            ))),
            Some(values) => Ok(values),
            None => Ok(self.modules.truncate_dim().unwrap_or(whole).min(whole)),
        }
    }
}
