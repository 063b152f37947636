//! The families of encoders: one computation, and what differs between them as data.

use serde_json::{Map, Value};

/// A family, chosen by `model_type` in `config.json`.
///
/// Sources: the models of the same names in
/// <https://github.com/huggingface/transformers/tree/main/src/transformers/models>
#[derive(Debug, PartialEq)]
pub(crate) struct Family {
    /// Its name in `config.json`.
    pub(crate) model_type: &'static str,
    /// Keys of `config.json` that are called otherwise here: `(there, here)`.
    keys: &'static [(&'static str, &'static str)],
    /// The token of padding where the file names none.
    pad_token_id: u32,
    /// The width of its embeddings where the file states none; without it that of the hidden states.
    embedding_size: Option<usize>,
    /// The epsilon of its norms where no file may state another.
    layer_norm_eps: Option<f64>,
    pub(crate) positions: Positions,
    pub(crate) token_types: TokenTypes,
    /// Whether attention depends on how far two tokens are apart.
    pub(crate) relative_positions: bool,
    /// Keys of which the computation takes a value for granted; another is refused.
    pub(crate) granted: &'static [(&'static str, u64)],
    /// Whether its models may have a pooler.
    pub(crate) has_pooler: bool,
    /// What names of tensors begin with in a model that was trained for a task.
    prefix: &'static str,
    /// Pieces of names that are called otherwise here: `(there, here)`. A `here` that is part of
    /// another comes after it.
    renames: &'static [(&'static str, &'static str)],
    /// Beginnings of the names of task heads, on which no hidden state depends.
    heads: &'static [&'static str],
}

/// Which row of the position embeddings a token gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Positions {
    /// Its place in the text, from 0.
    FromZero,
    /// Tokens are counted from the row after that of the padding's id; padding counts for nothing
    /// and gets the row of its own id, also when the text itself names it.
    AfterPadding,
}

impl Positions {
    /// For each token of a row.
    pub(crate) fn of(self, input_ids: &[u32], pad_token_id: u32) -> Vec<i64> {
        let pad = i64::from(pad_token_id);
        let mut counted = 0;
        let after_padding = |&id: &u32| {
            let counts = i64::from(id != pad_token_id);
            counted += counts;
            counts * counted + pad
        };
        match self {
            Self::FromZero => (0..input_ids.len() as i64).collect(),
            Self::AfterPadding => input_ids.iter().map(after_padding).collect(),
        }
    }
}

/// Which rows of the token type embeddings a token gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenTypes {
    /// The one that the tokenizer says.
    OfTokenizer,
    /// The first, whatever the tokenizer says.
    First,
    /// There are none.
    None,
}

const BERT: Family = Family {
    model_type: "bert",
    keys: &[],
    pad_token_id: 0,
    embedding_size: None,
    layer_norm_eps: None,
    positions: Positions::FromZero,
    token_types: TokenTypes::OfTokenizer,
    relative_positions: false,
    granted: &[],
    has_pooler: true,
    prefix: "bert.",
    renames: &[],
    heads: &["cls.", "classifier.", "qa_outputs."],
};

const ROBERTA: Family = Family {
    model_type: "roberta",
    pad_token_id: 1,
    positions: Positions::AfterPadding,
    token_types: TokenTypes::First,
    prefix: "roberta.",
    heads: &["lm_head.", "classifier.", "qa_outputs."],
    ..BERT
};

static FAMILIES: [Family; 7] = [
    BERT,
    ROBERTA,
    Family { model_type: "xlm-roberta", ..ROBERTA },
    Family { model_type: "camembert", ..ROBERTA },
    Family {
        model_type: "distilbert",
        keys: &[
            ("dim", "hidden_size"),
            ("n_layers", "num_hidden_layers"),
            ("n_heads", "num_attention_heads"),
            ("hidden_dim", "intermediate_size"),
            ("activation", "hidden_act"),
        ],
        layer_norm_eps: Some(1e-12),
        token_types: TokenTypes::None,
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
    },
    Family {
        model_type: "electra",
        embedding_size: Some(128),
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
    },
    Family {
        model_type: "mpnet",
        token_types: TokenTypes::None,
        relative_positions: true,
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
    },
];

impl Family {
    /// BERT itself, which a configuration without a `model_type` means.
    pub(crate) fn bert() -> &'static Self {
        &FAMILIES[0]
    }

    pub(crate) fn named(model_type: &str) -> Option<&'static Self> {
        FAMILIES.iter().find(|family| family.model_type == model_type)
    }

    /// Every family's name.
    pub(crate) fn names() -> Vec<&'static str> {
        FAMILIES.iter().map(|family| family.model_type).collect()
    }

    /// Brings a `config.json` to the keys of [`crate::Config`], with this family's defaults.
    pub(crate) fn canonical_keys(&self, json: &mut Map<String, Value>) {
        for &(there, here) in self.keys {
            if let Some(value) = json.remove(there) {
                json.insert(here.to_owned(), value);
            }
        }
        if self.embedding_size.is_none() {
            json.remove("embedding_size");
        }
        if let Some(epsilon) = self.layer_norm_eps {
            json.insert("layer_norm_eps".to_owned(), epsilon.into());
        }
        if self.token_types == TokenTypes::None {
            json.insert("type_vocab_size".to_owned(), 0.into());
        }
        let defaults = [
            ("pad_token_id", Some(self.pad_token_id.into())),
            ("embedding_size", self.embedding_size.map(Value::from)),
            ("type_vocab_size", Some(2.into())),
        ];
        for (key, value) in defaults {
            if let Some(value) = value {
                json.entry(key).or_insert(value);
            }
        }
    }

    /// What `config.json` calls a key of [`crate::Config`].
    pub(crate) fn key_in_file(&self, here: &'static str) -> &'static str {
        self.keys.iter().find(|(_, ours)| *ours == here).map_or(here, |&(there, _)| there)
    }

    /// A tensor's name, in any generation, as the modules here call it.
    ///
    /// | in the file | here |
    /// |---|---|
    /// | `bert.encoder.layer.0.…` | `encoder.layer.0.…` |
    /// | `….LayerNorm.gamma` | `….LayerNorm.weight` |
    /// | `….LayerNorm.beta` | `….LayerNorm.bias` |
    /// | `distilbert.transformer.layer.0.ffn.lin1.…` | `encoder.layer.0.intermediate.dense.…` |
    pub(crate) fn canonical_name(&self, there: &str) -> String {
        let name = there.strip_prefix(self.prefix).unwrap_or(there);
        let name = match (name.strip_suffix(".gamma"), name.strip_suffix(".beta")) {
            (Some(stem), _) => format!("{stem}.weight"),
            (_, Some(stem)) => format!("{stem}.bias"),
            _ => name.to_owned(),
        };
        self.renames.iter().fold(name, |name, (there, here)| name.replacen(there, here, 1))
    }

    /// The name, without prefix, that files of today give a tensor.
    pub(crate) fn name_in_file(&self, here: &str) -> String {
        self.renames.iter().fold(here.to_owned(), |name, (there, here)| name.replacen(here, there, 1))
    }

    /// Task heads and stored constants: they hold nothing that a hidden state depends on.
    pub(crate) fn is_beside_the_encoder(&self, name: &str) -> bool {
        ["embeddings.position_ids", "embeddings.token_type_ids"].contains(&name)
            || self.heads.iter().any(|head| name.starts_with(head))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_generations_of_names_meet() {
        for (old, new) in [
            ("bert.embeddings.LayerNorm.gamma", "embeddings.LayerNorm.weight"),
            ("bert.embeddings.LayerNorm.beta", "embeddings.LayerNorm.bias"),
            ("bert.pooler.dense.weight", "pooler.dense.weight"),
            ("encoder.layer.11.output.dense.bias", "encoder.layer.11.output.dense.bias"),
        ] {
            assert_eq!(Family::bert().canonical_name(old), new);
        }
    }

    #[test]
    fn a_renamed_tensor_finds_its_way_back() {
        for family in &FAMILIES {
            for part in [
                "attention.self.query.weight",
                "attention.self.value.bias",
                "attention.output.dense.weight",
                "attention.output.LayerNorm.bias",
                "intermediate.dense.weight",
                "output.dense.weight",
                "output.LayerNorm.weight",
            ] {
                let here = format!("encoder.layer.3.{part}");
                assert_eq!(family.canonical_name(&family.name_in_file(&here)), here, "{}", family.model_type);
            }
        }
        let distilbert = Family::named("distilbert").unwrap();
        assert_eq!(
            distilbert.name_in_file("encoder.layer.0.attention.output.dense.bias"),
            "transformer.layer.0.attention.out_lin.bias"
        );
    }
}
