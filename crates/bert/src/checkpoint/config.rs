//! `config.json`: every number the model states, and a refusal of what cannot be honoured.

use std::ops::Deref;
use std::path::Path;

use serde::Deserialize;

use crate::Error;
use crate::checkpoint::activation::Activation;
use crate::checkpoint::architecture::{Architecture, Refusal};
use crate::checkpoint::families::{Family, MOST_LAYERS, Positions};
use crate::checkpoint::honoured::{check_numbers, family, refuse_other_positions, refuse_unsupported};
use crate::checkpoint::json;

/// The architecture of an encoder, with the names of Hugging Face's `config.json` for BERT, whatever
/// its family calls them.
///
/// Source: <https://huggingface.co/docs/transformers/model_doc/bert#transformers.BertConfig>
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    file: ConfigFile,
    pub(crate) family: &'static Family,
    pub(crate) architecture: Architecture,
}

/// The numbers that a `config.json` states, once its keys are those of BERT.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct ConfigFile {
    /// Number of rows of the word embeddings.
    pub vocab_size: usize,
    /// Width of every hidden state.
    pub hidden_size: usize,
    /// Number of encoder layers that run one after the other, whether or not they share weights; there
    /// is one more hidden state than layers.
    pub num_hidden_layers: usize,
    /// Number of attention heads; divides `hidden_size`.
    pub num_attention_heads: usize,
    /// Width of the feed-forward layer.
    pub intermediate_size: usize,
    /// Activation of the feed-forward layer.
    #[serde(default)]
    pub hidden_act: Activation,
    /// Number of rows of the position embeddings; see [`Config::max_tokens`].
    pub max_position_embeddings: usize,
    /// Number of rows of the token type embeddings, 0 in families that have none.
    pub type_vocab_size: usize,
    /// Added to the variance in every layer norm.
    #[serde(default = "default_epsilon")]
    pub layer_norm_eps: f64,
    /// The token of padding, after whose id some families count positions. Nothing is padded here.
    #[serde(default)]
    pub pad_token_id: u32,
    /// Standard deviation of weights before training.
    #[serde(default = "default_initializer_range")]
    pub initializer_range: f64,
    #[serde(default)]
    embedding_size: Option<usize>,
    /// Whether position embeddings are sines before training.
    #[serde(default)]
    pub(crate) sinusoidal_pos_embds: bool,
    /// The file of the weights, where it has another name than usual.
    #[serde(default)]
    pub(crate) transformers_weights: Option<String>,
}

impl Deref for Config {
    type Target = ConfigFile;

    fn deref(&self) -> &ConfigFile {
        &self.file
    }
}

fn default_epsilon() -> f64 {
    1e-12
}

fn default_initializer_range() -> f64 {
    0.02
}

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
        let mut json = json::object(text).map_err(invalid)?;
        let family = family(&json, path)?;
        let mut stated = json.clone();
        stated.retain(|_, value| !value.is_null());
        family.canonical_keys(&mut json);
        refuse_unsupported(&stated, &json, family, path)?;
        check_numbers(&json, family).map_err(invalid)?;
        json.retain(|_, value| !value.is_null());
        let file: ConfigFile = serde_json::from_value(json.into()).map_err(|e| invalid(e.to_string()))?;
        let mut config = Self { file, family, architecture: Architecture::default() };
        config.check().map_err(invalid)?;
        config.architecture = (family.architecture)(&config, &stated).map_err(|refusal| match refusal {
            Refusal::Invalid(reason) => invalid(reason),
            Refusal::Unsupported { key, found, expected } => {
                Error::Unsupported { path: path.to_owned(), key, found, expected }
            }
        })?;
        if config.architecture.position_embeddings {
            refuse_other_positions(&stated, path)?;
        }
        config.file.num_hidden_layers = config.architecture.layers.len();
        Ok(config)
    }

    /// The family's name, as `model_type` states it.
    pub fn model_type(&self) -> &'static str {
        self.family.model_type
    }

    /// Width of one attention head.
    pub fn head_size(&self) -> usize {
        self.hidden_size / self.num_attention_heads
    }

    /// Width of the embeddings; where it is not that of the hidden states, they are projected.
    pub fn embedding_size(&self) -> usize {
        self.embedding_size.unwrap_or(self.hidden_size)
    }

    /// The longest sequence that the model can take, in tokens, special ones counted: none is too long where no table
    /// has a row for each position.
    pub fn positions(&self) -> Option<usize> {
        self.architecture.position_embeddings.then(|| self.max_tokens())
    }

    /// The longest sequence that it was made for, counted in the same way.
    pub fn max_tokens(&self) -> usize {
        self.max_position_embeddings.saturating_sub(match self.family.positions {
            Positions::FromZero => 0,
            Positions::AfterPadding => self.pad_token_id as usize + 1,
        })
    }

    fn check(&self) -> Result<(), String> {
        let sizes = [
            ("vocab_size", self.vocab_size),
            ("hidden_size", self.hidden_size),
            ("embedding_size", self.embedding_size()),
            ("num_hidden_layers", self.num_hidden_layers),
            ("num_attention_heads", self.num_attention_heads),
            ("intermediate_size", self.intermediate_size),
            ("max_position_embeddings", self.max_position_embeddings),
            ("type_vocab_size", self.type_vocab_size),
        ];
        let may_be_0 = |key| key == "type_vocab_size" && self.family.may_lack_token_types;
        if let Some((key, _)) = sizes.into_iter().find(|&(key, size)| size == 0 && !may_be_0(key)) {
            return Err(format!("{} is 0, expected at least 1", self.family.key_in_file(key)));
        }
        if self.max_tokens() == 0 {
            return Err(format!(
                "max_position_embeddings is {}, which leaves none beside those up to pad_token_id {}",
                self.max_position_embeddings, self.pad_token_id
            ));
        }
        if self.num_hidden_layers > MOST_LAYERS {
            let found = self.num_hidden_layers;
            let key = self.family.key_in_file("num_hidden_layers");
            return Err(format!("{key} is {found}, expected at most {MOST_LAYERS}"));
        }
        if self.pad_token_id as usize >= self.vocab_size {
            let (pad, known) = (self.pad_token_id, self.vocab_size);
            return Err(format!("pad_token_id is {pad}, but the model has {known} word embeddings"));
        }
        if !self.hidden_size.is_multiple_of(self.num_attention_heads) {
            let [width, heads] =
                ["hidden_size", "num_attention_heads"].map(|key| self.family.key_in_file(key));
            return Err(format!(
                "{width} {} is not a multiple of {heads} {}",
                self.hidden_size, self.num_attention_heads
            ));
        }
        if !(self.layer_norm_eps.is_finite() && self.layer_norm_eps > 0.0) {
            return Err(format!("layer_norm_eps is {}, expected a positive number", self.layer_norm_eps));
        }
        if !(self.initializer_range.is_finite() && self.initializer_range >= 0.0) {
            return Err(format!(
                "initializer_range is {}, expected no negative number",
                self.initializer_range
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Map, Value, json};

    fn read(config: &Value) -> Result<Config, Error> {
        Config::parse(&config.to_string(), Path::new("config.json"))
    }

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
            ("quantization_config", json!({"quant_method": "bitsandbytes", "load_in_8bit": true})),
            ("hidden_act", json!(null)),
        ] {
            let error = parse(|c| c[key] = value.clone()).unwrap_err();
            assert!(matches!(&error, Error::Unsupported { key: named, .. } if *named == key), "{error}");
        }
    }

    #[test]
    fn a_family_has_its_own_keys_and_defaults() {
        let distilbert = json!({
            "model_type": "distilbert", "vocab_size": 100, "dim": 12, "n_layers": 2, "n_heads": 3,
            "hidden_dim": 48, "activation": "relu", "max_position_embeddings": 32, "layer_norm_eps": 0.5,
        });
        let config = Config::parse(&distilbert.to_string(), Path::new("config.json")).unwrap();
        assert_eq!((config.hidden_size, config.num_hidden_layers, config.head_size()), (12, 2, 4));
        assert_eq!((config.intermediate_size, config.hidden_act), (48, Activation::Relu));
        assert_eq!((config.type_vocab_size, config.layer_norm_eps), (0, 1e-12));
        let error =
            Config::parse(&distilbert.to_string().replace("relu", "quick_gelu"), Path::new("config.json"));
        assert!(matches!(error, Err(Error::Unsupported { key: "activation", .. })));

        for (model_type, pad, longest) in
            [("bert", 0, 32), ("electra", 0, 32), ("roberta", 1, 30), ("camembert", 1, 30)]
        {
            let config = parse(|c| c["model_type"] = json!(model_type)).unwrap();
            assert_eq!((config.pad_token_id, config.max_tokens()), (pad, longest), "{model_type}");
        }
        let mpnet = |c: &mut Value| {
            (c["model_type"], c["relative_attention_num_buckets"]) = (json!("mpnet"), json!(64));
        };
        let error = parse(mpnet).unwrap_err();
        assert!(matches!(error, Error::Unsupported { key: "relative_attention_num_buckets", .. }), "{error}");
        let electra = parse(|c| c["model_type"] = json!("electra")).unwrap();
        assert_eq!((electra.embedding_size(), electra.hidden_size), (128, 12));
        assert_eq!(parse(|c| c["embedding_size"] = json!(7)).unwrap().embedding_size(), 12);
    }

    #[test]
    fn a_configuration_that_contradicts_itself_is_refused() {
        for (key, value) in [
            ("num_attention_heads", json!(5)),
            ("num_attention_heads", json!(0)),
            ("layer_norm_eps", json!(0.0)),
            ("hidden_size", json!("12")),
            ("num_hidden_layers", json!(2.0)),
            ("vocab_size", json!(null)),
            ("layer_norm_eps", json!(null)),
            ("pad_token_id", json!(-1)),
            ("type_vocab_size", json!(0)),
            ("initializer_range", json!(-0.1)),
        ] {
            let error = parse(|c| c[key] = value.clone()).unwrap_err();
            assert!(matches!(error, Error::Invalid { .. }), "{key}={value}: {error}");
        }
        let roberta = |c: &mut Value| (c["model_type"], c["pad_token_id"]) = (json!("roberta"), json!(31));
        assert!(parse(roberta).unwrap_err().to_string().contains("max_position_embeddings"));
    }

    /// What transformers 5 gives for a `config.json` that states nothing but the type.
    #[test]
    fn numbers_that_are_not_stated_are_those_of_the_family() {
        for (model_type, expected) in [
            ("bert", [30522, 768, 12, 12, 3072, 512, 2]),
            ("roberta", [50265, 768, 12, 12, 3072, 512, 2]),
            ("xlm-roberta", [30522, 768, 12, 12, 3072, 512, 2]),
            ("camembert", [30522, 768, 12, 12, 3072, 512, 2]),
            ("distilbert", [30522, 768, 6, 12, 3072, 512, 0]),
            ("electra", [30522, 256, 12, 4, 1024, 512, 2]),
            ("mpnet", [30527, 768, 12, 12, 3072, 512, 0]),
        ] {
            let c = read(&json!({"model_type": model_type})).unwrap();
            let found = [
                c.vocab_size,
                c.hidden_size,
                c.num_hidden_layers,
                c.num_attention_heads,
                c.intermediate_size,
                c.max_position_embeddings,
                c.type_vocab_size,
            ];
            assert_eq!(found, expected, "{model_type}");
            assert_eq!((c.layer_norm_eps, c.initializer_range), (1e-12, 0.02), "{model_type}");
        }
    }

    #[test]
    fn distilbert_has_three_numbers_under_two_names_of_which_that_of_bert_counts() {
        let both = json!({
            "model_type": "distilbert", "dim": 36, "hidden_size": 24, "n_layers": 4, "num_hidden_layers": 3,
            "num_attention_heads": 2, "intermediate_size": 7, "hidden_dim": 9, "hidden_act": "relu",
        });
        let config = read(&both).unwrap();
        assert_eq!((config.hidden_size, config.num_hidden_layers, config.num_attention_heads), (24, 3, 2));
        assert_eq!((config.intermediate_size, config.hidden_act), (9, Activation::Gelu));
    }

    #[test]
    fn without_a_type_the_classes_tell_the_family_or_nothing_does() {
        let with = |classes: Value| {
            parse(|c| {
                c.as_object_mut().unwrap().remove("model_type");
                c["architectures"] = classes;
            })
        };
        for (class, model_type) in [
            ("BertForMaskedLM", "bert"),
            ("BertLMHeadModel", "bert"),
            ("RobertaModel", "roberta"),
            ("XLMRobertaForSequenceClassification", "xlm-roberta"),
            ("CamembertForTokenClassification", "camembert"),
            ("ElectraForPreTraining", "electra"),
            ("MPNetForMaskedLM", "mpnet"),
        ] {
            assert_eq!(with(json!([class])).unwrap().model_type(), model_type, "{class}");
        }
        assert_eq!(with(json!(["BertModel", "BertForPreTraining"])).unwrap().model_type(), "bert");
        for unknown in [
            json!(null),
            json!([]),
            json!("BertModel"),
            json!(["BertModel", "RobertaModel"]),
            json!(["HF_ColBERT"]),
            json!(["BertGenerationEncoder"]),
            json!(["RobertaPreLayerNormModel"]),
            json!(["XLMRobertaXLModel"]),
        ] {
            let error = with(unknown.clone()).unwrap_err();
            assert!(matches!(error, Error::Unsupported { key: "model_type", .. }), "{unknown}: {error}");
        }
        // What is stated counts, whatever the classes are.
        let roberta = parse(|c| {
            (c["model_type"], c["architectures"]) = (json!("roberta"), json!(["BertModel"]));
        });
        assert_eq!(roberta.unwrap().model_type(), "roberta");
        assert!(parse(|c| c["model_type"] = json!("BERT")).is_err());
    }

    #[test]
    fn a_file_is_read_as_python_reads_json() {
        let path = Path::new("config.json");
        let written = json!({"model_type": "bert", "hidden_size": 24}).to_string();
        let with = |more: &str| Config::parse(&written.replacen('{', &format!("{{{more},"), 1), path);
        for harmless in [
            r#""classifier_dropout": NaN"#,
            r#""a": [-Infinity, {"b": Infinity}]"#,
            r#""hidden_size": 36"#,
            r#""id2label": ["a"], "torch_dtype": "torch.float16", "n_layers": 3"#,
            r#""pad_token_id": null"#,
        ] {
            let config = with(harmless).unwrap();
            assert_eq!((config.hidden_size, config.num_hidden_layers), (24, 12), "{harmless}");
        }
        for refused in [
            r#""layer_norm_eps": NaN"#,
            r#""initializer_range": Infinity"#,
            r#""vocab_size": NaN"#,
            "// a comment\n\"a\": 1",
            r#""a": nan"#,
            r#""a": 01"#,
        ] {
            assert!(matches!(with(refused), Err(Error::Invalid { .. })), "{refused}");
        }
        for broken in
            [format!("\u{feff}{written}"), format!("{written}{written}"), written.replace('}', ",}")]
        {
            assert!(matches!(Config::parse(&broken, path), Err(Error::Invalid { .. })), "{broken}");
        }
        let without =
            Map::from_iter([("model_type".into(), "roberta".into()), ("pad_token_id".into(), Value::Null)]);
        let error = read(&without.into()).unwrap_err();
        assert!(error.to_string().contains("pad_token_id is null"), "positions are counted from it: {error}");
    }
}
