//! ELECTRA: BERT without a pooler, whose embeddings may be narrower than its hidden states.

use super::Family;
use super::bert::BERT;

/// Source: <https://github.com/huggingface/transformers/tree/main/src/transformers/models/electra>
pub(super) const ELECTRA: Family = Family {
    model_type: "electra",
    defaults: r#"{"pad_token_id": 0, "type_vocab_size": 2, "embedding_size": 128}"#,
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
