//! DistilBERT: BERT without token types and pooler, under other names.

use super::bert::BERT;
use super::{Family, TokenTypes};

/// Source: <https://github.com/huggingface/transformers/tree/main/src/transformers/models/distilbert>
pub(super) const DISTILBERT: Family = Family {
    model_type: "distilbert",
    class: "DistilBert",
    keys: &[
        ("dim", "hidden_size"),
        ("n_layers", "num_hidden_layers"),
        ("n_heads", "num_attention_heads"),
        ("hidden_dim", "intermediate_size"),
        ("activation", "hidden_act"),
    ],
    aliases: Some(&["hidden_size", "num_hidden_layers", "num_attention_heads"]),
    defaults: r#"{
        "vocab_size": 30522, "hidden_size": 768, "num_hidden_layers": 6, "num_attention_heads": 12,
        "intermediate_size": 3072, "max_position_embeddings": 512, "pad_token_id": 0
    }"#,
    sines: true,
    fixed: r#"{"embedding_size": null, "layer_norm_eps": 1e-12, "type_vocab_size": 0}"#,
    token_types: TokenTypes::None,
    may_lack_token_types: true,
    has_pooler: false,
    prefix: "distilbert.",
    renames: &[
        ("transformer.layer.", "encoder.layer."),
        (".attention.q_lin.", ".attention.self.query."),
        (".attention.k_lin.", ".attention.self.key."),
        (".attention.v_lin.", ".attention.self.value."),
        (".attention.out_lin.", ".attention.output.dense."),
        (".sa_layer_norm.", ".attention.output.LayerNorm."),
        (".ffn.lin1.", ".intermediate.dense."),
        (".ffn.lin2.", ".output.dense."),
        (".output_layer_norm.", ".output.LayerNorm."),
    ],
    heads: &[
        "vocab_transform.",
        "vocab_layer_norm.",
        "vocab_projector.",
        "pre_classifier.",
        "classifier.",
        "qa_outputs.",
    ],
    ..BERT
};
