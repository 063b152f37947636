//! MPNet: positions as RoBERTa's, and a bias of attention for each distance.

use super::roberta::ROBERTA;
use super::{Family, TokenTypes};
use crate::checkpoint::architecture::{Architecture, Relative};

/// Source: <https://github.com/huggingface/transformers/tree/main/src/transformers/models/mpnet>
pub(super) const MPNET: Family = Family {
    model_type: "mpnet",
    fixed: r#"{"embedding_size": null, "type_vocab_size": 0}"#,
    architecture: |config, _| Ok(Architecture { relative: Relative::Bias, ..Architecture::bert(config) }),
    token_types: TokenTypes::None,
    may_lack_token_types: true,
    granted: &[("relative_attention_num_buckets", 32), ("pad_token_id", 1)],
    prefix: "mpnet.",
    renames: &[
        (".attention.attn.q.", ".attention.self.query."),
        (".attention.attn.k.", ".attention.self.key."),
        (".attention.attn.v.", ".attention.self.value."),
        (".attention.attn.o.", ".attention.output.dense."),
        (".attention.LayerNorm.", ".attention.output.LayerNorm."),
    ],
    ..ROBERTA
};
