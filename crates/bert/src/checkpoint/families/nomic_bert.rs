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
