//! RoBERTa, and the families that are computed as it is.

use super::bert::BERT;
use super::{Family, Positions};

/// Source: <https://github.com/huggingface/transformers/tree/main/src/transformers/models/roberta>
pub(super) const ROBERTA: Family = Family {
    model_type: "roberta",
    defaults: r#"{"pad_token_id": 1, "type_vocab_size": 2}"#,
    positions: Positions::AfterPadding,
    prefix: "roberta.",
    heads: &["lm_head.", "classifier.", "qa_outputs."],
    ..BERT
};

pub(super) const XLM_ROBERTA: Family = Family { model_type: "xlm-roberta", ..ROBERTA };

pub(super) const CAMEMBERT: Family = Family { model_type: "camembert", ..ROBERTA };
