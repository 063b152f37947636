//! GTE: BERT with rotated queries and keys instead of position embeddings, and gates.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::bert::BERT;
use super::{Family, Joint, rotation};
use crate::Config;
use crate::checkpoint::architecture::{self, Architecture, Refusal};

/// Source: <https://github.com/huggingface/transformers/tree/main/src/transformers/models/gte>
pub(super) const GTE: Family = Family {
    model_type: "gte",
    class: "Gte",
    defaults: r#"{
        "vocab_size": 250048, "hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12,
        "intermediate_size": 3072, "hidden_act": "gelu", "max_position_embeddings": 8192,
        "type_vocab_size": 1, "layer_norm_eps": 1e-12, "pad_token_id": 1
    }"#,
    architecture: |config, json| architecture(config, json, 160_000.0),
    may_lack_token_types: true,
    has_pooler: false,
    prefix: "gte.",
    old_names: &[
        ("new.embeddings.", "embeddings."),
        ("new.encoder.", "encoder."),
        ("new.pooler.", "pooler."),
        ("encoder.layer.", "layers."),
        (".attention.qkv_proj.", ".self_attn.all."),
        (".attention.o_proj.", ".self_attn.o_proj."),
        (".mlp.up_gate_proj.", ".mlp.both."),
        (".attn_ln.", ".post_attention_layernorm."),
        (".mlp_ln.", ".post_mlp_layernorm."),
    ],
    renames: &[
        ("layers.", "encoder.layer."),
        (".self_attn.q_proj.", ".attention.self.query."),
        (".self_attn.k_proj.", ".attention.self.key."),
        (".self_attn.v_proj.", ".attention.self.value."),
        (".self_attn.all.", ".attention.self.all."),
        (".self_attn.o_proj.", ".attention.output.dense."),
        (".post_attention_layernorm.", ".attention.output.LayerNorm."),
        (".mlp.gate_proj.", ".intermediate.gate."),
        (".mlp.up_proj.", ".intermediate.dense."),
        (".mlp.both.", ".intermediate.both."),
        (".mlp.down_proj.", ".output.dense."),
        (".post_mlp_layernorm.", ".output.LayerNorm."),
    ],
    joints: &[
        Joint {
            name: ".attention.self.all.",
            parts: &[".attention.self.query.", ".attention.self.key.", ".attention.self.value."],
            is_old: true,
        },
        Joint {
            name: ".intermediate.both.",
            parts: &[".intermediate.dense.", ".intermediate.gate."],
            is_old: true,
        },
    ],
    heads: &["pooler.", "lm_head.", "classifier."],
    ..BERT
};

#[derive(Deserialize)]
struct Keys {
    #[serde(default)]
    rope_parameters: Map<String, Value>,
    #[serde(default)]
    rope_scaling: Map<String, Value>,
    rope_theta: Option<f64>,
    #[serde(default = "whole")]
    partial_rotary_factor: f64,
    head_dim: Option<usize>,
}

fn whole() -> f64 {
    1.0
}

pub(super) fn architecture(
    config: &Config,
    json: &Map<String, Value>,
    default_base: f64,
) -> Result<Architecture, Refusal> {
    let keys: Keys = architecture::keys(json)?;
    rotation::refuse_other_heads(keys.head_dim, config.head_size())?;
    if keys.partial_rotary_factor != 1.0 {
        return Err(Refusal::unsupported("partial_rotary_factor", keys.partial_rotary_factor, "1"));
    }
    let old = rotation::base("rope_scaling", &keys.rope_scaling)?;
    let new = rotation::base("rope_parameters", &keys.rope_parameters)?;
    if let (Some(old), Some(new)) = (old, new)
        && old != new
    {
        return Err(Refusal::Invalid(format!("rope_scaling states the base {old}, rope_parameters {new}")));
    }
    let base = old.or(new).or(keys.rope_theta).unwrap_or(default_base);
    let base = Some(rotation::checked(base, config.head_size())?);
    let mut architecture = Architecture {
        position_embeddings: false,
        gated: true,
        wide_bias: false,
        ..Architecture::bert(config)
    };
    for layer in &mut architecture.layers {
        layer.rotation = base;
    }
    Ok(architecture)
}
