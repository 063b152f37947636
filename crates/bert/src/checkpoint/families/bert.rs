//! BERT itself, from which the others differ.

use super::{Family, Positions, TokenTypes};
use crate::checkpoint::architecture::Architecture;

/// Source: <https://github.com/huggingface/transformers/tree/main/src/transformers/models/bert>
pub(super) const BERT: Family = Family {
    model_type: "bert",
    keys: &[],
    defaults: r#"{"pad_token_id": 0, "type_vocab_size": 2}"#,
    fixed: r#"{"embedding_size": null}"#,
    architecture: |config, _| Ok(Architecture::bert(config)),
    positions: Positions::FromZero,
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
