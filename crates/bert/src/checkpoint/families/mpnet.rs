//! MPNet: positions as RoBERTa's, and a bias of attention for each distance.

use super::roberta::ROBERTA;
use super::{Family, TokenTypes};
use crate::checkpoint::architecture::{Architecture, Relative};

/// Source: <https://github.com/huggingface/transformers/tree/main/src/transformers/models/mpnet>
pub(super) const MPNET: Family = Family {
    model_type: "mpnet",
    class: "MPNet",
    defaults: r#"{
        "vocab_size": 30527, "hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12,
        "intermediate_size": 3072, "max_position_embeddings": 512, "type_vocab_size": 2, "pad_token_id": 1
    }"#,
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
