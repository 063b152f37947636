//! ALBERT: layers that share their weights, and narrow embeddings.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::Family;
use super::bert::BERT;
use crate::Config;
use crate::checkpoint::architecture::{self, Architecture, Layer, Projection, Refusal};

/// Source: <https://github.com/huggingface/transformers/tree/main/src/transformers/models/albert>
pub(super) const ALBERT: Family = Family {
    model_type: "albert",
    class: "Albert",
    defaults: r#"{
        "vocab_size": 30000, "embedding_size": 128, "hidden_size": 4096, "num_hidden_layers": 12,
        "num_attention_heads": 64, "intermediate_size": 16384, "hidden_act": "gelu_new",
        "max_position_embeddings": 512, "type_vocab_size": 2, "layer_norm_eps": 1e-12, "pad_token_id": 0
    }"#,
    fixed: "{}",
    architecture,
    prefix: "albert.",
    renames: &[
        ("encoder.embedding_hidden_mapping_in.", "embeddings_project."),
        ("encoder.albert_layer_groups.", "encoder.layer."),
        (".albert_layers.", ".part."),
        (".attention.query.", ".attention.self.query."),
        (".attention.key.", ".attention.self.key."),
        (".attention.value.", ".attention.self.value."),
        (".attention.dense.", ".attention.output.dense."),
        (".attention.LayerNorm.", ".attention.output.LayerNorm."),
        (".ffn.", ".intermediate.dense."),
        (".ffn_output.", ".output.dense."),
        (".full_layer_layer_norm.", ".output.LayerNorm."),
        ("pooler.", "pooler.dense."),
    ],
    heads: &["predictions.", "sop_classifier.", "classifier.", "qa_outputs."],
    ..BERT
};

#[derive(Deserialize)]
struct Keys {
    #[serde(default = "one")]
    num_hidden_groups: usize,
    #[serde(default = "one")]
    inner_group_num: usize,
}

fn one() -> usize {
    1
}

/// A layer of the file stands for every layer of its group; each counts, as do the parts of a layer.
fn architecture(config: &Config, json: &Map<String, Value>) -> Result<Architecture, Refusal> {
    let Keys { num_hidden_groups: groups, inner_group_num: parts } = architecture::keys(json)?;
    let layers = config.num_hidden_layers;
    if groups == 0 || groups > layers {
        return Err(Refusal::Invalid(format!(
            "num_hidden_groups is {groups}, expected 1 to num_hidden_layers {layers}"
        )));
    }
    if parts == 0 || parts.saturating_mul(layers) > super::MOST_LAYERS {
        return Err(Refusal::Invalid(format!(
            "inner_group_num is {parts}, expected at least 1, and with num_hidden_layers {layers} at most {} in all",
            super::MOST_LAYERS
        )));
    }
    // As the reference divides, in floating point.
    let group_of = |layer: usize| (layer as f64 / (layers as f64 / groups as f64)) as usize;
    let name = |layer, part| format!("{}.part.{part}", architecture::layer_name(group_of(layer)));
    let layers = (0..layers).flat_map(|layer| (0..parts).map(move |part| Layer::of(name(layer, part))));
    Ok(Architecture {
        projection: Projection::AfterNorm,
        layers: layers.collect(),
        ..Architecture::bert(config)
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::*;
    use crate::Error;

    fn parse(layers: usize, groups: usize, parts: usize) -> Result<Config, Error> {
        let config = json!({
            "model_type": "albert", "hidden_size": 12, "num_attention_heads": 3, "intermediate_size": 24,
            "num_hidden_layers": layers, "num_hidden_groups": groups, "inner_group_num": parts,
        });
        Config::parse(&config.to_string(), Path::new("config.json"))
    }

    #[test]
    fn a_group_s_layers_share_their_weights_and_each_counts() {
        let names = |config: Config| {
            config.architecture.layers.into_iter().map(|layer| layer.name.replace("encoder.layer.", ""))
        };
        let one = parse(3, 1, 1).unwrap();
        assert_eq!((one.num_hidden_layers, one.embedding_size()), (3, 128));
        assert!(names(one).eq(["0.part.0"; 3]));
        let several = parse(5, 2, 2).unwrap();
        assert_eq!(several.num_hidden_layers, 10);
        let groups: Vec<String> = names(several).collect();
        assert!(groups[..6].chunks(2).all(|parts| parts == ["0.part.0", "0.part.1"]), "{groups:?}");
        assert!(groups[6..].chunks(2).all(|parts| parts == ["1.part.0", "1.part.1"]), "{groups:?}");
    }

    #[test]
    fn groups_and_parts_that_no_layer_has_are_refused() {
        for (groups, parts, named) in [
            (0, 1, "num_hidden_groups"),
            (4, 1, "num_hidden_groups"),
            (1, 0, "inner_group_num"),
            (1, 1_000_000, "inner_group_num"),
        ] {
            let error = parse(3, groups, parts).unwrap_err();
            assert!(matches!(&error, Error::Invalid { reason, .. } if reason.contains(named)), "{error}");
        }
    }

    #[test]
    fn published_names_are_known() {
        for (there, here) in [
            ("albert.encoder.embedding_hidden_mapping_in.weight", "embeddings_project.weight"),
            ("albert.pooler.bias", "pooler.dense.bias"),
            (
                "albert.encoder.albert_layer_groups.0.albert_layers.0.full_layer_layer_norm.weight",
                "encoder.layer.0.part.0.output.LayerNorm.weight",
            ),
            (
                "albert.encoder.albert_layer_groups.0.albert_layers.0.attention.dense.weight",
                "encoder.layer.0.part.0.attention.output.dense.weight",
            ),
        ] {
            assert_eq!(ALBERT.canonical_name(there), here);
        }
        assert!(ALBERT.is_beside_the_encoder("predictions.decoder.bias"));
    }
}
