//! RoBERTa, and the families that are computed as it is.

use super::bert::BERT;
use super::{Family, Positions};

/// Source: <https://github.com/huggingface/transformers/tree/main/src/transformers/models/roberta>
pub(super) const ROBERTA: Family = Family {
    model_type: "roberta",
    class: "Roberta",
    defaults: r#"{
        "vocab_size": 50265, "hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12,
        "intermediate_size": 3072, "max_position_embeddings": 512, "type_vocab_size": 2, "pad_token_id": 1
    }"#,
    positions: Positions::AfterPadding,
    prefix: "roberta.",
    heads: &["lm_head.", "classifier.", "qa_outputs."],
    ..BERT
};

pub(super) const XLM_ROBERTA: Family = Family {
    model_type: "xlm-roberta",
    class: "XLMRoberta",
    defaults: r#"{
        "vocab_size": 30522, "hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12,
        "intermediate_size": 3072, "max_position_embeddings": 512, "type_vocab_size": 2, "pad_token_id": 1
    }"#,
    ..ROBERTA
};

pub(super) const CAMEMBERT: Family =
    Family { model_type: "camembert", class: "Camembert", defaults: XLM_ROBERTA.defaults, ..ROBERTA };
