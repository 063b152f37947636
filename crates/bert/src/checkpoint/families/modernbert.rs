//! ModernBERT: rotated queries and keys, layers that attend to neighbours only, norms before, gates.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::bert::BERT;
use super::{Family, Joint, TokenTypes, rotation};
use crate::Config;
use crate::checkpoint::architecture::{self, Architecture, Initialization, Layer, Norms, Refusal};

/// Source: <https://github.com/huggingface/transformers/tree/main/src/transformers/models/modernbert>
pub(super) const MODERNBERT: Family = Family {
    model_type: "modernbert",
    class: "ModernBert",
    keys: &[("hidden_activation", "hidden_act"), ("norm_eps", "layer_norm_eps")],
    aliases: Some(&[]),
    defaults: r#"{
        "vocab_size": 50368, "hidden_size": 768, "num_hidden_layers": 22, "num_attention_heads": 12,
        "intermediate_size": 1152, "hidden_act": "gelu", "max_position_embeddings": 8192,
        "layer_norm_eps": 1e-5, "pad_token_id": 50283
    }"#,
    fixed: r#"{"embedding_size": null, "type_vocab_size": 0}"#,
    architecture,
    token_types: TokenTypes::None,
    may_lack_token_types: true,
    has_pooler: false,
    prefix: "model.",
    renames: &[
        ("embeddings.tok_embeddings.", "embeddings.word_embeddings."),
        ("embeddings.norm.", "embeddings.LayerNorm."),
        ("final_norm.", "final.LayerNorm."),
        ("layers.", "encoder.layer."),
        (".attn.Wqkv.", ".attention.self.all."),
        (".attn.Wo.", ".attention.output.dense."),
        (".attn_norm.", ".attention.output.LayerNorm."),
        (".mlp.Wi.", ".intermediate.both."),
        (".mlp.Wo.", ".output.dense."),
        (".mlp_norm.", ".output.LayerNorm."),
    ],
    joints: &[
        Joint {
            name: ".attention.self.all.",
            parts: &[".attention.self.query.", ".attention.self.key.", ".attention.self.value."],
            is_old: false,
        },
        Joint {
            name: ".intermediate.both.",
            parts: &[".intermediate.gate.", ".intermediate.dense."],
            is_old: false,
        },
    ],
    heads: &["head.", "decoder.", "classifier."],
    ..BERT
};

#[derive(Deserialize)]
struct Keys {
    #[serde(default)]
    norm_bias: bool,
    #[serde(default)]
    attention_bias: bool,
    #[serde(default)]
    mlp_bias: bool,
    layer_types: Option<Vec<String>>,
    #[serde(default = "three")]
    global_attn_every_n_layers: usize,
    local_attention: Option<usize>,
    sliding_window: Option<usize>,
    #[serde(default = "default_cutoff")]
    initializer_cutoff_factor: f64,
    #[serde(default)]
    rope_parameters: Map<String, Value>,
    #[serde(default)]
    rope_scaling: Map<String, Value>,
    #[serde(default = "default_global_theta")]
    global_rope_theta: f64,
    #[serde(default = "default_local_theta")]
    local_rope_theta: f64,
    head_dim: Option<usize>,
    tie_last_hidden_states: Option<bool>,
}

fn three() -> usize {
    3
}

fn default_cutoff() -> f64 {
    2.0
}

fn default_global_theta() -> f64 {
    160_000.0
}

fn default_local_theta() -> f64 {
    10_000.0
}

const GLOBAL: &str = "full_attention";
const LOCAL: &str = "sliding_attention";

fn architecture(config: &Config, json: &Map<String, Value>) -> Result<Architecture, Refusal> {
    let keys: Keys = architecture::keys(json)?;
    keys.refuse_what_is_not_computed(config)?;
    let types = keys.layer_types(config.num_hidden_layers)?;
    let thetas = [(GLOBAL, keys.global_rope_theta), (LOCAL, keys.local_rope_theta)];
    let theta = |(layer_type, default)| keys.theta(layer_type, default, config.head_size());
    let [global, local] = thetas.map(theta);
    let thetas = [global?, local?];
    let span = keys.span()?;
    let layer = |(index, is_local): (usize, bool)| Layer {
        name: architecture::layer_name(index),
        span: is_local.then_some(span),
        rotation: Some(thetas[usize::from(is_local)]),
        has_attention_norm: index > 0,
    };
    Ok(Architecture {
        norms: Norms::Before,
        norm_bias: keys.norm_bias,
        position_embeddings: false,
        attention_bias: keys.attention_bias,
        gated: true,
        wide_bias: keys.mlp_bias,
        narrow_bias: keys.mlp_bias,
        layers: types.into_iter().enumerate().map(layer).collect(),
        initialization: Initialization {
            cutoff: Some(keys.initializer_cutoff_factor),
            outputs: (2.0 * config.num_hidden_layers as f64).sqrt().recip(),
            zero_padding: false,
        },
        ..Architecture::bert(config)
    })
}

impl Keys {
    fn refuse_what_is_not_computed(&self, config: &Config) -> Result<(), Refusal> {
        rotation::refuse_other_heads(self.head_dim, config.head_size())?;
        if self.tie_last_hidden_states == Some(false) {
            return Err(Refusal::unsupported("tie_last_hidden_states", false, "true"));
        }
        if !(self.initializer_cutoff_factor.is_finite() && self.initializer_cutoff_factor > 0.0) {
            let found = self.initializer_cutoff_factor;
            return Err(Refusal::Invalid(format!(
                "initializer_cutoff_factor is {found}, expected a positive number"
            )));
        }
        if let Some(base) = rotation::base("rope_scaling", &self.rope_scaling)? {
            return Err(Refusal::unsupported(
                "rope_scaling",
                format!("rope_theta {base}"),
                "rope_parameters",
            ));
        }
        match self.rope_parameters.keys().find(|key| ![GLOBAL, LOCAL].contains(&key.as_str())) {
            Some(key) => Err(Refusal::unsupported("rope_parameters", key, format!("{GLOBAL} and {LOCAL}"))),
            None => Ok(()),
        }
    }

    /// For each layer whether its attention is local.
    fn layer_types(&self, layers: usize) -> Result<Vec<bool>, Refusal> {
        let Some(types) = &self.layer_types else {
            return match self.global_attn_every_n_layers {
                0 => Err(Refusal::Invalid("global_attn_every_n_layers is 0, expected at least 1".to_owned())),
                every => Ok((0..layers).map(|index| index % every != 0).collect()),
            };
        };
        if types.len() != layers {
            let found = types.len();
            return Err(Refusal::Invalid(format!("layer_types names {found} layers, expected {layers}")));
        }
        let is_local = |name: &String| match name.as_str() {
            GLOBAL => Ok(false),
            LOCAL => Ok(true),
            _ => Err(Refusal::unsupported("layer_types", name, format!("{GLOBAL} or {LOCAL}"))),
        };
        types.iter().map(is_local).collect()
    }

    /// How many tokens to either side a local layer sees. The file may say it, or the sum of both sides.
    fn span(&self) -> Result<usize, Refusal> {
        const DEFAULT: usize = 128;
        match (self.local_attention, self.sliding_window) {
            (Some(both), Some(one)) if both / 2 != one => Err(Refusal::Invalid(format!(
                "local_attention {both} and sliding_window {one} contradict each other"
            ))),
            (_, Some(one)) => Ok(one),
            (both, None) => Ok(both.unwrap_or(DEFAULT) / 2),
        }
    }

    /// The base of rotation in layers of a type.
    fn theta(&self, layer_type: &str, default: f64, head_size: usize) -> Result<f64, Refusal> {
        let empty = Map::new();
        let parameters = match self.rope_parameters.get(layer_type) {
            None | Some(Value::Null) => &empty,
            Some(Value::Object(parameters)) => parameters,
            Some(other) => return Err(Refusal::unsupported("rope_parameters", other, "an object")),
        };
        let base = rotation::base("rope_parameters", parameters)?.unwrap_or(default);
        rotation::checked(base, head_size)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::*;
    use crate::{Activation, Error};

    fn parse(change: impl FnOnce(&mut Value)) -> Result<Config, Error> {
        let mut config = json!({
            "model_type": "modernbert", "hidden_size": 12, "num_attention_heads": 3, "num_hidden_layers": 4,
            "intermediate_size": 24, "hidden_activation": "silu", "norm_eps": 0.5,
            "position_embedding_type": "sans_pos", "deterministic_flash_attn": true,
        });
        change(&mut config);
        Config::parse(&config.to_string(), Path::new("config.json"))
    }

    /// Span and base of each layer.
    fn layers(change: impl FnOnce(&mut Value)) -> Vec<(Option<usize>, Option<f64>)> {
        let layers = parse(change).unwrap().architecture.layers;
        layers.into_iter().map(|layer| (layer.span, layer.rotation)).collect()
    }

    #[test]
    fn layers_are_local_and_rotated_as_the_file_says_in_its_old_or_new_keys() {
        let config = parse(|_| ()).unwrap();
        assert_eq!((config.hidden_act, config.layer_norm_eps), (Activation::Silu, 0.5));
        let (global, local) = ((None, Some(160_000.0)), (Some(64), Some(10_000.0)));
        assert_eq!(layers(|_| ()), [global, local, local, global]);
        let old = layers(|config| {
            config["global_attn_every_n_layers"] = json!(2);
            config["global_rope_theta"] = json!(7.0);
            config["local_rope_theta"] = json!(5);
            config["local_attention"] = json!(9);
        });
        let (global, local) = ((None, Some(7.0)), (Some(4), Some(5.0)));
        assert_eq!(old, [global, local, global, local]);
        let new = layers(|config| {
            config["layer_types"] = json!([LOCAL, GLOBAL, GLOBAL, LOCAL]);
            config["rope_parameters"] = json!({
                GLOBAL: {"rope_type": "default", "rope_theta": 7.0},
                LOCAL: {"rope_type": "default", "rope_theta": 5.0},
            });
            config["sliding_window"] = json!(4);
        });
        assert_eq!(new, [local, global, global, local]);
    }

    #[test]
    fn what_is_not_computed_is_refused_by_name() {
        let yarn = json!({"rope_type": "yarn", "factor": 2.0, "rope_theta": 7.0});
        for (key, value) in [
            ("rope_scaling", json!({"rope_type": "linear", "factor": 2.0})),
            ("rope_parameters", json!({ GLOBAL: yarn.clone() })),
            ("rope_parameters", yarn),
            ("rope_parameters", json!({ LOCAL: {"partial_rotary_factor": 0.5} })),
            ("layer_types", json!(["full_attention", "chunked_attention", LOCAL, LOCAL])),
            ("head_dim", json!(6)),
            ("tie_last_hidden_states", json!(false)),
            ("hidden_activation", json!("quick_gelu")),
        ] {
            let error = parse(|config| config[key] = value.clone()).unwrap_err();
            assert!(matches!(&error, Error::Unsupported { key: named, .. } if *named == key), "{error}");
        }
    }

    #[test]
    fn a_configuration_that_contradicts_itself_is_refused() {
        for (key, value) in [
            ("layer_types", json!([GLOBAL])),
            ("global_attn_every_n_layers", json!(0)),
            ("local_attention", json!(-1)),
            ("global_rope_theta", json!(0.0)),
            ("initializer_cutoff_factor", json!(0.0)),
            ("num_attention_heads", json!(4)),
        ] {
            let error = parse(|config| config[key] = value.clone()).unwrap_err();
            assert!(matches!(error, Error::Invalid { .. }), "{key}={value}: {error}");
        }
        let both = |config: &mut Value| {
            (config["local_attention"], config["sliding_window"]) = (json!(128), json!(128));
        };
        assert!(parse(both).unwrap_err().to_string().contains("sliding_window"));
    }

    #[test]
    fn published_names_are_known() {
        for (there, here) in [
            ("model.embeddings.tok_embeddings.weight", "embeddings.word_embeddings.weight"),
            ("model.embeddings.norm.weight", "embeddings.LayerNorm.weight"),
            ("layers.1.attn_norm.weight", "encoder.layer.1.attention.output.LayerNorm.weight"),
            ("layers.1.mlp_norm.weight", "encoder.layer.1.output.LayerNorm.weight"),
            ("final_norm.weight", "final.LayerNorm.weight"),
        ] {
            assert_eq!(MODERNBERT.canonical_name(there), here);
        }
        let of_layer = |name: &str| format!("encoder.layer.21.{name}.weight");
        assert_eq!(
            MODERNBERT.canonical_names("model.layers.21.attn.Wqkv.weight"),
            ["query", "key", "value"].map(|part| of_layer(&format!("attention.self.{part}")))
        );
        assert_eq!(
            MODERNBERT.canonical_names("model.layers.21.mlp.Wi.weight"),
            ["intermediate.gate", "intermediate.dense"].map(of_layer)
        );
        assert_eq!(MODERNBERT.name_in_file(&of_layer("attention.self.key")), "layers.21.attn.Wqkv.weight");
        assert_eq!(MODERNBERT.shape_in_file(&of_layer("intermediate.gate"), &[5, 4]), [10, 4]);
        assert!(
            ["head.dense.weight", "head.norm.weight", "decoder.bias"]
                .iter()
                .all(|name| MODERNBERT.is_beside_the_encoder(&MODERNBERT.canonical_name(name)))
        );
    }
}
