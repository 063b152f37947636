//! DeBERTa-v2 and v3: attention between content and distances, and a convolution beside the first layer.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::Family;
use super::bert::BERT;
use crate::checkpoint::architecture::{
    self, Architecture, Convolution, Disentangled, Distances, Projection, Refusal, Relative,
};
use crate::{Activation, Config};

/// Source: <https://github.com/huggingface/transformers/tree/main/src/transformers/models/deberta_v2>
pub(super) const DEBERTA_V2: Family = Family {
    model_type: "deberta-v2",
    class: "DebertaV2",
    defaults: r#"{
        "vocab_size": 128100, "hidden_size": 1536, "num_hidden_layers": 24, "num_attention_heads": 24,
        "intermediate_size": 6144, "hidden_act": "gelu", "max_position_embeddings": 512,
        "type_vocab_size": 0, "layer_norm_eps": 1e-7, "pad_token_id": 0
    }"#,
    fixed: "{}",
    architecture,
    may_lack_token_types: true,
    has_pooler: false,
    prefix: "deberta.",
    renames: &[
        ("embeddings.embed_proj.", "embeddings_project."),
        (".attention.self.query_proj.", ".attention.self.query."),
        (".attention.self.key_proj.", ".attention.self.key."),
        (".attention.self.value_proj.", ".attention.self.value."),
    ],
    heads: &["pooler.", "cls.", "lm_predictions.", "mask_predictions.", "classifier.", "qa_outputs."],
    // Stored also where the configuration says that they are not added.
    ignored: &["embeddings.position_embeddings.weight"],
    ..BERT
};

#[derive(Deserialize)]
struct Keys {
    #[serde(default)]
    relative_attention: bool,
    #[serde(default = "unbounded")]
    max_relative_positions: i64,
    #[serde(default = "unbounded")]
    position_buckets: i64,
    #[serde(default)]
    pos_att_type: PositionTypes,
    #[serde(default)]
    share_att_key: bool,
    #[serde(default)]
    norm_rel_ebd: String,
    #[serde(default = "yes")]
    position_biased_input: bool,
    #[serde(default)]
    conv_kernel_size: i64,
    #[serde(default = "one")]
    conv_groups: usize,
    #[serde(default = "tanh")]
    conv_act: String,
    attention_head_size: Option<usize>,
}

fn unbounded() -> i64 {
    -1
}

fn yes() -> bool {
    true
}

fn one() -> usize {
    1
}

fn tanh() -> String {
    "tanh".to_owned()
}

/// Which of content and position look at which.
#[derive(Deserialize)]
#[serde(untagged)]
enum PositionTypes {
    Joined(String),
    Listed(Vec<String>),
}

impl Default for PositionTypes {
    fn default() -> Self {
        Self::Listed(Vec::new())
    }
}

impl PositionTypes {
    fn contains(&self, name: &str) -> bool {
        match self {
            Self::Joined(text) => text.to_lowercase().split('|').any(|part| part.trim() == name),
            Self::Listed(names) => names.iter().any(|part| part == name),
        }
    }
}

fn architecture(config: &Config, json: &Map<String, Value>) -> Result<Architecture, Refusal> {
    let keys: Keys = architecture::keys(json)?;
    let head_size = config.head_size();
    if let Some(found) = keys.attention_head_size.filter(|&found| found != head_size) {
        return Err(Refusal::unsupported("attention_head_size", found, head_size.to_string()));
    }
    let projected = config.embedding_size() != config.hidden_size;
    Ok(Architecture {
        position_embeddings: keys.position_biased_input,
        projection: if projected { Projection::BeforeNorm } else { Projection::None },
        relative: Relative::Disentangled(Disentangled {
            embeddings: keys.distances(config)?,
            content_to_position: keys.pos_att_type.contains("c2p"),
            position_to_content: keys.pos_att_type.contains("p2c"),
            shares_projections: keys.share_att_key,
            normalized: keys.norm_rel_ebd.to_lowercase().split('|').any(|part| part.trim() == "layer_norm"),
        }),
        convolution: keys.convolution(config)?,
        ..Architecture::bert(config)
    })
}

impl Keys {
    fn distances(&self, config: &Config) -> Result<Option<Distances>, Refusal> {
        if !self.relative_attention {
            return Ok(None);
        }
        let farthest = match usize::try_from(self.max_relative_positions) {
            Err(_) | Ok(0) => config.max_position_embeddings,
            Ok(farthest) => farthest,
        };
        let buckets = match usize::try_from(self.position_buckets) {
            Err(_) | Ok(0) => return Ok(Some(Distances { span: farthest, farthest: None })),
            Ok(buckets) => buckets,
        };
        // Beyond half of the buckets, classes get wider up to the greatest distance.
        let exact = buckets / 2;
        if exact == 0 || (farthest <= exact + 1 && config.max_position_embeddings > exact + 1) {
            return Err(Refusal::Invalid(format!(
                "position_buckets {buckets} leave no classes of distances up to {farthest}"
            )));
        }
        Ok(Some(Distances { span: buckets, farthest: Some(farthest) }))
    }

    fn convolution(&self, config: &Config) -> Result<Option<Convolution>, Refusal> {
        let width = match usize::try_from(self.conv_kernel_size) {
            Err(_) | Ok(0) => return Ok(None),
            Ok(width) => width,
        };
        if width % 2 == 0 {
            return Err(Refusal::unsupported("conv_kernel_size", width, "an odd number"));
        }
        if self.conv_groups == 0 || !config.hidden_size.is_multiple_of(self.conv_groups) {
            let (groups, hidden) = (self.conv_groups, config.hidden_size);
            return Err(Refusal::Invalid(format!(
                "hidden_size {hidden} is not a multiple of conv_groups {groups}"
            )));
        }
        let activation = Activation::named(&self.conv_act)
            .ok_or_else(|| Refusal::unsupported("conv_act", &self.conv_act, Activation::NAMES.join(", ")))?;
        Ok(Some(Convolution { width, groups: self.conv_groups, activation }))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::*;
    use crate::Error;

    /// As microsoft/deberta-v3-base has it, but for its sizes.
    fn parse(change: impl FnOnce(&mut Value)) -> Result<Config, Error> {
        let mut config = json!({
            "model_type": "deberta-v2", "attention_probs_dropout_prob": 0.1, "hidden_act": "gelu",
            "hidden_dropout_prob": 0.1, "hidden_size": 12, "initializer_range": 0.02,
            "intermediate_size": 24, "max_position_embeddings": 512, "relative_attention": true,
            "position_buckets": 256, "norm_rel_ebd": "layer_norm", "share_att_key": true,
            "pos_att_type": "p2c|c2p", "layer_norm_eps": 1e-7, "max_relative_positions": -1,
            "position_biased_input": false, "num_attention_heads": 3, "num_hidden_layers": 2,
            "type_vocab_size": 0, "vocab_size": 128100,
        });
        change(&mut config);
        Config::parse(&config.to_string(), Path::new("config.json"))
    }

    fn disentangled(change: impl FnOnce(&mut Value)) -> Disentangled {
        match parse(change).unwrap().architecture.relative {
            Relative::Disentangled(disentangled) => disentangled,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn attention_is_as_the_file_says() {
        let published = Disentangled {
            embeddings: Some(Distances { span: 256, farthest: Some(512) }),
            content_to_position: true,
            position_to_content: true,
            shares_projections: true,
            normalized: true,
        };
        assert_eq!(disentangled(|_| ()), published);
        assert_eq!(disentangled(|config| config["pos_att_type"] = json!(["c2p", "p2c"])), published);
        let cut = disentangled(|config| {
            (config["position_buckets"], config["max_relative_positions"]) = (json!(-1), json!(100));
            config["pos_att_type"] = json!("C2P");
        });
        let distances = Some(Distances { span: 100, farthest: None });
        assert_eq!((cut.embeddings, cut.position_to_content), (distances, false));
        assert_eq!(disentangled(|config| config["relative_attention"] = json!(false)).embeddings, None);
    }

    #[test]
    fn what_is_not_computed_is_refused() {
        for (key, value) in [
            ("attention_head_size", json!(5)),
            ("conv_kernel_size", json!(4)),
            ("hidden_act", json!("quick_gelu")),
        ] {
            let error = parse(|config| config[key] = value.clone()).unwrap_err();
            assert!(matches!(&error, Error::Unsupported { key: named, .. } if *named == key), "{error}");
        }
        let convolved = |change: fn(&mut Value)| {
            parse(|config| {
                config["conv_kernel_size"] = json!(3);
                change(config);
            })
        };
        assert!(convolved(|_| ()).unwrap().architecture.convolution.is_some());
        let error = convolved(|config| config["conv_act"] = json!("mish")).unwrap_err();
        assert!(matches!(&error, Error::Unsupported { key: "conv_act", .. }), "{error}");
        for (key, value) in [("conv_groups", json!(5)), ("conv_groups", json!(0))] {
            let error = parse(|config| {
                config["conv_kernel_size"] = json!(3);
                config[key] = value;
            });
            assert!(matches!(error, Err(Error::Invalid { .. })), "{error:?}");
        }
        for (key, value) in [("position_buckets", json!(1)), ("max_relative_positions", json!(100))] {
            let error = parse(|config| config[key] = value.clone()).unwrap_err();
            assert!(error.to_string().contains("position_buckets"), "{key}={value}: {error}");
        }
    }

    #[test]
    fn published_names_are_known() {
        let names = [
            (
                "deberta.encoder.layer.0.attention.self.query_proj.weight",
                "encoder.layer.0.attention.self.query.weight",
            ),
            ("deberta.encoder.rel_embeddings.weight", "encoder.rel_embeddings.weight"),
            ("deberta.encoder.LayerNorm.weight", "encoder.LayerNorm.weight"),
            ("deberta.embeddings.embed_proj.weight", "embeddings_project.weight"),
        ];
        for (there, here) in names {
            assert_eq!(DEBERTA_V2.canonical_name(there), here);
        }
        for head in [
            "deberta.embeddings.position_embeddings.weight",
            "lm_predictions.lm_head.LayerNorm.bias",
            "mask_predictions.classifier.weight",
            "pooler.dense.weight",
        ] {
            assert!(DEBERTA_V2.is_beside_the_encoder(&DEBERTA_V2.canonical_name(head)), "{head}");
        }
    }
}
