//! BERT itself, from which the others differ.

use super::{Family, Positions, TokenTypes};
use crate::checkpoint::architecture::Architecture;

/// Source: <https://github.com/huggingface/transformers/tree/main/src/transformers/models/bert>
pub(super) const BERT: Family = Family {
    model_type: "bert",
    class: "Bert",
    keys: &[],
    aliases: None,
    defaults: r#"{
        "vocab_size": 30522, "hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12,
        "intermediate_size": 3072, "max_position_embeddings": 512, "type_vocab_size": 2, "pad_token_id": 0
    }"#,
    fixed: r#"{"embedding_size": null}"#,
    architecture: |config, _| Ok(Architecture::bert(config)),
    positions: Positions::FromZero,
    sines: false,
    token_types: TokenTypes::OfTokenizer,
    may_lack_token_types: false,
    granted: &[],
    has_pooler: true,
    prefix: "bert.",
    old_names: &[],
    renames: &[],
    joints: &[],
    heads: &["cls.", "classifier.", "qa_outputs."],
    ignored: &[],
};
