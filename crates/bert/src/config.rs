//! `config.json`: every number the model states, and a refusal of what cannot be honoured.

use std::path::Path;

use serde::Deserialize;

use crate::Error;

/// The architecture of a BERT encoder, with the names of Hugging Face's `config.json`.
///
/// Source: <https://huggingface.co/docs/transformers/model_doc/bert#transformers.BertConfig>
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Config {
    /// Number of rows of the word embeddings.
    pub vocab_size: usize,
    /// Width of every hidden state.
    pub hidden_size: usize,
    /// Number of encoder layers; there is one more hidden state than layers.
    pub num_hidden_layers: usize,
    /// Number of attention heads; divides `hidden_size`.
    pub num_attention_heads: usize,
    /// Width of the feed-forward layer.
    pub intermediate_size: usize,
    /// Activation of the feed-forward layer.
    pub hidden_act: Activation,
    /// Longest sequence, in tokens, special ones counted.
    pub max_position_embeddings: usize,
    /// Number of rows of the token type embeddings.
    pub type_vocab_size: usize,
    /// Added to the variance in every layer norm.
    pub layer_norm_eps: f64,
    /// The token that fills the end of a short row in a padded batch.
    #[serde(default)]
    pub pad_token_id: u32,
}

/// The activation between the two products of a feed-forward layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// The exact form, with the error function.
    #[serde(alias = "gelu_python")]
    Gelu,
    /// The tanh approximation under any of its names.
    #[serde(alias = "gelu_fast", alias = "gelu_pytorch_tanh")]
    GeluNew,
    /// `max(x, 0)`.
    Relu,
    /// `x · sigmoid(x)`.
    #[serde(alias = "swish")]
    Silu,
    /// The hyperbolic tangent.
    Tanh,
}

const ACTIVATIONS: &[&str] =
    &["gelu", "gelu_python", "gelu_new", "gelu_fast", "gelu_pytorch_tanh", "relu", "silu", "swish", "tanh"];

/// More than any encoder has; a damaged number must not become a loop without end.
const MOST_LAYERS: usize = 1000;

impl Config {
    /// Reads and checks a `config.json`.
    ///
    /// # Errors
    /// The file cannot be read, is not a BERT configuration, contradicts itself, or asks for
    /// something that is not computed here: the message names the key.
    pub fn read(path: &Path) -> Result<Self, Error> {
        Self::parse(&fs_err::read_to_string(path)?, path)
    }

    /// Checks the text of a `config.json`; `path` is for messages.
    pub(crate) fn parse(text: &str, path: &Path) -> Result<Self, Error> {
        let invalid = |reason: String| Error::Invalid { path: path.to_owned(), reason };
        let json: serde_json::Value = serde_json::from_str(text).map_err(|e| invalid(e.to_string()))?;
        refuse_unsupported(&json, path)?;
        let config: Self = serde_json::from_value(json).map_err(|e| invalid(e.to_string()))?;
        config.check().map_err(invalid)?;
        Ok(config)
    }

    /// Width of one attention head.
    pub fn head_size(&self) -> usize {
        self.hidden_size / self.num_attention_heads
    }

    fn check(&self) -> Result<(), String> {
        let sizes = [
            ("vocab_size", self.vocab_size),
            ("hidden_size", self.hidden_size),
            ("num_hidden_layers", self.num_hidden_layers),
            ("num_attention_heads", self.num_attention_heads),
            ("intermediate_size", self.intermediate_size),
            ("max_position_embeddings", self.max_position_embeddings),
            ("type_vocab_size", self.type_vocab_size),
        ];
        if let Some((key, _)) = sizes.iter().find(|(_, size)| *size == 0) {
            return Err(format!("{key} is 0, expected at least 1"));
        }
        if self.num_hidden_layers > MOST_LAYERS {
            let found = self.num_hidden_layers;
            return Err(format!("num_hidden_layers is {found}, expected at most {MOST_LAYERS}"));
        }
        if self.pad_token_id as usize >= self.vocab_size {
            let (pad, known) = (self.pad_token_id, self.vocab_size);
            return Err(format!("pad_token_id is {pad}, but the model has {known} word embeddings"));
        }
        if !self.hidden_size.is_multiple_of(self.num_attention_heads) {
            return Err(format!(
                "hidden_size {} is not a multiple of num_attention_heads {}",
                self.hidden_size, self.num_attention_heads
            ));
        }
        if !(self.layer_norm_eps.is_finite() && self.layer_norm_eps > 0.0) {
            return Err(format!("layer_norm_eps is {}, expected a positive number", self.layer_norm_eps));
        }
        Ok(())
    }
}

/// Refuses by name what would otherwise be computed wrongly in silence.
fn refuse_unsupported(json: &serde_json::Value, path: &Path) -> Result<(), Error> {
    let refuse = |key: &'static str, expected: &[&str]| match json.get(key) {
        None | Some(serde_json::Value::Null) => Ok(()),
        Some(found) if found.as_str().is_some_and(|text| expected.contains(&text)) => Ok(()),
        Some(found) => Err(Error::Unsupported {
            path: path.to_owned(),
            key,
            found: found.to_string(),
            expected: expected.join(", "),
        }),
    };
    refuse("model_type", &["bert"])?;
    refuse("position_embedding_type", &["absolute"])?;
    refuse("hidden_act", ACTIVATIONS)?;
    for key in ["is_decoder", "add_cross_attention", "is_encoder_decoder"] {
        if json.get(key) == Some(&serde_json::Value::Bool(true)) {
            return Err(Error::Unsupported {
                path: path.to_owned(),
                key,
                found: "true".to_owned(),
                expected: "false: only encoders have layer vectors here".to_owned(),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(change: impl FnOnce(&mut serde_json::Value)) -> Result<Config, Error> {
        let mut json = json!({
            "model_type": "bert", "vocab_size": 100, "hidden_size": 12, "num_hidden_layers": 2,
            "num_attention_heads": 3, "intermediate_size": 48, "hidden_act": "gelu",
            "max_position_embeddings": 32, "type_vocab_size": 2, "layer_norm_eps": 1e-12,
        });
        change(&mut json);
        Config::parse(&json.to_string(), Path::new("config.json"))
    }

    #[test]
    fn numbers_are_taken_from_the_file() {
        let config = parse(|c| c["layer_norm_eps"] = json!(3e-5)).unwrap();
        assert_eq!((config.layer_norm_eps, config.head_size()), (3e-5, 4));
    }

    #[test]
    fn what_cannot_be_honoured_is_refused_by_name() {
        for (key, value) in [
            ("position_embedding_type", json!("relative_key")),
            ("hidden_act", json!("quick_gelu")),
            ("model_type", json!("gpt2")),
            ("is_decoder", json!(true)),
        ] {
            let error = parse(|c| c[key] = value.clone()).unwrap_err();
            assert!(matches!(&error, Error::Unsupported { key: named, .. } if *named == key), "{error}");
        }
    }

    #[test]
    fn a_configuration_that_contradicts_itself_is_refused() {
        for (key, value) in [
            ("num_attention_heads", json!(5)),
            ("num_attention_heads", json!(0)),
            ("layer_norm_eps", json!(0.0)),
            ("hidden_size", json!("12")),
            ("vocab_size", json!(null)),
        ] {
            let error = parse(|c| c[key] = value.clone()).unwrap_err();
            assert!(matches!(error, Error::Invalid { .. }), "{key}={value}: {error}");
        }
    }
}
