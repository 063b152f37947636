//! ELECTRA: BERT without a pooler, whose embeddings may be narrower than its hidden states.

use super::Family;
use super::bert::BERT;

/// Source: <https://github.com/huggingface/transformers/tree/main/src/transformers/models/electra>
pub(super) const ELECTRA: Family = Family {
    model_type: "electra",
    class: "Electra",
    defaults: r#"{
        "vocab_size": 30522, "embedding_size": 128, "hidden_size": 256, "num_hidden_layers": 12,
        "num_attention_heads": 4, "intermediate_size": 1024, "max_position_embeddings": 512,
        "type_vocab_size": 2, "pad_token_id": 0
    }"#,
    fixed: "{}",
    has_pooler: false,
    prefix: "electra.",
    heads: &[
        "discriminator_predictions.",
        "generator_predictions.",
        "generator_lm_head.",
        "sequence_summary.",
        "classifier.",
        "qa_outputs.",
    ],
    ..BERT
};
