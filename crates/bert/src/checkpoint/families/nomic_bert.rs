//! Nomic BERT: GTE without biases.

use serde_json::{Map, Value, json};

use super::bert::BERT;
use super::{Family, Joint, gte};
use crate::Config;
use crate::checkpoint::architecture::{Architecture, Refusal};

const BASE: f64 = 1000.0;

/// Source: <https://github.com/huggingface/transformers/tree/main/src/transformers/models/nomic_bert>
pub(super) const NOMIC_BERT: Family = Family {
    model_type: "nomic_bert",
    class: "NomicBert",
    defaults: r#"{
        "vocab_size": 30528, "hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12,
        "intermediate_size": 3072, "hidden_act": "silu", "max_position_embeddings": 2048,
        "type_vocab_size": 2, "layer_norm_eps": 1e-12, "pad_token_id": 0
    }"#,
    architecture,
    has_pooler: false,
    prefix: "nomic_bert.",
    old_names: &[
        ("encoder.layers.", "layers."),
        ("emb_ln.", "embeddings.LayerNorm."),
        (".attn.Wqkv.", ".self_attn.all."),
        (".attn.out_proj.", ".self_attn.o_proj."),
        (".mlp.fc11.", ".mlp.up_proj."),
        (".mlp.fc12.", ".mlp.gate_proj."),
        (".mlp.fc2.", ".mlp.down_proj."),
        (".norm1.", ".post_attention_layernorm."),
        (".norm2.", ".post_mlp_layernorm."),
    ],
    renames: gte::GTE.renames,
    joints: &[Joint {
        name: ".attention.self.all.",
        parts: &[".attention.self.query.", ".attention.self.key.", ".attention.self.value."],
        is_old: true,
    }],
    heads: &["pooler.", "cls.", "classifier."],
    ..BERT
};

/// Keys of the configurations that came with code of their own. The reference reads none of them and
/// takes its defaults, so they may say nothing else.
fn refuse_old_keys(config: &Config, json: &Map<String, Value>, base: Option<f64>) -> Result<(), Refusal> {
    for (key, taken) in [
        ("n_embd", json!(config.hidden_size)),
        ("n_layer", json!(config.num_hidden_layers)),
        ("n_head", json!(config.num_attention_heads)),
        ("n_inner", json!(config.intermediate_size)),
        ("layer_norm_epsilon", json!(config.layer_norm_eps)),
        ("rotary_emb_base", json!(base)),
        ("rotary_emb_fraction", json!(1.0)),
        ("rotary_emb_interleaved", json!(false)),
        ("prenorm", json!(false)),
        ("parallel_block", json!(false)),
        ("use_rms_norm", json!(false)),
        ("qkv_proj_bias", json!(false)),
        ("mlp_fc1_bias", json!(false)),
        ("mlp_fc2_bias", json!(false)),
        ("activation_function", json!("swiglu")),
    ] {
        let same = |found: &Value| *found == taken || (found.is_number() && found.as_f64() == taken.as_f64());
        if let Some(found) = json.get(key).filter(|found| !same(found)) {
            return Err(Refusal::unsupported(key, found, taken.to_string()));
        }
    }
    Ok(())
}

fn architecture(config: &Config, json: &Map<String, Value>) -> Result<Architecture, Refusal> {
    let architecture = gte::architecture(config, json, BASE)?;
    refuse_old_keys(config, json, architecture.layers[0].rotation)?;
    Ok(Architecture { attention_bias: false, narrow_bias: false, ..architecture })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{Activation, Error};

    /// The keys that count of a configuration from before transformers knew the family.
    fn parse(change: impl FnOnce(&mut Value)) -> Result<Config, Error> {
        let mut config = json!({
            "activation_function": "swiglu", "architectures": ["NomicBertModel"], "layer_norm_epsilon": 1e-12,
            "max_trained_positions": 2048, "mlp_fc1_bias": false, "mlp_fc2_bias": false,
            "model_type": "nomic_bert", "n_embd": 768, "n_head": 12, "n_inner": 3072, "n_layer": 12,
            "n_positions": 8192, "parallel_block": false, "prenorm": false, "qkv_proj_bias": false,
            "rotary_emb_base": 1000, "rotary_emb_fraction": 1.0, "rotary_emb_interleaved": false,
            "rotary_scaling_factor": null, "type_vocab_size": 2, "use_rms_norm": false, "vocab_size": 30528,
        });
        change(&mut config);
        Config::parse(&config.to_string(), Path::new("config.json"))
    }

    #[test]
    fn a_configuration_of_old_keys_is_one_of_defaults() {
        let config = parse(|_| ()).unwrap();
        assert_eq!(
            (config.hidden_size, config.hidden_act, config.max_tokens()),
            (768, Activation::Silu, 2048)
        );
        assert!(config.architecture.layers.iter().all(|layer| layer.rotation == Some(BASE)));
        for (key, value) in [
            ("n_embd", json!(1024)),
            ("rotary_emb_base", json!(10000)),
            ("rotary_emb_fraction", json!(0.5)),
            ("prenorm", json!(true)),
            ("activation_function", json!("gelu")),
        ] {
            let error = parse(|config| config[key] = value.clone()).unwrap_err();
            assert!(matches!(&error, Error::Unsupported { key: named, .. } if *named == key), "{error}");
        }
    }

    #[test]
    fn rotation_is_by_what_is_stated_and_never_scaled() {
        let base = |key: &str, value: Value| {
            parse(|config| {
                config["rotary_emb_base"] = Value::Null;
                config[key] = value;
            })
            .map(|config| config.architecture.layers[0].rotation)
        };
        assert_eq!(base("rope_theta", json!(7)).unwrap(), Some(7.0));
        let plain = json!({"rope_type": "default", "rope_theta": 7.5});
        assert_eq!(base("rope_parameters", plain).unwrap(), Some(7.5));
        for (key, value) in [
            ("rope_parameters", json!({"rope_type": "yarn", "factor": 2.0})),
            ("rope_scaling", json!({"type": "ntk", "factor": 2.0})),
            ("rope_scaling", json!({"rope_type": "default", "factor": 2.0})),
            ("partial_rotary_factor", json!(0.5)),
            ("head_dim", json!(32)),
        ] {
            let error = base(key, value).unwrap_err();
            assert!(matches!(&error, Error::Unsupported { key: named, .. } if *named == key), "{error}");
        }
    }

    #[test]
    fn names_of_either_generation_meet() {
        let layer = |name: &str| format!("encoder.layer.3.{name}.weight");
        for (old, new, here) in [
            ("attn.out_proj", "self_attn.o_proj", "attention.output.dense"),
            ("mlp.fc11", "mlp.up_proj", "intermediate.dense"),
            ("mlp.fc12", "mlp.gate_proj", "intermediate.gate"),
            ("mlp.fc2", "mlp.down_proj", "output.dense"),
            ("norm1", "post_attention_layernorm", "attention.output.LayerNorm"),
            ("norm2", "post_mlp_layernorm", "output.LayerNorm"),
        ] {
            let old = NOMIC_BERT.canonical_names(&format!("encoder.layers.3.{old}.weight"));
            let new = NOMIC_BERT.canonical_names(&format!("nomic_bert.layers.3.{new}.weight"));
            assert_eq!((old, new), (vec![layer(here)], vec![layer(here)]));
        }
        let both = gte::GTE.canonical_names("new.encoder.layer.3.mlp.up_gate_proj.weight");
        assert_eq!(both, ["intermediate.dense", "intermediate.gate"].map(layer));
        assert_eq!(gte::GTE.name_in_file(&layer("intermediate.gate")), "layers.3.mlp.gate_proj.weight");
    }
}
